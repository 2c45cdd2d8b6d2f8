//! `idle_timeout`, with the paused clock of tokio. It advances only while all tasks wait for timers.

use crate::support::{
    Fault, Recorded, SECOND, breaker, items, one_failure, one_success, poll, recorded, then_stalls,
};
use breakerbox::prelude::*;
use futures_util::{StreamExt as _, stream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, advance, sleep};

/// A stream that gives an item after each of `times`, and then ends.
fn paced<const N: usize>(
    times: [Duration; N],
) -> impl futures_util::Stream<Item = Result<u8, Fault>> + Unpin {
    let items = stream::iter(times).then(|time| async move {
        sleep(time).await;
        Ok(1)
    });
    Box::pin(items)
}

#[tokio::test(start_paused = true)]
async fn stall_is_a_failure_and_ends_stream() {
    let breaker = breaker();
    let held = Rc::new(());
    let holds = held.clone();
    let stalls = then_stalls([Ok(1), Ok(2)]).map(move |item| {
        let _ = &holds;
        item
    });
    let mut guarded = stalls.guarded_by(&breaker).idle_timeout(SECOND);
    assert!(guarded.next().await.is_some_and(|item| item.is_ok()));
    assert!(guarded.next().await.is_some_and(|item| item.is_ok()));
    let begun = Instant::now();
    let error = guarded
        .next()
        .await
        .expect("the timeout")
        .expect_err("stalled");
    assert_eq!(begun.elapsed(), SECOND);
    let BreakerError::TimedOut(timeout) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((timeout.name(), timeout.limit()), ("feed", SECOND));
    assert_eq!(
        error.to_string(),
        "the stream of \"feed\" gave no item for 1s"
    );
    assert_eq!(Rc::strong_count(&held), 1, "dropped before the error");
    assert!(guarded.next().await.is_none());
    assert_eq!(recorded(&breaker), one_failure());
    assert_eq!(breaker.snapshot().totals.timed_out, 1);
    assert_eq!(
        breaker.last_failure().as_deref(),
        Some("timed out after 1s")
    );
}

#[tokio::test(start_paused = true)]
async fn each_item_restarts_time() {
    let breaker = breaker();
    let limit = SECOND;
    let slow = paced([limit * 9 / 10; 5])
        .guarded_by(&breaker)
        .idle_timeout(limit);
    assert_eq!(slow.count().await, 5);
    assert_eq!(recorded(&breaker), one_success());
}

#[tokio::test(start_paused = true)]
async fn slow_consumer_uses_no_time() {
    let breaker = breaker();
    let mut guarded = items([Ok(1), Ok(2)])
        .guarded_by(&breaker)
        .idle_timeout(SECOND);
    for _ in 0..2 {
        sleep(10 * SECOND).await;
        assert!(guarded.next().await.is_some_and(|item| item.is_ok()));
    }
    sleep(10 * SECOND).await;
    assert!(guarded.next().await.is_none());
    assert_eq!(recorded(&breaker), one_success());
}

/// The timer of the first wait is still registered when the second wait begins.
#[tokio::test(start_paused = true)]
async fn slow_consumer_restarts_time_after_wait() {
    let breaker = breaker();
    let mut guarded = paced([SECOND / 2, 11 * SECOND])
        .guarded_by(&breaker)
        .idle_timeout(SECOND);
    assert!(guarded.next().await.is_some_and(|item| item.is_ok()));
    sleep(10 * SECOND).await;
    let begun = Instant::now();
    let error = guarded
        .next()
        .await
        .expect("the timeout")
        .expect_err("stalled");
    assert!(error.is_timed_out());
    assert_eq!(begun.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn ready_item_precedes_elapsed_time() {
    let breaker = breaker();
    let mut guarded = paced([SECOND / 2])
        .guarded_by(&breaker)
        .idle_timeout(SECOND);
    assert!(poll(&mut guarded).is_pending());
    advance(10 * SECOND).await;
    assert!(guarded.next().await.is_some_and(|item| item.is_ok()));
    assert!(guarded.next().await.is_none());
    assert_eq!(recorded(&breaker), one_success());
}

/// A dropped wait does not restart the time.
#[tokio::test(start_paused = true)]
async fn time_continues_across_dropped_waits() {
    let breaker = breaker();
    let mut guarded = then_stalls([]).guarded_by(&breaker).idle_timeout(SECOND);
    let begun = Instant::now();
    for _ in 0..3 {
        tokio::select! {
            item = guarded.next() => panic!("{item:?}"),
            () = sleep(SECOND / 4) => {}
        }
    }
    assert!(guarded.next().await.is_some_and(|item| item.is_err()));
    assert_eq!(begun.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn stall_after_outcome_ends_stream_uncounted() {
    let breaker = breaker();
    let failed = then_stalls([Err(Fault)])
        .guarded_by(&breaker)
        .idle_timeout(SECOND);
    let failed: Vec<_> = failed.collect().await;
    assert_eq!(failed.len(), 2);
    assert!(failed[1].as_ref().is_err_and(BreakerError::is_timed_out));
    assert_eq!(recorded(&breaker), one_failure());
    assert_eq!(breaker.snapshot().totals.timed_out, 0);

    let endless = then_stalls([Ok(1)]).guarded_by(&breaker).success_after(1);
    assert_eq!(endless.idle_timeout(SECOND).count().await, 2);
    let expected = Recorded {
        success: 1,
        ..one_failure()
    };
    assert_eq!(recorded(&breaker), expected);
}

#[tokio::test(start_paused = true)]
async fn extreme_limits_work() {
    let breaker = breaker();
    let patient = paced([10_000 * SECOND])
        .guarded_by(&breaker)
        .idle_timeout(Duration::MAX);
    assert_eq!(patient.count().await, 1);
    let impatient = then_stalls([Ok(1)])
        .guarded_by(&breaker)
        .idle_timeout(Duration::ZERO);
    assert_eq!(impatient.count().await, 2);
    assert_eq!(breaker.snapshot().totals.timed_out, 1);
}

#[test]
fn missing_runtime_panics_before_admission() {
    let breaker = breaker();
    breaker.half_open();
    let mut guarded = items([Ok(1)]).guarded_by(&breaker).idle_timeout(SECOND);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut guarded))).is_err());
    assert_eq!(breaker.snapshot().in_flight, Some(0));
    assert_eq!(recorded(&breaker), Recorded::default());
}

/// The drop of the guarded stream is guarded code, so a panic of it is the failure.
#[tokio::test(start_paused = true)]
async fn stalled_stream_whose_drop_panics_counts_once() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let breaker = breaker();
    let bomb = Bomb;
    let stalls = then_stalls([]).map(move |item| {
        let _ = &bomb;
        item
    });
    let mut guarded = stalls.guarded_by(&breaker).idle_timeout(SECOND);
    assert!(poll(&mut guarded).is_pending());
    advance(2 * SECOND).await;
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut guarded))).is_err());
    assert_eq!(recorded(&breaker), one_failure());
    assert_eq!(breaker.last_failure().as_deref(), Some("panicked"));
}
