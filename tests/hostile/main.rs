//! What users do to a breaker that nobody meant them to.

mod amounts;
mod debug;
mod dropped;
mod fallbacks;
mod judges;

use breakerbox::prelude::*;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

fn caught<T>(code: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}

/// A waker that panics, as nobody's should.
struct Grenade;

impl Wake for Grenade {
    fn wake(self: Arc<Self>) {
        panic!("a waker that has broken");
    }
}

/// A payload that panics once more when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a payload that has broken");
    }
}

struct Undebuggable;

impl fmt::Debug for Undebuggable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic_any(Bomb)
    }
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder()
        .failure_threshold(1)
        .build()
        .unwrap()
}

#[test]
fn a_debug_whose_panic_panics_again_costs_no_outcome() {
    let breaker = breaker();
    let result = caught(|| breaker.call(|| Err::<(), _>(Undebuggable)).is_err());
    assert_eq!(result, Some(true));
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().totals.failure, 1);
}

#[test]
fn a_result_counts_whatever_the_drop_of_its_future_does() {
    struct Fails;
    impl Future for Fails {
        type Output = Result<(), fmt::Error>;
        fn poll(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(Err(fmt::Error))
        }
    }
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("a future that has broken");
        }
    }
    let breaker = breaker();
    let polled = caught(|| {
        let call = pin!(Fails.guarded_by(&breaker));
        let _ = call.poll(&mut Context::from_waker(Waker::noop()));
    });
    assert!(polled.is_none());
    assert_eq!(breaker.state(), State::Open);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.failure, totals.cancelled), (1, 0));
}

#[test]
fn a_waker_that_panics_silences_nobody() {
    let breaker = breaker();
    let mut events = breaker.subscribe();
    {
        let waker = Waker::from(Arc::new(Grenade));
        let next = pin!(events.recv());
        assert!(next.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert!(caught(|| breaker.trip()).is_some());
    breaker.reset();
    let states: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(states.len(), 2);
}

#[test]
fn a_text_from_before_capture_was_turned_off_is_gone() {
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
fn a_reason_writes_no_lines_of_its_own_into_a_log() {
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
fn a_disabled_breaker_records_nothing_at_all() {
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
fn streams_that_nobody_keeps_leave_nothing_behind() {
    let registry = BreakerRegistry::new();
    for _ in 0..100_000 {
        drop(registry.subscribe());
    }
    let mut last = registry.subscribe();
    registry.breaker("users");
    assert!(last.try_next().is_some());
}

#[test]
fn a_stream_ends_with_its_registry_although_a_handle_lives() {
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
async fn a_waiter_that_nobody_polls_holds_nobody_up_for_long() {
    let breaker = breaker();
    breaker.trip();
    let mut forgotten = Box::pin(breaker.until_ready());
    assert!(
        forgotten
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
    // One that comes now finds it closed.
    breaker.until_ready().await.success();
    tokio::time::timeout(Duration::from_secs(3), waiting)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_fallback_that_panicked_lets_nothing_pass_later() {
    let breaker = breaker();
    breaker.trip();
    let mut call = pin!(
        async { Ok::<_, fmt::Error>(1) }
            .guarded_by(&breaker)
            .fallback(|_| -> std::future::Ready<Result<i32, fmt::Error>> { panic!("broken") })
    );
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(caught(|| call.as_mut().poll(cx).is_ready()).is_none());
    breaker.reset();
    assert!(caught(|| call.as_mut().poll(cx).is_ready()).is_none());
    assert_eq!(breaker.snapshot().totals.success, Some(0));
}

#[test]
fn a_rule_that_turned_false_by_itself_is_told_again() {
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
fn naming_the_default_buckets_empties_no_window() {
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
