//! Consecutive failures at the threshold: the circuit opens exactly once.

use super::*;

fn assert_two_failures_trip_once(model: &str, settings: fn() -> BreakerBuilder) {
    explore(model, move |race| {
        let breaker = build(settings());
        let [one, other] = permits(&breaker);
        race.run(|| one.failure(), || other.failure());
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.failure_count(), 2);
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (2, 0));
    });
}

#[test]
fn two_failures_trip_once_without_texts() {
    assert_two_failures_trip_once("two failures, no texts", || settings_with_threshold(2));
}

#[test]
fn two_failures_trip_once_with_texts() {
    assert_two_failures_trip_once("two failures, texts", || {
        settings_with_threshold(2).capture_last_failure(true)
    });
}

#[test]
fn second_failure_past_threshold_is_late() {
    explore("two failures at the threshold, with a listener", |race| {
        let changes = TransitionLog::default();
        let breaker = build(changes.observe(settings_with_threshold(2)));
        fail(&breaker);
        let [one, other] = permits(&breaker);
        race.run(|| one.failure(), || other.failure());
        assert_eq!(breaker.failure_count(), 2);
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (2, 1));
        assert_eq!(changes.all(&breaker), [(State::Closed, State::Open)]);
    });
}

fn assert_success_resets_or_is_late(model: &str, settings: fn() -> BreakerBuilder) {
    explore(model, move |race| {
        let breaker = build(settings());
        fail(&breaker);
        let [good, bad] = permits(&breaker);
        race.run(|| good.success(), || bad.failure());
        let totals = totals(&breaker);
        let seen = (
            breaker.state(),
            breaker.failure_count(),
            totals.success,
            totals.late,
        );
        match seen {
            // The failure was first, or the success was first.
            (State::Open, 2, Some(0), 1) | (State::Closed, 1, Some(1), 0) => {}
            _ => panic!("no order of the two calls results in {seen:?}"),
        }
        assert_eq!(totals.failure, 2);
    });
}

#[test]
fn success_resets_failures_or_is_late() {
    assert_success_resets_or_is_late("success against the last failure, no texts", || {
        settings_with_threshold(2)
    });
}

#[test]
fn success_resets_failures_or_is_late_with_texts() {
    assert_success_resets_or_is_late("success against the last failure, texts", || {
        settings_with_threshold(2).capture_last_failure(true)
    });
}

#[test]
fn three_failures_trip_after_cancelled_call() {
    explore("three failures after a dropped call, no texts", |race| {
        let breaker = build(settings_with_threshold(3));
        let [dropped, one, two, three] = permits(&breaker);
        drop(dropped);
        race.run(
            || one.failure(),
            || {
                two.failure();
                three.failure();
            },
        );
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.failure_count(), 3);
    });
}
