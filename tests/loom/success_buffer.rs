//! Successes that enter the success buffer, against everything that takes the lock.

use super::*;

const MINUTE: Window = Window::time(Duration::from_secs(60));

fn watched_by(rule: TripRule) -> CircuitBreaker {
    let breaker = build(quick(5).trip_rules([rule]));
    // The first success finds the buffer closed, and opens it.
    breaker.try_acquire().expect("a closed circuit").success();
    breaker
}

fn figures(breaker: &CircuitBreaker) -> (u32, u32) {
    let rule = breaker.snapshot().rules[0];
    (rule.recorded, rule.failed)
}

#[test]
fn two_successes_that_meet_are_both_recorded() {
    explore("buffer, two successes", |race| {
        let breaker = watched_by(TripRule::failures(3).over(MINUTE));
        let [one, other] = permits(&breaker);
        race.run(|| one.success(), || other.success());
        assert_eq!(figures(&breaker), (3, 0));
        // Since they met, there may be striped cells.
        let [one, other] = permits(&breaker);
        one.success();
        other.success();
        assert_eq!(figures(&breaker), (5, 0));
        assert_eq!(totals(&breaker).success, Some(5));
    });
}

#[test]
fn a_success_and_a_failure_are_both_recorded() {
    explore("buffer, success and failure", |race| {
        let breaker = watched_by(TripRule::failures(3).over(MINUTE));
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(figures(&breaker), (3, 1));
    });
}

#[test]
fn a_success_comes_before_a_trip_or_is_late() {
    explore("buffer, trip", |race| {
        let breaker = watched_by(TripRule::failures(1).over(MINUTE));
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(figures(&breaker), (0, 0));
        let totals = totals(&breaker);
        assert_eq!(totals.success.map(|n| n + totals.late), Some(2));
    });
}

#[test]
fn a_success_from_before_a_reset_is_not_in_the_window_after_it() {
    explore("buffer, reset", |race| {
        let breaker = watched_by(TripRule::failures(3).over(MINUTE));
        let [good] = permits(&breaker);
        let steered = breaker.clone();
        let anew = move || {
            steered.reset();
            // Opens the buffer in the new generation.
            steered.try_acquire().expect("a closed circuit").success();
        };
        race.run(|| good.success(), anew);
        assert_eq!(figures(&breaker), (1, 0));
        let totals = totals(&breaker);
        assert_eq!(totals.success.map(|n| n + totals.late), Some(3));
    });
}

#[test]
fn a_success_is_kept_by_a_window_that_stays_and_lost_with_one_that_goes() {
    explore("buffer, configure", |race| {
        let rule = TripRule::failures(3).over(MINUTE);
        let breaker = watched_by(rule);
        let [good] = permits(&breaker);
        let steered = breaker.clone();
        let change = move || {
            let added = TripRule::failures(2).over(MINUTE.buckets(2));
            steered
                .configure(|b| b.trip_rules([rule, added]))
                .expect("settings that work");
        };
        race.run(|| good.success(), change);
        assert_eq!(figures(&breaker), (2, 0));
        assert!(breaker.snapshot().rules[1].recorded <= 1);
        fail(&breaker);
        assert_eq!(figures(&breaker), (3, 1));
    });
}

#[test]
fn a_snapshot_takes_nothing_away() {
    explore("buffer, snapshot", |race| {
        let breaker = watched_by(TripRule::failures(3).over(MINUTE));
        let [good] = permits(&breaker);
        let seen = breaker.clone();
        let (_, snapshots) = race.run(
            || good.success(),
            move || [seen.snapshot(), seen.snapshot()],
        );
        let [first, second] = snapshots.map(|snapshot| {
            let recorded = snapshot.rules[0].recorded;
            // The totals are of the same moment.
            assert_eq!(snapshot.totals.success, Some(recorded.into()));
            recorded
        });
        assert!(1 <= first && first <= second && second <= 2);
        assert_eq!(figures(&breaker), (2, 0));
    });
}

#[test]
fn failure_counts_successes_of_new_stripes() {
    explore("buffer, two that meet and a failure", |race| {
        let breaker = watched_by(TripRule::failures(3).over(MINUTE));
        let [one, other, bad] = permits(&breaker);
        let both = || {
            other.success();
            bad.failure();
        };
        race.run(|| one.success(), both);
        assert_eq!(figures(&breaker), (4, 1));
        for permit in permits::<3>(&breaker) {
            permit.success();
        }
        fail(&breaker);
        assert_eq!(figures(&breaker), (8, 2));
        assert_eq!(totals(&breaker).success, Some(6));
    });
}

#[test]
fn an_edge_that_passes_moves_no_success_out_of_its_time() {
    explore("buffer, edge", |race| {
        let clock = ManualClock::new();
        let rule = TripRule::failures(3).over(MINUTE.buckets(2));
        let breaker = build(quick(5).trip_rules([rule]).clock(clock.clone()));
        breaker.try_acquire().expect("a closed circuit").success();
        let [one, other] = permits(&breaker);
        clock.advance(Duration::from_secs(59));
        race.run(|| one.success(), || other.success());
        assert_eq!(figures(&breaker), (3, 0));
        clock.advance(SECOND);
        // The first one has expired, and those that raced for the new interval have not.
        assert_eq!(figures(&breaker), (2, 0));
    });
}

#[test]
fn failure_in_full_window_keeps_concurrent_success() {
    explore("buffer, sated window of calls", |race| {
        let calls = TripRule::failures(2).over(Window::calls(2));
        let minute = TripRule::failures(4).over(MINUTE);
        let breaker = build(quick(5).trip_rules([calls, minute]));
        // More than it takes to fill the window of calls.
        for permit in permits::<3>(&breaker) {
            permit.success();
        }
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(figures(&breaker), (2, 1));
        let minute = breaker.snapshot().rules[1];
        assert_eq!((minute.recorded, minute.failed), (5, 1));
        // Two more push the failure out, whichever of them was the last.
        for permit in permits::<2>(&breaker) {
            permit.success();
        }
        assert_eq!(figures(&breaker), (2, 0));
    });
}

#[test]
fn a_failure_past_the_edge_leaves_a_success_in_its_own_time() {
    explore("buffer, edge, success and failure", |race| {
        let clock = ManualClock::new();
        let rule = TripRule::failures(3).over(MINUTE.buckets(2));
        let breaker = build(quick(5).trip_rules([rule]).clock(clock.clone()));
        breaker.try_acquire().expect("a closed circuit").success();
        let [before, good, bad] = permits(&breaker);
        before.success();
        clock.advance(Duration::from_secs(59));
        race.run(|| good.success(), || bad.failure());
        assert_eq!(figures(&breaker), (4, 1));
        clock.advance(SECOND);
        // Those from before the edge have expired, and those after it have not.
        assert_eq!(figures(&breaker), (2, 1));
    });
}
