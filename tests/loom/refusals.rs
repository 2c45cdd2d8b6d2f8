//! `retry_after` belongs to a deadline that was set, and to the state that refused.

use super::*;

fn refusals(
    model: &str,
    prepare: fn() -> CircuitBreaker,
    act: fn(&CircuitBreaker),
    seconds: &'static [u64],
) {
    explore(model, move |race| {
        let breaker = prepare();
        let steered = breaker.clone();
        let (answer, ()) = race.run(move || breaker.try_acquire(), move || act(&steered));
        if let Err(refused) = answer {
            assert_eq!(refused.reason(), Refusal::Open);
            let left = refused.retry_after().expect("an end").as_secs();
            assert!(seconds.contains(&left), "{left} s");
        }
    });
}

fn closed() -> CircuitBreaker {
    build(quick(1))
}

fn open() -> CircuitBreaker {
    let breaker = closed();
    breaker.trip();
    breaker
}

#[test]
fn against_trip() {
    refusals("refusal against trip", closed, CircuitBreaker::trip, &[10]);
}

#[test]
fn against_trip_for() {
    let act = |breaker: &CircuitBreaker| breaker.trip_for(90 * SECOND);
    refusals("refusal against trip_for", open, act, &[10, 90]);
}

#[test]
fn against_reset_and_trip() {
    let act = |breaker: &CircuitBreaker| {
        breaker.reset();
        breaker.trip_for(90 * SECOND);
    };
    refusals("refusal against reset and trip_for", open, act, &[10, 90]);
}

#[test]
fn against_a_trial_that_fails() {
    explore("refusal against a failing trial", |race| {
        let (breaker, _) = recovering(quick(1));
        let trial = breaker.try_acquire().expect("the trial");
        let (mine, ()) = race.run(move || breaker.try_acquire(), || trial.failure());
        let refused = mine.expect_err("the trial has the only slot, until it reopens");
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
fn what_people_ask_agrees_with_what_was_set() {
    explore("open_remaining against trip", |race| {
        let breaker = closed();
        let tripped = breaker.clone();
        let (left, ()) = race.run(move || breaker.open_remaining(), move || tripped.trip());
        assert!(left.is_none() || left == Some(RECOVERY), "{left:?}");
    });
}
