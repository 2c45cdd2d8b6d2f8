//! New settings against everything else: nothing is lost, and the next call goes by them.

use super::*;

fn configured(breaker: &CircuitBreaker, change: fn(BreakerBuilder) -> BreakerBuilder) {
    breaker.configure(change).expect("settings that work");
}

#[test]
fn a_failure_is_counted_whatever_the_settings() {
    explore("configure against a failure", |race| {
        let breaker = build(quick(5));
        let [permit] = permits(&breaker);
        let steered = breaker.clone();
        race.run(
            || permit.failure(),
            move || configured(&steered, |settings| settings.failure_threshold(2)),
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
fn a_raised_threshold_holds_a_failure_or_comes_too_late() {
    explore("configure against the last failure", |race| {
        let breaker = build(quick(1));
        let [permit] = permits(&breaker);
        let steered = breaker.clone();
        race.run(
            || permit.failure(),
            move || configured(&steered, |settings| settings.failure_threshold(2)),
        );
        assert_eq!(breaker.failure_count(), 1);
        let totals = totals(&breaker);
        assert_eq!((totals.failure, totals.late), (1, 0));
    });
}

/// The flags of the word are those of the new settings, whichever came first.
fn the_next_call_goes_by_the_new_settings(model: &str, act: fn(&CircuitBreaker)) {
    explore(model, move |race| {
        let clock = ManualClock::new();
        let settings = quick(2).count_successes(false).clock(clock.clone());
        let breaker = build(settings);
        let (steered, acted) = (breaker.clone(), breaker.clone());
        race.run(
            move || {
                configured(&steered, |settings| {
                    settings.count_successes(true).cancelled_after(SECOND)
                });
            },
            move || act(&acted),
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
            "the dropped call was timed"
        );
    });
}

#[test]
fn against_reset() {
    the_next_call_goes_by_the_new_settings("configure against reset", CircuitBreaker::reset);
}

#[test]
fn against_a_closing_trial() {
    the_next_call_goes_by_the_new_settings("configure against a closing trial", |breaker| {
        breaker.half_open();
        breaker.try_acquire().expect("the trial").success();
    });
}
