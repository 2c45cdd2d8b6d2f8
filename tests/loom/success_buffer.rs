//! The success buffer: successes that enter it race with operations that take the lock.

use super::*;

const MINUTE: Window = Window::time(Duration::from_secs(60));

fn with_rule(rule: TripRule) -> CircuitBreaker {
    let breaker = build(settings_with_threshold(5).trip_rules([rule]));
    // The buffer is closed at first. The first success opens it.
    breaker
        .try_acquire()
        .expect("the circuit is closed")
        .success();
    breaker
}

fn window_counts(breaker: &CircuitBreaker) -> (u32, u32) {
    let rule = breaker.snapshot().rules[0];
    (rule.recorded, rule.failed)
}

#[test]
fn concurrent_successes_are_both_recorded() {
    explore("buffer, two successes", |race| {
        let breaker = with_rule(TripRule::failures(3).over(MINUTE));
        let [one, other] = permits(&breaker);
        race.run(|| one.success(), || other.success());
        assert_eq!(window_counts(&breaker), (3, 0));
        // The contention may have created the cells of the stripes.
        let [one, other] = permits(&breaker);
        one.success();
        other.success();
        assert_eq!(window_counts(&breaker), (5, 0));
        assert_eq!(totals(&breaker).success, Some(5));
    });
}

#[test]
fn success_and_failure_are_both_recorded() {
    explore("buffer, success and failure", |race| {
        let breaker = with_rule(TripRule::failures(3).over(MINUTE));
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(window_counts(&breaker), (3, 1));
    });
}

#[test]
fn success_counts_before_trip_or_is_late() {
    explore("buffer, trip", |race| {
        let breaker = with_rule(TripRule::failures(1).over(MINUTE));
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(window_counts(&breaker), (0, 0));
        let totals = totals(&breaker);
        assert_eq!(totals.success.map(|n| n + totals.late), Some(2));
    });
}

#[test]
fn reset_clears_earlier_success_from_window() {
    explore("buffer, reset", |race| {
        let breaker = with_rule(TripRule::failures(3).over(MINUTE));
        let [good] = permits(&breaker);
        let other_handle = breaker.clone();
        let reset_and_succeed = move || {
            other_handle.reset();
            // This success opens the buffer in the new generation.
            other_handle
                .try_acquire()
                .expect("the circuit is closed")
                .success();
        };
        race.run(|| good.success(), reset_and_succeed);
        assert_eq!(window_counts(&breaker), (1, 0));
        let totals = totals(&breaker);
        assert_eq!(totals.success.map(|n| n + totals.late), Some(3));
    });
}

#[test]
fn configure_keeps_success_in_unchanged_window() {
    explore("buffer, configure", |race| {
        let rule = TripRule::failures(3).over(MINUTE);
        let breaker = with_rule(rule);
        let [good] = permits(&breaker);
        let other_handle = breaker.clone();
        let change = move || {
            let added = TripRule::failures(2).over(MINUTE.buckets(2));
            other_handle
                .configure(|b| b.trip_rules([rule, added]))
                .expect("valid settings");
        };
        race.run(|| good.success(), change);
        assert_eq!(window_counts(&breaker), (2, 0));
        assert!(breaker.snapshot().rules[1].recorded <= 1);
        fail(&breaker);
        assert_eq!(window_counts(&breaker), (3, 1));
    });
}

#[test]
fn snapshot_loses_no_success() {
    explore("buffer, snapshot", |race| {
        let breaker = with_rule(TripRule::failures(3).over(MINUTE));
        let [good] = permits(&breaker);
        let reader = breaker.clone();
        let (_, snapshots) = race.run(
            || good.success(),
            move || [reader.snapshot(), reader.snapshot()],
        );
        let [first, second] = snapshots.map(|snapshot| {
            let recorded = snapshot.rules[0].recorded;
            // A snapshot is consistent: its totals match its windows.
            assert_eq!(snapshot.totals.success, Some(recorded.into()));
            recorded
        });
        assert!(1 <= first && first <= second && second <= 2);
        assert_eq!(window_counts(&breaker), (2, 0));
    });
}

#[test]
fn failure_counts_successes_of_new_stripes() {
    explore("buffer, two successes and a failure", |race| {
        let breaker = with_rule(TripRule::failures(3).over(MINUTE));
        let [one, other, bad] = permits(&breaker);
        let both = || {
            other.success();
            bad.failure();
        };
        race.run(|| one.success(), both);
        assert_eq!(window_counts(&breaker), (4, 1));
        for permit in permits::<3>(&breaker) {
            permit.success();
        }
        fail(&breaker);
        assert_eq!(window_counts(&breaker), (8, 2));
        assert_eq!(totals(&breaker).success, Some(6));
    });
}

#[test]
fn end_of_interval_keeps_success_in_its_bucket() {
    explore("buffer, end of interval", |race| {
        let clock = ManualClock::new();
        let rule = TripRule::failures(3).over(MINUTE.buckets(2));
        let breaker = build(
            settings_with_threshold(5)
                .trip_rules([rule])
                .clock(clock.clone()),
        );
        breaker
            .try_acquire()
            .expect("the circuit is closed")
            .success();
        let [one, other] = permits(&breaker);
        clock.advance(Duration::from_secs(59));
        race.run(|| one.success(), || other.success());
        assert_eq!(window_counts(&breaker), (3, 0));
        clock.advance(SECOND);
        // Only the first success has expired. The racing successes are in the new interval.
        assert_eq!(window_counts(&breaker), (2, 0));
    });
}

#[test]
fn failure_in_full_window_keeps_concurrent_success() {
    explore("buffer, full count window", |race| {
        let calls = TripRule::failures(2).over(Window::calls(2));
        let minute = TripRule::failures(4).over(MINUTE);
        let breaker = build(settings_with_threshold(5).trip_rules([calls, minute]));
        // One success more than the count window holds.
        for permit in permits::<3>(&breaker) {
            permit.success();
        }
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(window_counts(&breaker), (2, 1));
        let minute = breaker.snapshot().rules[1];
        assert_eq!((minute.recorded, minute.failed), (5, 1));
        // In either order, two more successes displace the failure.
        for permit in permits::<2>(&breaker) {
            permit.success();
        }
        assert_eq!(window_counts(&breaker), (2, 0));
    });
}

#[test]
fn failure_after_interval_keeps_success_in_its_bucket() {
    explore("buffer, end of interval, success and failure", |race| {
        let clock = ManualClock::new();
        let rule = TripRule::failures(3).over(MINUTE.buckets(2));
        let breaker = build(
            settings_with_threshold(5)
                .trip_rules([rule])
                .clock(clock.clone()),
        );
        breaker
            .try_acquire()
            .expect("the circuit is closed")
            .success();
        let [before, good, bad] = permits(&breaker);
        before.success();
        clock.advance(Duration::from_secs(59));
        race.run(|| good.success(), || bad.failure());
        assert_eq!(window_counts(&breaker), (4, 1));
        clock.advance(SECOND);
        // Only the two successes before the end of the interval have expired.
        assert_eq!(window_counts(&breaker), (2, 1));
    });
}
