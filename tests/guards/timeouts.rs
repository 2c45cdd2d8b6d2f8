//! Time limits, with the paused clock of tokio. It advances only while all tasks wait for timers.

use crate::support::{Fault, poll};
use breakerbox::Snapshot;
use breakerbox::prelude::*;
use futures_util::FutureExt as _;
use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

async fn complete_after(time: Duration) -> Result<u8, Fault> {
    sleep(time).await;
    Ok(7)
}

fn breaker(threshold: u32) -> CircuitBreaker {
    CircuitBreaker::builder()
        .name("users")
        .failure_threshold(threshold)
        .build()
        .expect("valid settings")
}

#[tokio::test(start_paused = true)]
async fn call_within_time_limit_succeeds() {
    let breaker = breaker(1);
    assert_eq!(
        complete_after(SECOND / 2)
            .guarded_by(&breaker)
            .timeout(SECOND)
            .await
            .ok(),
        Some(7)
    );
    assert_eq!(
        complete_after
            .guarded_by(&breaker)
            .timeout(SECOND)
            .call(SECOND / 2)
            .await
            .ok(),
        Some(7)
    );
    assert_eq!(breaker.snapshot().totals.timed_out, 0);
}

#[tokio::test(start_paused = true)]
async fn call_beyond_time_limit_is_a_failure() {
    let breaker = breaker(2);
    let guarded = complete_after.guarded_by(&breaker).timeout(SECOND);
    let begun = Instant::now();
    let error = guarded.call(2 * SECOND).await.expect_err("too long");
    assert_eq!(begun.elapsed(), SECOND);
    let BreakerError::TimedOut(timeout) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((timeout.name(), timeout.limit()), ("users", SECOND));
    assert!(error.is_timed_out() && !error.is_open() && error.inner().is_none());
    assert_eq!(breaker.failure_count(), 1);
    let next_call = guarded.call(SECOND / 2).await;
    assert_eq!((next_call.ok(), breaker.failure_count()), (Some(7), 0));
}

#[tokio::test(start_paused = true)]
async fn time_limit_starts_at_first_poll() {
    let breaker = breaker(1);
    let call = complete_after(SECOND / 2)
        .guarded_by(&breaker)
        .timeout(SECOND);
    sleep(5 * SECOND).await;
    assert_eq!(call.await.ok(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn fallback_does_not_answer_timed_out_calls() {
    let breaker = breaker(2);
    for _ in 0..2 {
        let call = pending::<Result<u8, Fault>>()
            .guarded_by(&breaker)
            .timeout(SECOND);
        let error = call
            .fallback(|_| async { Ok(8) })
            .await
            .expect_err("too long");
        assert!(error.is_timed_out());
    }
    let call = pending::<Result<u8, Fault>>()
        .guarded_by(&breaker)
        .timeout(SECOND);
    assert_eq!(call.fallback(|_| async { Ok(8) }).await.ok(), Some(8));
    let guarded = complete_after
        .guarded_by(&breaker)
        .fallback(async |_| Ok(9))
        .timeout(SECOND);
    assert_eq!(guarded.call(2 * SECOND).await.ok(), Some(9));
    breaker.reset();
    assert!(
        guarded
            .call(2 * SECOND)
            .await
            .expect_err("too long")
            .is_timed_out()
    );
}

#[tokio::test(start_paused = true)]
async fn fallback_has_no_time_limit() {
    let breaker = breaker(1);
    breaker.force_open();
    let call = pending::<Result<u8, Fault>>()
        .guarded_by(&breaker)
        .timeout(SECOND);
    assert_eq!(
        call.fallback(|_| complete_after(5 * SECOND)).await.ok(),
        Some(7)
    );
}

#[tokio::test(start_paused = true)]
async fn timeout_with_fallback_can_be_flattened() {
    let breaker = breaker(9);
    let hung = || {
        pending::<anyhow::Result<u8>>()
            .guarded_by(&breaker)
            .timeout(SECOND)
    };
    let timed_out = |error: anyhow::Error| {
        error
            .downcast_ref::<BreakerError>()
            .is_some_and(BreakerError::is_timed_out)
    };
    assert!(hung().flatten_err().await.is_err_and(timed_out));
    assert!(
        hung()
            .fallback(|_| async { Ok(8) })
            .flatten_err()
            .await
            .is_err_and(timed_out)
    );
    let guarded = (async || pending::<anyhow::Result<u8>>().await)
        .guarded_by(&breaker)
        .timeout(SECOND)
        .fallback(async || Ok(8))
        .flatten_err();
    assert!(guarded.call().await.is_err_and(timed_out));
    breaker.force_open();
    assert_eq!(guarded.call().await.ok(), Some(8));
}

/// Panics like `tokio::time::timeout`. The panic precedes admission, so no trial slot is lost.
#[test]
fn missing_runtime_panics_before_admission() {
    let breaker = breaker(1);
    breaker.half_open();
    let mut call = pin!(
        pending::<Result<u8, Fault>>()
            .guarded_by(&breaker)
            .timeout(SECOND)
    );
    catch_unwind(AssertUnwindSafe(|| drop(poll(call.as_mut())))).expect_err("no runtime");
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (State::HalfOpen, 0)
    );
    breaker.try_acquire().expect("the slot is free").success();
    assert_eq!(breaker.state(), State::Closed, "the call was a trial");
}

#[tokio::test(start_paused = true)]
async fn timeout_works_after_fallback() {
    let breaker = breaker(1);
    let call = || {
        let guarded = pending::<Result<u8, Fault>>().guarded_by(&breaker);
        let guarded = guarded.fallback(async |_| Ok(2));
        guarded.timeout(SECOND)
    };
    assert!(call().await.expect_err("the call hangs").is_timed_out());
    assert_eq!(call().await.expect("the fallback answers"), 2);
}

/// Never completes, and stores a snapshot of its breaker when it is dropped.
struct Observer<'a> {
    breaker: &'a CircuitBreaker,
    seen: &'a Cell<Option<Snapshot>>,
}

impl Future for Observer<'_> {
    type Output = Result<u8, Fault>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

impl Drop for Observer<'_> {
    fn drop(&mut self) {
        self.seen.set(Some(self.breaker.snapshot()));
    }
}

#[tokio::test(start_paused = true)]
async fn timed_out_future_is_dropped_before_outcome() {
    for half_open in [false, true] {
        for with_fallback in [false, true] {
            let breaker = breaker(1);
            if half_open {
                breaker.half_open();
            }
            let seen = Cell::new(None);
            let observer = Observer {
                breaker: &breaker,
                seen: &seen,
            };
            let call = observer.guarded_by(&breaker).timeout(SECOND);
            let result = if with_fallback {
                call.fallback(|_| async { Ok(8) }).await
            } else {
                call.await
            };
            assert!(result.expect_err("too long").is_timed_out());
            let seen = seen.take().expect("the future was dropped");
            assert_eq!((seen.totals.timed_out, seen.totals.failure), (0, 0));
            assert_eq!(seen.in_flight, half_open.then_some(1));
            let totals = breaker.snapshot().totals;
            assert_eq!((totals.timed_out, totals.failure), (1, 1));
            assert_eq!(breaker.state(), State::Open);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn timed_out_future_is_dropped_before_guard() {
    let breaker = breaker(1);
    let seen = Cell::new(None);
    let observer = Observer {
        breaker: &breaker,
        seen: &seen,
    };
    let mut call = Box::pin(observer.guarded_by(&breaker).timeout(SECOND));
    assert!(call.as_mut().await.is_err());
    assert!(seen.take().is_some(), "the guard still exists");
    drop(call);
    assert!(seen.take().is_none());
}

#[tokio::test(start_paused = true)]
async fn timed_out_future_whose_drop_panics_counts_once() {
    struct Fragile;
    impl Drop for Fragile {
        fn drop(&mut self) {
            panic!("the drop of the future panicked");
        }
    }
    let breaker = breaker(1);
    breaker.half_open();
    let fragile = Fragile;
    let hung = async move {
        let _fragile = fragile;
        pending::<Result<u8, Fault>>().await
    };
    let call = AssertUnwindSafe(hung.guarded_by(&breaker).timeout(SECOND));
    call.catch_unwind().await.expect_err("the drop panics");
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.timed_out, totals.cancelled),
        (1, 0, 0)
    );
    assert_eq!(breaker.last_failure().as_deref(), Some("panicked"));
    assert_eq!(breaker.state(), State::Open, "the trial has failed");
}
