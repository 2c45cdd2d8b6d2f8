//! Windows of calls, whose successes enter the buffer while there are failures among them.

use super::*;

fn watched_by(rule: TripRule) -> CircuitBreaker {
    build(quick(5).trip_rules([rule]))
}

fn figures(breaker: &CircuitBreaker) -> (u32, u32) {
    let rule = breaker.snapshot().rules[0];
    (rule.recorded, rule.failed)
}

fn succeed(breaker: &CircuitBreaker, times: usize) {
    for _ in 0..times {
        breaker.try_acquire().expect("a closed circuit").success();
    }
}

/// A success may find the window sated and leave it alone, while a failure makes it matter again.
#[test]
fn a_failure_counts_in_a_window_that_was_full_of_successes() {
    explore("sated window", |race| {
        let breaker = watched_by(TripRule::failures(2).over(Window::calls(2)));
        // The first opens the buffer, two fill it, and the last finds that the window has enough.
        succeed(&breaker, 4);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(figures(&breaker), (2, 1));
        // What comes next is recorded, whichever of them was the last.
        succeed(&breaker, 2);
        assert_eq!(figures(&breaker), (2, 0));
        assert_eq!(totals(&breaker).success, Some(7));
    });
}

#[test]
fn a_failure_counts_in_a_window_that_a_success_finds_full() {
    explore("window that becomes sated", |race| {
        let breaker = watched_by(TripRule::failures(2).over(Window::calls(2)));
        succeed(&breaker, 3);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(figures(&breaker), (2, 1));
        succeed(&breaker, 2);
        assert_eq!(figures(&breaker), (2, 0));
        assert_eq!(totals(&breaker).success, Some(6));
    });
}

#[test]
fn two_successes_for_the_last_room_in_a_cell_are_both_recorded() {
    explore("last room in a cell", |race| {
        let breaker = watched_by(TripRule::failures(2).over(Window::calls(2)));
        succeed(&breaker, 2);
        let [one, other] = permits(&breaker);
        race.run(|| one.success(), || other.success());
        fail(&breaker);
        assert_eq!(figures(&breaker), (2, 1));
        assert_eq!(totals(&breaker).success, Some(4));
    });
}

/// The failure does not trip if the success came before it; if it trips, the success is late.
#[test]
fn a_success_comes_before_a_failure_and_saves_the_circuit_or_is_late() {
    explore("success against a failure that would trip", |race| {
        let rule = TripRule::failure_rate(0.5).minimum_calls(2);
        let breaker = watched_by(rule.over(Window::calls(4)));
        succeed(&breaker, 1);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        let totals = totals(&breaker);
        let seen = (breaker.state(), figures(&breaker), totals.success);
        match seen {
            (State::Open, (0, 0), Some(1)) => assert_eq!(totals.late, 1),
            (State::Closed, (3, 1), Some(2)) => {
                assert_eq!(totals.late, 0);
                // The failure came last, and leaves the window after both successes.
                succeed(&breaker, 3);
                assert_eq!(figures(&breaker), (4, 1));
                succeed(&breaker, 1);
                assert_eq!(figures(&breaker), (4, 0));
            }
            _ => panic!("{seen:?} is the outcome of no order"),
        }
    });
}

/// A buffered success leaves the count in the word alone.
fn a_success_ends_a_row_or_is_late(model: &str, text: bool) {
    explore(model, move |race| {
        let rules = [
            TripRule::failures(4).over(Window::calls(4)),
            TripRule::consecutive_failures(2),
        ];
        let breaker = build(quick(2).trip_rules(rules).capture_last_failure(text));
        succeed(&breaker, 1);
        fail(&breaker);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        let totals = totals(&breaker);
        let seen = (breaker.state(), breaker.failure_count(), totals.success);
        match seen {
            (State::Open, 2, Some(1)) => assert_eq!(totals.late, 1),
            (State::Closed, 1, Some(2)) => {
                assert_eq!(figures(&breaker), (4, 2));
                fail(&breaker);
                assert_eq!(breaker.state(), State::Open);
            }
            _ => panic!("{seen:?} is the outcome of no order"),
        }
    });
}

#[test]
fn buffered_success_resets_failures_or_is_late() {
    a_success_ends_a_row_or_is_late("success against the last failure, window", false);
}

#[test]
fn buffered_success_resets_failures_or_is_late_with_texts() {
    a_success_ends_a_row_or_is_late("success against the last failure, window, texts", true);
}

/// Count and window tell the same order.
#[test]
fn the_row_of_failures_and_the_window_agree_on_what_came_last() {
    explore("row and window", |race| {
        let breaker = watched_by(TripRule::failures(3).over(Window::calls(3)));
        succeed(&breaker, 1);
        fail(&breaker);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        let in_a_row = breaker.failure_count();
        assert_eq!(figures(&breaker), (3, 2));
        succeed(&breaker, 2);
        assert_eq!(figures(&breaker), (3, in_a_row));
        assert_eq!(breaker.failure_count(), 0);
    });
}

#[test]
fn a_row_that_was_seen_to_end_has_ended() {
    explore("row, seen while it ends", |race| {
        let breaker = watched_by(TripRule::failures(4).over(Window::calls(4)));
        succeed(&breaker, 1);
        fail(&breaker);
        let [good] = permits(&breaker);
        let seen = breaker.clone();
        let (_, (first, second)) = race.run(
            || good.success(),
            move || (seen.failure_count(), seen.snapshot().failure_count),
        );
        assert!(second <= first, "{first}, then {second}");
        assert_eq!(breaker.failure_count(), 0);
        fail(&breaker);
        assert_eq!((breaker.failure_count(), figures(&breaker)), (1, (4, 2)));
    });
}

#[test]
fn the_last_two_failures_trip_a_count_window_once() {
    explore("count window", |race| {
        let breaker = watched_by(TripRule::failures(2).over(Window::calls(3)));
        let [one, other] = permits(&breaker);
        race.run(|| one.failure(), || other.failure());
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(totals(&breaker).failure, 2);
    });
}

#[test]
fn a_time_window_loses_nothing() {
    explore("time window", |race| {
        let minute = Window::time(Duration::from_secs(60));
        let breaker = watched_by(TripRule::failures(3).over(minute));
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(figures(&breaker), (2, 1));
    });
}

#[test]
fn a_window_is_empty_after_a_reset_or_holds_what_came_after_it() {
    explore("window against reset", |race| {
        let breaker = watched_by(TripRule::failures(3).over(Window::calls(3)));
        let [bad] = permits(&breaker);
        let steered = breaker.clone();
        race.run(|| bad.failure(), move || steered.reset());
        let totals = totals(&breaker);
        assert_eq!(totals.failure + totals.late, 1);
        assert_eq!(figures(&breaker), (0, 0));
    });
}
