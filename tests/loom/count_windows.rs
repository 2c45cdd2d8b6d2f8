//! Count windows, whose successes enter the success buffer, and one model of a time window.

use super::*;

fn with_rule(rule: TripRule) -> CircuitBreaker {
    build(settings_with_threshold(5).trip_rules([rule]))
}

fn window_counts(breaker: &CircuitBreaker) -> (u32, u32) {
    let rule = breaker.snapshot().rules[0];
    (rule.recorded, rule.failed)
}

fn succeed(breaker: &CircuitBreaker, times: usize) {
    for _ in 0..times {
        breaker
            .try_acquire()
            .expect("the circuit is closed")
            .success();
    }
}

/// A success need not enter a saturated window. A racing failure ends the saturation.
#[test]
fn failure_counts_in_saturated_window() {
    explore("saturated window", |race| {
        let breaker = with_rule(TripRule::failures(2).over(Window::calls(2)));
        // The first success opens the buffer, two fill it, and the last finds the window saturated.
        succeed(&breaker, 4);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(window_counts(&breaker), (2, 1));
        // In either order, the next successes are recorded.
        succeed(&breaker, 2);
        assert_eq!(window_counts(&breaker), (2, 0));
        assert_eq!(totals(&breaker).success, Some(7));
    });
}

#[test]
fn failure_counts_in_window_being_saturated() {
    explore("window that becomes saturated", |race| {
        let breaker = with_rule(TripRule::failures(2).over(Window::calls(2)));
        succeed(&breaker, 3);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(window_counts(&breaker), (2, 1));
        succeed(&breaker, 2);
        assert_eq!(window_counts(&breaker), (2, 0));
        assert_eq!(totals(&breaker).success, Some(6));
    });
}

#[test]
fn two_successes_for_last_buffer_place_are_recorded() {
    explore("last place in a cell", |race| {
        let breaker = with_rule(TripRule::failures(2).over(Window::calls(2)));
        succeed(&breaker, 2);
        let [one, other] = permits(&breaker);
        race.run(|| one.success(), || other.success());
        fail(&breaker);
        assert_eq!(window_counts(&breaker), (2, 1));
        assert_eq!(totals(&breaker).success, Some(4));
    });
}

/// If the success is first, the failure does not trip. If the failure trips, the success is late.
#[test]
fn success_prevents_trip_or_is_late() {
    explore("success against a failure that would trip", |race| {
        let rule = TripRule::failure_rate(0.5).minimum_calls(2);
        let breaker = with_rule(rule.over(Window::calls(4)));
        succeed(&breaker, 1);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        let totals = totals(&breaker);
        let seen = (breaker.state(), window_counts(&breaker), totals.success);
        match seen {
            (State::Open, (0, 0), Some(1)) => assert_eq!(totals.late, 1),
            (State::Closed, (3, 1), Some(2)) => {
                assert_eq!(totals.late, 0);
                // The failure was recorded last, so it is displaced after both successes.
                succeed(&breaker, 3);
                assert_eq!(window_counts(&breaker), (4, 1));
                succeed(&breaker, 1);
                assert_eq!(window_counts(&breaker), (4, 0));
            }
            _ => panic!("no order of the two calls results in {seen:?}"),
        }
    });
}

/// A buffered success does not reset the failure count in the packed state.
fn assert_success_resets_or_is_late(model: &str, capture_text: bool) {
    explore(model, move |race| {
        let rules = [
            TripRule::failures(4).over(Window::calls(4)),
            TripRule::consecutive_failures(2),
        ];
        let breaker = build(
            settings_with_threshold(2)
                .trip_rules(rules)
                .capture_last_failure(capture_text),
        );
        succeed(&breaker, 1);
        fail(&breaker);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        let totals = totals(&breaker);
        let seen = (breaker.state(), breaker.failure_count(), totals.success);
        match seen {
            (State::Open, 2, Some(1)) => assert_eq!(totals.late, 1),
            (State::Closed, 1, Some(2)) => {
                assert_eq!(window_counts(&breaker), (4, 2));
                fail(&breaker);
                assert_eq!(breaker.state(), State::Open);
            }
            _ => panic!("no order of the two calls results in {seen:?}"),
        }
    });
}

#[test]
fn buffered_success_resets_failures_or_is_late() {
    assert_success_resets_or_is_late("success against the last failure, window", false);
}

#[test]
fn buffered_success_resets_failures_or_is_late_with_texts() {
    assert_success_resets_or_is_late("success against the last failure, window, texts", true);
}

/// The failure count and the window agree on the order of the two calls.
#[test]
fn failure_count_and_window_agree_on_order() {
    explore("failure count and window", |race| {
        let breaker = with_rule(TripRule::failures(3).over(Window::calls(3)));
        succeed(&breaker, 1);
        fail(&breaker);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        let consecutive = breaker.failure_count();
        assert_eq!(window_counts(&breaker), (3, 2));
        succeed(&breaker, 2);
        assert_eq!(window_counts(&breaker), (3, consecutive));
        assert_eq!(breaker.failure_count(), 0);
    });
}

#[test]
fn failure_count_read_as_zero_stays_zero() {
    explore("failure count, read while it is reset", |race| {
        let breaker = with_rule(TripRule::failures(4).over(Window::calls(4)));
        succeed(&breaker, 1);
        fail(&breaker);
        let [good] = permits(&breaker);
        let reader = breaker.clone();
        let (_, (first, second)) = race.run(
            || good.success(),
            move || (reader.failure_count(), reader.snapshot().failure_count),
        );
        assert!(second <= first, "{first}, then {second}");
        assert_eq!(breaker.failure_count(), 0);
        fail(&breaker);
        assert_eq!(
            (breaker.failure_count(), window_counts(&breaker)),
            (1, (4, 2))
        );
    });
}

#[test]
fn last_two_failures_trip_count_window_once() {
    explore("count window", |race| {
        let breaker = with_rule(TripRule::failures(2).over(Window::calls(3)));
        let [one, other] = permits(&breaker);
        race.run(|| one.failure(), || other.failure());
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(totals(&breaker).failure, 2);
    });
}

#[test]
fn time_window_loses_no_outcome() {
    explore("time window", |race| {
        let minute = Window::time(Duration::from_secs(60));
        let breaker = with_rule(TripRule::failures(3).over(minute));
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        assert_eq!(window_counts(&breaker), (2, 1));
    });
}

#[test]
fn reset_against_failure_leaves_window_empty() {
    explore("window against reset", |race| {
        let breaker = with_rule(TripRule::failures(3).over(Window::calls(3)));
        let [bad] = permits(&breaker);
        let other = breaker.clone();
        race.run(|| bad.failure(), move || other.reset());
        let totals = totals(&breaker);
        assert_eq!(totals.failure + totals.late, 1);
        assert_eq!(window_counts(&breaker), (0, 0));
    });
}
