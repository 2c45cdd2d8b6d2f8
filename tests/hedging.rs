//! Hedged requests: a second request must not take the place of a trial.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

type Answer = Result<u32, BreakerError<io::Error>>;

const MINUTE: Duration = Duration::from_secs(60);
const HEDGE_AFTER: Duration = Duration::from_millis(50);
const SLOW: Duration = Duration::from_millis(80);

/// A service that answers each request with its number, after a time.
#[derive(Default)]
struct Service {
    requests: AtomicU32,
}

impl Service {
    async fn answer(&self, time: Duration) -> io::Result<u32> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        sleep(time).await;
        Ok(number)
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn fail(time: Duration) -> io::Result<u32> {
    sleep(time).await;
    Err(io::ErrorKind::ConnectionReset.into())
}

/// The form that `docs/composition.md` advises: hedges only while the circuit is closed, and takes the
/// first success.
async fn hedged<F: Future<Output = io::Result<u32>>>(
    breaker: &CircuitBreaker,
    request: impl Fn() -> F,
) -> Answer {
    let mut first = pin!(request().guarded_by(breaker));
    if let Ok(result) = timeout(HEDGE_AFTER, &mut first).await {
        return result;
    }
    if breaker.state() != State::Closed {
        return first.await;
    }
    let mut second = pin!(request().guarded_by(breaker));
    tokio::select! {
        result = &mut first => if result.is_ok() { result } else { second.await },
        result = &mut second => if result.is_ok() { result } else { first.await },
    }
}

/// Hedges in every state, and takes the first result.
async fn hedged_without_care<F: Future<Output = io::Result<u32>>>(
    breaker: &CircuitBreaker,
    request: impl Fn() -> F,
) -> Answer {
    let mut first = pin!(request().guarded_by(breaker));
    if let Ok(result) = timeout(HEDGE_AFTER, &mut first).await {
        return result;
    }
    let second = request().guarded_by(breaker);
    tokio::select! {
        result = first => result,
        result = second => result,
    }
}

fn half_open() -> CircuitBreaker {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().recovery_timeout(MINUTE);
    let breaker = builder.clock(clock.clone()).build().unwrap();
    breaker.trip();
    clock.advance(MINUTE);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker
}

#[tokio::test(start_paused = true)]
async fn half_open_circuit_recovers_at_first_slow_success() {
    let (breaker, service) = (half_open(), Service::default());
    let answer = hedged(&breaker, || service.answer(SLOW)).await;
    assert_eq!(answer.unwrap(), 1);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(service.requests(), 1);
    assert_eq!(breaker.snapshot().totals.refused, 0);
}

/// Why the advice exists: the refusal of the second request is the first result, so the trial is dropped.
#[tokio::test(start_paused = true)]
async fn careless_hedge_keeps_circuit_half_open() {
    let (breaker, service) = (half_open(), Service::default());
    for calls in 1..=20 {
        let answer = hedged_without_care(&breaker, || service.answer(SLOW)).await;
        assert!(answer.is_err_and(|error| error.is_open()));
        assert_eq!(breaker.state(), State::HalfOpen);
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.cancelled, totals.refused), (calls, calls));
        assert_eq!(totals.success, Some(0));
    }
}

#[tokio::test(start_paused = true)]
async fn closed_circuit_hedges_slow_request() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let service = Service::default();
    let times = [MINUTE, SLOW];
    let request = || service.answer(times[service.requests() as usize % 2]);
    let answer = hedged(&breaker, async || request().await).await;
    assert_eq!(answer.unwrap(), 2);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.cancelled), (Some(1), 1));
}

#[tokio::test(start_paused = true)]
async fn first_success_wins_over_earlier_failure() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let service = Service::default();
    let calls = AtomicU32::new(0);
    // The first request succeeds after the second has failed, and the other way round.
    for first_fails in [false, true] {
        let request = async || {
            let is_first = calls.fetch_add(1, Ordering::Relaxed) % 2 == 0;
            if is_first == first_fails {
                fail(SLOW).await
            } else {
                service.answer(2 * SLOW).await
            }
        };
        assert!(hedged(&breaker, request).await.is_ok(), "{first_fails}");
    }
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.failure), (Some(2), 2));
}

#[tokio::test(start_paused = true)]
async fn circuit_that_opens_meanwhile_gets_no_second_request() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let service = Service::default();
    let trip = async {
        sleep(HEDGE_AFTER / 2).await;
        breaker.trip();
        Ok::<_, Infallible>(())
    };
    let (answer, tripped) = tokio::join!(hedged(&breaker, || service.answer(SLOW)), trip);
    assert!(tripped.is_ok());
    assert_eq!(answer.unwrap(), 1);
    assert_eq!(breaker.snapshot().totals.refused, 0);
}
