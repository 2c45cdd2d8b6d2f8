//! What becomes of futures: admitted at their first poll, dropped, hung, panicking.

use crate::support::{Bench, Fault, RECOVERY, SECOND, ms, now, poll};
use breakerbox::{BreakerError, BreakerExt, CircuitBreaker, State};
use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use tokio::time::timeout;

type Hung = Result<(), Fault>;

#[test]
fn e1_only_as_many_futures_are_polled_as_there_are_trials() {
    for trials in [1, 7] {
        let bench = Bench::half_open(|b| b.half_open_calls(trials));
        let polled = Cell::new(0);
        let call = || {
            let dependency = poll_fn(|_| {
                polled.set(polled.get() + 1);
                Poll::<Hung>::Pending
            });
            Box::pin(dependency.guarded_by(&*bench))
        };
        // All of them stay until the end, so that no slot becomes free.
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
fn e2_a_future_that_is_never_polled_takes_no_slot() {
    let bench = Bench::half_open(|b| b);
    let waiting = pending::<Hung>().guarded_by(&*bench);
    let trial = bench.begin();
    drop(waiting);
    bench.refusal();
    trial.success();
    let totals = bench.snapshot().totals;
    assert_eq!((bench.state(), totals.cancelled), (State::Closed, 0));
}

#[test]
fn p21_a_trial_whose_future_is_dropped_gives_its_slot_back() {
    let bench = Bench::half_open(|b| b);
    let mut trial = Box::pin(pending::<Hung>().guarded_by(&*bench));
    assert!(poll(trial.as_mut()).is_pending());
    bench.refusal();
    drop(trial);
    assert_eq!((bench.state(), bench.failure_count()), (State::HalfOpen, 0));
    bench.begin().success();
}

/// Two ways to panic: inside a future, and inside a function. Each gives back what it panicked with.
const PANICS: [fn(&CircuitBreaker) -> &'static str; 2] = [
    |breaker| {
        let dependency = async || -> Hung { panic!("in a future") };
        message(|| drop(now(dependency().guarded_by(breaker))))
    },
    |breaker| message(|| drop(breaker.call(|| -> Hung { panic!("in a function") }))),
];

fn message(panics: impl FnOnce()) -> &'static str {
    let payload = catch_unwind(AssertUnwindSafe(panics)).expect_err("the panic propagates");
    payload
        .downcast_ref::<&'static str>()
        .expect("the payload is unchanged")
}

#[test]
fn e3_a_panic_is_a_failure_and_propagates() {
    for (panics, message) in PANICS.into_iter().zip(["in a future", "in a function"]) {
        let bench = Bench::new(|b| b.failure_threshold(2));
        assert_eq!(panics(&bench), message);
        assert_eq!((bench.state(), bench.failure_count()), (State::Closed, 1));
        panics(&bench);
        assert_eq!(bench.state(), State::Open);
        assert_eq!(bench.snapshot().totals.failure, 2);
    }
}

#[test]
fn e3_a_trial_that_panics_reopens_the_circuit() {
    for panics in PANICS {
        let bench = Bench::half_open(|b| b);
        panics(&bench);
        assert_eq!(bench.state(), State::Open);
        assert_eq!(bench.open_remaining(), Some(RECOVERY));
    }
}

#[tokio::test(start_paused = true)]
async fn e4_a_timeout_outside_the_breaker_frees_the_slot_at_once() {
    let bench = Bench::half_open(|b| b);
    let trial = pending::<Hung>().guarded_by(&*bench);
    timeout(SECOND, trial)
        .await
        .expect_err("the dependency hangs");
    assert_eq!(bench.state(), State::HalfOpen);
    bench.begin().success();
    assert_eq!(bench.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn e5_a_timeout_of_the_guard_is_a_failure() {
    let bench = Bench::new(|b| b.failure_threshold(3));
    for count in 1..=3 {
        let begun = tokio::time::Instant::now();
        let call = pending::<Hung>().guarded_by(&*bench).timeout(SECOND);
        let error = call.await.expect_err("the dependency hangs");
        assert!(error.is_timed_out(), "{error:?}");
        assert_eq!(begun.elapsed(), SECOND);
        assert_eq!(bench.failure_count(), count);
    }
    assert_eq!(bench.state(), State::Open);
    let error = pending::<Hung>().guarded_by(&*bench).timeout(SECOND).await;
    assert!(error.expect_err("the circuit is open").is_open());
    let totals = bench.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.timed_out, totals.refused),
        (3, 3, 1)
    );
}

#[test]
fn e7_a_call_dropped_after_running_long_is_a_failure() {
    let bench = Bench::new(|b| b.cancelled_after(SECOND).failure_threshold(2));
    let dropped_after = |time| {
        let mut call = pin!(Some(pending::<Hung>().guarded_by(&*bench)));
        assert!(poll(call.as_mut().as_pin_mut().expect("a call")).is_pending());
        bench.clock.advance(time);
        call.set(None);
    };
    (0..2).for_each(|_| dropped_after(ms(900)));
    assert_eq!((bench.state(), bench.failure_count()), (State::Closed, 0));
    dropped_after(SECOND);
    assert_eq!((bench.state(), bench.failure_count()), (State::Closed, 1));
    dropped_after(SECOND);
    assert_eq!(bench.state(), State::Open);
    let totals = bench.snapshot().totals;
    assert_eq!((totals.cancelled, totals.failure), (2, 2));
}
