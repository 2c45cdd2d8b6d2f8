//! Misuse: user code that panics, blocks, calls its own breaker, or holds enormous values.

mod classifiers;
mod debug;
mod dropped;
mod fallbacks;
mod scale;
mod texts;

use breakerbox::prelude::*;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Runs `code`, and returns `None` if it panics.
fn catch_panic<T>(code: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}

/// A waker that panics.
struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("the waker panicked");
    }
}

/// A panic payload whose drop panics again.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("the drop of the payload panicked");
    }
}

/// An error whose `Debug` panics with a payload that panics again.
struct PanickingDebug;

impl fmt::Debug for PanickingDebug {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic_any(PanicsOnDrop)
    }
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder()
        .failure_threshold(1)
        .build()
        .unwrap()
}

#[test]
fn panicking_panic_payload_keeps_outcome() {
    let breaker = breaker();
    let result = catch_panic(|| breaker.call(|| Err::<(), _>(PanickingDebug)).is_err());
    assert_eq!(result, Some(true));
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().totals.failure, 1);
}

#[test]
fn outcome_counts_if_future_drop_panics() {
    struct Fails;
    impl Future for Fails {
        type Output = Result<(), fmt::Error>;
        fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(Err(fmt::Error))
        }
    }
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("the drop of the future panicked");
        }
    }
    let breaker = breaker();
    let polled = catch_panic(|| {
        let call = pin!(Fails.guarded_by(&breaker));
        let _ = call.poll(&mut Context::from_waker(Waker::noop()));
    });
    assert!(polled.is_none());
    assert_eq!(breaker.state(), State::Open);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.failure, totals.cancelled), (1, 0));
}

#[test]
fn panicking_waker_loses_no_events() {
    let breaker = breaker();
    let mut events = breaker.subscribe();
    {
        let waker = Waker::from(Arc::new(PanickingWaker));
        let next = pin!(events.recv());
        assert!(next.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert!(catch_panic(|| breaker.trip()).is_some());
    breaker.reset();
    let received: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(received.len(), 2);
}

#[test]
fn disabling_capture_discards_failure_text() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let _ = breaker.call(|| Err::<(), _>("a secret"));
    breaker
        .configure(|settings| settings.capture_last_failure(false))
        .unwrap();
    assert_eq!(breaker.last_failure(), None);
    let _ = breaker.call(|| Err::<(), _>("another"));
    assert_eq!((breaker.failure_count(), breaker.last_failure()), (2, None));
}

#[test]
fn reason_is_escaped_and_shortened() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    breaker
        .because("x\n2026 all is well \u{1b}[2J")
        .force_open();
    let text = breaker.snapshot().to_string();
    assert!(text.contains("x\\n2026 all is well \\u{1b}[2J"), "{text}");
    breaker.force_open();
    breaker.reset();
    breaker.because("y".repeat(1 << 20)).force_open();
    assert!(breaker.snapshot().to_string().len() < 1_000);
}

#[test]
fn disabled_breaker_sends_no_events() {
    let breaker = CircuitBreaker::builder()
        .expected_error::<fmt::Error>()
        .build()
        .unwrap();
    let mut events = breaker.subscribe();
    breaker.disable();
    assert!(events.try_next().is_some());
    let _ = breaker.call(|| Err::<(), _>(std::io::Error::other("unknown")));
    assert!(events.try_next().is_none());
}

#[test]
fn dropped_streams_do_not_affect_later_streams() {
    let registry = BreakerRegistry::new();
    for _ in 0..100_000 {
        drop(registry.subscribe());
    }
    let mut last = registry.subscribe();
    registry.breaker("users");
    assert!(last.try_next().is_some());
}

#[test]
fn stream_ends_with_registry_despite_live_handle() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    let mut events = registry.subscribe();
    drop(registry);
    users.trip();
    let next = pin!(events.recv());
    assert_eq!(
        next.poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(None)
    );
}

#[tokio::test(start_paused = true)]
async fn unpolled_waiter_does_not_block_others() {
    let breaker = breaker();
    breaker.trip();
    let mut unpolled = Box::pin(breaker.until_ready());
    assert!(
        unpolled
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    let waiting = tokio::spawn({
        let breaker = breaker.clone();
        async move { breaker.until_ready().await.success() }
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    breaker.reset();
    // A new waiter finds the circuit closed.
    breaker.until_ready().await.success();
    tokio::time::timeout(Duration::from_secs(3), waiting)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn panicked_fallback_admits_no_later_poll() {
    let breaker = breaker();
    breaker.trip();
    let mut call = pin!(
        async { Ok::<_, fmt::Error>(1) }
            .guarded_by(&breaker)
            .fallback(|_| -> std::future::Ready<Result<i32, fmt::Error>> {
                panic!("the fallback panicked")
            })
    );
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(catch_panic(|| call.as_mut().poll(cx).is_ready()).is_none());
    breaker.reset();
    assert!(catch_panic(|| call.as_mut().poll(cx).is_ready()).is_none());
    assert_eq!(breaker.snapshot().totals.success, Some(0));
}

#[test]
fn rule_true_again_after_expiry_is_reported_again() {
    let clock = breakerbox::clock::ManualClock::new();
    let breaker = CircuitBreaker::builder()
        .clock(clock.clone())
        .mode(Mode::MetricsOnly)
        .trip_rules([TripRule::failures(1).over(Window::time(Duration::from_secs(10)))])
        .build()
        .unwrap();
    for _ in 0..2 {
        let _ = breaker.call(|| Err::<(), _>(fmt::Error));
        clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(breaker.snapshot().totals.would_trip, 2);
}

#[test]
fn explicit_default_buckets_keep_window() {
    let ten = Window::time(Duration::from_secs(10));
    let rule = |window| TripRule::failures(9).over(window);
    let breaker = CircuitBreaker::builder()
        .trip_when(rule(ten))
        .build()
        .unwrap();
    let _ = breaker.call(|| Err::<(), _>(fmt::Error));
    breaker
        .configure(|settings| settings.trip_rules([rule(ten.buckets(10))]))
        .unwrap();
    assert_eq!(breaker.snapshot().rules[0].failed, 1);
}
