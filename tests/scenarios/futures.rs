//! Guarded futures: admission at the first poll, drops, timeouts and panics.

use crate::support::{Fault, RECOVERY, SECOND, TestBreaker, expect_ready, ms, poll};
use breakerbox::{BreakerError, BreakerExt, CircuitBreaker, State};
use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use tokio::time::timeout;

type CallResult = Result<(), Fault>;

#[test]
fn e1_half_open_circuit_polls_only_its_trials() {
    for trials in [1, 7] {
        let breaker = TestBreaker::half_open(|b| b.half_open_calls(trials));
        let polled = Cell::new(0);
        let call = || {
            let dependency = poll_fn(|_| {
                polled.set(polled.get() + 1);
                Poll::<CallResult>::Pending
            });
            Box::pin(dependency.guarded_by(&*breaker))
        };
        // Every call lives until the end of the test, so no slot becomes free.
        let mut calls: Vec<_> = (0..50).map(|_| call()).collect();
        let refused = calls
            .iter_mut()
            .filter_map(|call| match poll(call.as_mut()) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            });
        let refused: Vec<_> = refused.collect();
        assert_eq!(polled.get(), trials);
        assert_eq!(refused.len(), 50 - trials as usize);
        assert!(
            refused
                .iter()
                .all(|result| matches!(result, Err(BreakerError::Open(_))))
        );
    }
}

#[test]
fn e2_unpolled_future_takes_no_slot() {
    let breaker = TestBreaker::half_open(|b| b);
    let waiting = pending::<CallResult>().guarded_by(&*breaker);
    let trial = breaker.acquire();
    drop(waiting);
    breaker.expect_refusal();
    trial.success();
    let totals = breaker.snapshot().totals;
    assert_eq!((breaker.state(), totals.cancelled), (State::Closed, 0));
}

#[test]
fn p21_dropped_trial_future_frees_its_slot() {
    let breaker = TestBreaker::half_open(|b| b);
    let mut trial = Box::pin(pending::<CallResult>().guarded_by(&*breaker));
    assert!(poll(trial.as_mut()).is_pending());
    breaker.expect_refusal();
    drop(trial);
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (State::HalfOpen, 0)
    );
    breaker.acquire().success();
}

/// Panics inside a future and inside a function. Each closure returns the panic message.
const PANICS: [fn(&CircuitBreaker) -> &'static str; 2] = [
    |breaker| {
        let dependency = async || -> CallResult { panic!("in a future") };
        panic_message(|| drop(expect_ready(dependency().guarded_by(breaker))))
    },
    |breaker| panic_message(|| drop(breaker.call(|| -> CallResult { panic!("in a function") }))),
];

fn panic_message(panics: impl FnOnce()) -> &'static str {
    let payload = catch_unwind(AssertUnwindSafe(panics)).expect_err("the panic propagates");
    payload
        .downcast_ref::<&'static str>()
        .expect("the payload is unchanged")
}

#[test]
fn e3_panic_is_a_failure_and_propagates() {
    for (panics, message) in PANICS.into_iter().zip(["in a future", "in a function"]) {
        let breaker = TestBreaker::new(|b| b.failure_threshold(2));
        assert_eq!(panics(&breaker), message);
        assert_eq!(
            (breaker.state(), breaker.failure_count()),
            (State::Closed, 1)
        );
        panics(&breaker);
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.snapshot().totals.failure, 2);
    }
}

#[test]
fn e3_panicked_trial_reopens_circuit() {
    for panics in PANICS {
        let breaker = TestBreaker::half_open(|b| b);
        panics(&breaker);
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.open_remaining(), Some(RECOVERY));
    }
}

#[tokio::test(start_paused = true)]
async fn e4_outer_timeout_frees_trial_slot() {
    let breaker = TestBreaker::half_open(|b| b);
    let trial = pending::<CallResult>().guarded_by(&*breaker);
    timeout(SECOND, trial)
        .await
        .expect_err("the dependency hangs");
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.acquire().success();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn e5_guard_timeout_is_a_failure() {
    let breaker = TestBreaker::new(|b| b.failure_threshold(3));
    for count in 1..=3 {
        let begun = tokio::time::Instant::now();
        let call = pending::<CallResult>()
            .guarded_by(&*breaker)
            .timeout(SECOND);
        let error = call.await.expect_err("the dependency hangs");
        assert!(error.is_timed_out(), "{error:?}");
        assert_eq!(begun.elapsed(), SECOND);
        assert_eq!(breaker.failure_count(), count);
    }
    assert_eq!(breaker.state(), State::Open);
    let error = pending::<CallResult>()
        .guarded_by(&*breaker)
        .timeout(SECOND)
        .await;
    assert!(error.expect_err("the circuit is open").is_open());
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.timed_out, totals.refused),
        (3, 3, 1)
    );
}

#[test]
fn e7_drop_after_cancelled_after_is_a_failure() {
    let breaker = TestBreaker::new(|b| b.cancelled_after(SECOND).failure_threshold(2));
    let dropped_after = |time| {
        let mut call = pin!(Some(pending::<CallResult>().guarded_by(&*breaker)));
        assert!(poll(call.as_mut().as_pin_mut().expect("a call")).is_pending());
        breaker.clock.advance(time);
        call.set(None);
    };
    (0..2).for_each(|_| dropped_after(ms(900)));
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (State::Closed, 0)
    );
    dropped_after(SECOND);
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (State::Closed, 1)
    );
    dropped_after(SECOND);
    assert_eq!(breaker.state(), State::Open);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.cancelled, totals.failure), (2, 2));
}
