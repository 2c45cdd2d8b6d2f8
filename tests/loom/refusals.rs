//! Refusals during transitions: `retry_after` matches a deadline that was set, and the refusing state.

use super::*;

fn assert_retry_after(
    model: &str,
    prepare: fn() -> CircuitBreaker,
    act: fn(&CircuitBreaker),
    seconds: &'static [u64],
) {
    explore(model, move |race| {
        let breaker = prepare();
        let commanded = breaker.clone();
        let (result, ()) = race.run(move || breaker.try_acquire(), move || act(&commanded));
        if let Err(refused) = result {
            assert_eq!(refused.reason(), Refusal::Open);
            let remaining = refused
                .retry_after()
                .expect("the circuit has a deadline")
                .as_secs();
            assert!(seconds.contains(&remaining), "{remaining} s");
        }
    });
}

fn closed() -> CircuitBreaker {
    build(settings_with_threshold(1))
}

fn open() -> CircuitBreaker {
    let breaker = closed();
    breaker.trip();
    breaker
}

#[test]
fn refusal_against_trip_shows_its_deadline() {
    assert_retry_after("refusal against trip", closed, CircuitBreaker::trip, &[10]);
}

#[test]
fn refusal_against_trip_for_shows_one_deadline() {
    let act = |breaker: &CircuitBreaker| breaker.trip_for(90 * SECOND);
    assert_retry_after("refusal against trip_for", open, act, &[10, 90]);
}

#[test]
fn refusal_against_reset_and_trip_shows_one_deadline() {
    let act = |breaker: &CircuitBreaker| {
        breaker.reset();
        breaker.trip_for(90 * SECOND);
    };
    assert_retry_after("refusal against reset and trip_for", open, act, &[10, 90]);
}

#[test]
fn refusal_against_failing_trial_is_consistent() {
    explore("refusal against a failing trial", |race| {
        let (breaker, _) = recovering(settings_with_threshold(1));
        let trial = breaker.try_acquire().expect("a free slot");
        let (result, ()) = race.run(move || breaker.try_acquire(), || trial.failure());
        let refused = result.expect_err("the trial holds the only slot until the circuit reopens");
        match refused.reason() {
            Refusal::Open => {
                assert_eq!(refused.retry_after(), Some(RECOVERY));
                assert_eq!(refused.failure_count(), 1);
            }
            _ => assert_eq!(refused.retry_after(), Some(LEASE)),
        }
    });
}

#[test]
fn open_remaining_against_trip_shows_its_deadline() {
    explore("open_remaining against trip", |race| {
        let breaker = closed();
        let tripped = breaker.clone();
        let (remaining, ()) = race.run(move || breaker.open_remaining(), move || tripped.trip());
        assert!(
            remaining.is_none() || remaining == Some(RECOVERY),
            "{remaining:?}"
        );
    });
}
