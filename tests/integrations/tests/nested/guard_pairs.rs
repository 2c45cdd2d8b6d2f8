//! Tests every pair of an outer and an inner guard.

use crate::support::{Answer, BoxError, GUARDS, Guard, INNER_ONLY, decorated};
use breakerbox::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Serializes the tests, because the decorated functions share one breaker.
static SERIAL: Mutex<()> = Mutex::new(());

/// Runs a pair of guards, after `prepare` has set the state of the circuit.
fn run(
    outer: Guard,
    inner: Guard,
    answer: fn() -> Answer,
    prepare: fn(&CircuitBreaker),
) -> (CircuitBreaker, Answer) {
    let breaker = decorated();
    breaker.reset();
    prepare(&breaker);
    let same = breaker.clone();
    let result = outer(&breaker, Box::new(move || inner(&same, Box::new(answer))));
    (breaker, result)
}

fn for_each_pair(check: impl Fn(&str, Guard, Guard)) {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    // The guards with a timeout need a timer.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    for (outer_name, outer) in GUARDS {
        for (inner_name, inner) in GUARDS.iter().chain(INNER_ONLY) {
            check(&format!("{inner_name} inside {outer_name}"), *outer, *inner);
        }
    }
}

#[test]
fn successful_trial_with_nested_call_closes() {
    for_each_pair(|pair, outer, inner| {
        let before = decorated().snapshot().totals;
        let (breaker, answer) = run(outer, inner, || Ok(7), CircuitBreaker::half_open);
        assert_eq!(answer.expect(pair), 7);
        assert_eq!(breaker.state(), State::Closed, "{pair}");
        let after = breaker.snapshot().totals;
        let counted = |totals: breakerbox::Totals| totals.success.unwrap_or_default();
        assert_eq!(counted(after) - counted(before), 1, "{pair}");
        assert_eq!(after.refused, before.refused, "{pair}");
        assert_eq!(after.cancelled, before.cancelled, "{pair}");
    });
}

#[test]
fn failing_trial_with_nested_call_reopens() {
    for_each_pair(|pair, outer, inner| {
        let before = decorated().snapshot().totals;
        let fail = || Err::<u32, BoxError>("down".into());
        let (breaker, answer) = run(outer, inner, fail, CircuitBreaker::half_open);
        assert_eq!(answer.unwrap_err().to_string(), "down", "{pair}");
        assert_eq!(breaker.state(), State::Open, "{pair}");
        let after = breaker.snapshot().totals;
        assert_eq!(after.failure - before.failure, 1, "{pair}");
        assert_eq!(after.refused, before.refused, "{pair}");
        assert_eq!(breaker.failure_count(), 1, "{pair}");
    });
}

#[test]
fn open_circuit_refuses_outer_guard() {
    for_each_pair(|pair, outer, inner| {
        if pair.contains("until_ready") {
            return; // `until_ready` waits while the circuit is open
        }
        let untouched = || unreachable!("a refused call touched guarded code");
        let (_, answer) = run(outer, inner, untouched, CircuitBreaker::trip);
        assert!(answer.is_err(), "{pair}");
    });
}

#[test]
fn closed_circuit_counts_each_guard() {
    for_each_pair(|pair, outer, inner| {
        if pair.contains("recursion") || pair.contains("two layers") || pair.contains("dropped") {
            return; // these pairs do not record exactly two successes
        }
        let before = decorated().snapshot().totals;
        let (breaker, answer) = run(outer, inner, || Ok(7), |_| ());
        assert_eq!(answer.expect(pair), 7);
        let after = breaker.snapshot().totals;
        assert_eq!(
            after.success.zip(before.success).map(|(a, b)| a - b),
            Some(2),
            "{pair}"
        );
    });
}
