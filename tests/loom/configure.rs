//! New settings while calls end and states change: no call is lost, and the next call uses them.

use super::*;

fn configure(breaker: &CircuitBreaker, change: fn(BreakerBuilder) -> BreakerBuilder) {
    breaker.configure(change).expect("valid settings");
}

#[test]
fn failure_is_counted_during_configure() {
    explore("configure against a failure", |race| {
        let breaker = build(settings_with_threshold(5));
        let [permit] = permits(&breaker);
        let configured = breaker.clone();
        race.run(
            || permit.failure(),
            move || configure(&configured, |settings| settings.failure_threshold(2)),
        );
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::Closed, 1)
        );
        assert_eq!(totals(&breaker).failure, 1);
        fail(&breaker);
        assert_eq!(breaker.state(), State::Open);
    });
}

#[test]
fn raised_threshold_prevents_trip_or_is_late() {
    explore("configure against the last failure", |race| {
        let breaker = build(settings_with_threshold(1));
        let [permit] = permits(&breaker);
        let configured = breaker.clone();
        race.run(
            || permit.failure(),
            move || configure(&configured, |settings| settings.failure_threshold(2)),
        );
        assert_eq!(breaker.failure_count(), 1);
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (1, 0));
    });
}

/// In either order, the packed state ends with the flags of the new settings.
fn assert_next_call_uses_new_settings(model: &str, act: fn(&CircuitBreaker)) {
    explore(model, move |race| {
        let clock = ManualClock::new();
        let settings = settings_with_threshold(2)
            .count_successes(false)
            .clock(clock.clone());
        let breaker = build(settings);
        let (configured, other) = (breaker.clone(), breaker.clone());
        race.run(
            move || {
                configure(&configured, |settings| {
                    settings.count_successes(true).cancelled_after(SECOND)
                });
            },
            move || act(&other),
        );
        assert_eq!(breaker.state(), State::Closed);
        let before = totals(&breaker);
        let [good, dropped] = permits(&breaker);
        good.success();
        clock.advance(SECOND);
        drop(dropped);
        let after = totals(&breaker);
        assert_eq!(after.success, before.success.map(|calls| calls + 1));
        assert_eq!(
            after.failure,
            before.failure + 1,
            "the dropped call was measured"
        );
    });
}

#[test]
fn configure_against_reset_affects_next_call() {
    assert_next_call_uses_new_settings("configure against reset", CircuitBreaker::reset);
}

#[test]
fn configure_against_closing_trial_affects_next_call() {
    assert_next_call_uses_new_settings("configure against a closing trial", |breaker| {
        breaker.half_open();
        breaker.try_acquire().expect("a free slot").success();
    });
}
