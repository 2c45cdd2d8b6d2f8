//! Tests that must pass in every executor.

use crate::executors;
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use futures_util::future::{Either, join_all, select};
use std::future::{pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;

const RECOVERY: Duration = Duration::from_secs(30);

/// Generates a test for each function and each executor.
macro_rules! suite {
    (under $runtimes:tt: $($test:ident)*) => {
        $(suite! { @each $test $runtimes })*
    };
    (@each $test:ident [$($runtime:ident)*]) => {
        mod $test {
            $(#[test]
            fn $runtime() {
                crate::executors::$runtime(super::$test());
            })*
        }
    };
}

suite! {
    under [tokio_current_thread tokio_multi_thread async_executor futures_executor no_runtime]:
    futures_are_guarded
    functions_are_guarded
    names_are_looked_up
    open_circuit_calls_fallback
    permits_record_calls
    dropped_call_is_cancelled
    call_losing_select_is_cancelled
    panic_is_failure
    circuit_opens_half_opens_and_closes
    one_of_many_calls_is_trial
    until_ready_without_refusal_is_ready
    events_are_a_stream
}

suite! {
    under [tokio_current_thread tokio_multi_thread async_executor futures_executor no_runtime]:
    attribute_guards_functions
}

struct Fixture {
    registry: BreakerRegistry,
    breaker: CircuitBreaker,
    clock: ManualClock,
}

impl Fixture {
    fn new() -> Self {
        let clock = ManualClock::new();
        let registry = BreakerRegistry::builder()
            .clock(clock.clone())
            .default_preset(CircuitBreaker::builder().failure_threshold(2))
            .build()
            .expect("valid settings");
        let breaker = registry.breaker("api");
        Self {
            registry,
            breaker,
            clock,
        }
    }

    #[track_caller]
    fn assert_totals(&self, success: u64, failure: u64, cancelled: u64, refused: u64) {
        let totals = self.breaker.snapshot().totals;
        let counted = (totals.success, totals.failure, totals.cancelled);
        assert_eq!(counted, (Some(success), failure, cancelled));
        assert_eq!(
            (totals.refused, totals.ignored, totals.late),
            (refused, 0, 0)
        );
    }
}

/// A dependency that answers from another thread, which has to wake the call.
async fn answer(number: u32) -> io::Result<u32> {
    let (reply, replied) = oneshot::channel();
    thread::spawn(move || reply.send(number));
    replied
        .await
        .map_err(|_| io::ErrorKind::ConnectionReset.into())
}

async fn fail(_number: u32) -> io::Result<u32> {
    Err(io::ErrorKind::ConnectionRefused.into())
}

async fn futures_are_guarded() {
    let fixture = Fixture::new();
    let breaker = &fixture.breaker;
    assert_eq!(answer(1).guarded_by(breaker).await.ok(), Some(1));
    assert_eq!(breaker.call_async(answer(2)).await.ok(), Some(2));
    let flat: io::Result<u32> = answer(3)
        .guarded_by(breaker.clone())
        .classify(|_| Outcome::Failure)
        .fallback(async |_| Ok(0))
        .await;
    assert_eq!(flat.ok(), Some(3));
    let failed = fail(4).guarded_by(breaker).await.unwrap_err();
    assert!(failed.inner().is_some());
    let refused = answer(5).guarded_by(breaker).await.unwrap_err();
    assert!(refused.is_open());
    fixture.assert_totals(2, 2, 0, 1);
}

async fn functions_are_guarded() {
    let fixture = Fixture::new();
    let guarded = answer.guarded_by(&fixture.breaker);
    assert_eq!(guarded.call(1).await.ok(), Some(1));
    assert_eq!(guarded.call(2).await.ok(), Some(2));
    let parse = (|text: &'static str| text.parse::<u32>()).guarded_by(&fixture.breaker);
    assert_eq!(parse.call("3").ok(), Some(3));
    assert!(parse.call("three").is_err());
    assert!(fixture.breaker.call(|| "four".parse::<u32>()).is_err());
    assert!(guarded.call(5).await.is_err_and(|error| error.is_open()));
    fixture.assert_totals(3, 2, 0, 1);
}

async fn names_are_looked_up() {
    let fixture = Fixture::new();
    let registry = &fixture.registry;
    assert_eq!(answer(1).with_breaker(registry, "api").await.ok(), Some(1));
    let fail = fail.with_breaker(registry, String::from("api"));
    assert!(fail.call(2).await.is_err());
    assert!(fail.call(3).await.is_err());
    assert!(fail.call(4).await.is_err_and(|error| error.is_open()));
    assert!(answer(5).with_breaker(registry, "other").await.is_ok());
    assert_eq!(registry.open_breakers().len(), 1);
    fixture.assert_totals(1, 2, 0, 1);
}

async fn open_circuit_calls_fallback() {
    let fixture = Fixture::new();
    fixture.breaker.trip();
    let cached = answer(1)
        .guarded_by(&fixture.breaker)
        .fallback(|open| async move {
            assert_eq!(open.name(), "api");
            answer(10).await
        });
    assert_eq!(cached.await.ok(), Some(10));
    let guarded = answer
        .guarded_by(&fixture.breaker)
        .fallback(async |number| answer(number + 10).await);
    assert_eq!(guarded.call(2).await.ok(), Some(12));
    let sync = (|number: u32| Err::<u32, _>(number))
        .guarded_by(&fixture.breaker)
        .fallback(Ok);
    assert_eq!(sync.call(3), Ok(3));
    fixture.assert_totals(0, 0, 0, 3);
}

async fn permits_record_calls() {
    let fixture = Fixture::new();
    let permit = fixture.breaker.try_acquire().expect("closed");
    let result = answer(1).await;
    permit.record_result(&result);
    let permit = fixture.breaker.try_acquire().expect("closed");
    thread::spawn(move || permit.failure())
        .join()
        .expect("the thread does not panic");
    drop(fixture.breaker.try_acquire());
    fixture.breaker.try_acquire().expect("closed").failure();
    assert!(fixture.breaker.try_acquire().is_err());
    fixture.assert_totals(1, 2, 1, 1);
}

async fn dropped_call_is_cancelled() {
    let fixture = Fixture::new();
    let call = || pending::<io::Result<()>>().guarded_by(&fixture.breaker);
    drop(call());
    fixture.assert_totals(0, 0, 0, 0);
    fixture.breaker.half_open();
    {
        let mut trial = pin!(call());
        assert!(executors::poll_once(trial.as_mut()).is_pending());
        assert!(call().await.is_err_and(|error| error.is_open()));
    }
    // The slot of the dropped trial is free.
    assert!(answer(1).guarded_by(&fixture.breaker).await.is_ok());
    assert_eq!(fixture.breaker.state(), State::Closed);
    fixture.assert_totals(1, 0, 1, 1);
}

async fn call_losing_select_is_cancelled() {
    let fixture = Fixture::new();
    let slow = Box::pin(pending::<io::Result<u32>>().guarded_by(&fixture.breaker));
    let fast = Box::pin(answer(1).guarded_by(&fixture.breaker));
    match select(slow, fast).await {
        Either::Left(_) => panic!("a pending future completed"),
        Either::Right((won, _lost)) => assert_eq!(won.ok(), Some(1)),
    }
    fixture.assert_totals(1, 0, 1, 0);
}

async fn panic_is_failure() {
    let fixture = Fixture::new();
    let panic = || std::panic::resume_unwind(Box::new("deliberate panic"));
    let mut call = Box::pin(
        async {
            answer(1).await?;
            panic();
            Ok::<(), io::Error>(())
        }
        .guarded_by(fixture.breaker.clone()),
    );
    let caught: Result<(), _> =
        poll_fn(
            |cx| match catch_unwind(AssertUnwindSafe(|| Pin::as_mut(&mut call).poll(cx))) {
                Ok(polled) => polled.map(|_| Ok(())),
                Err(panic) => Poll::Ready(Err(panic)),
            },
        )
        .await;
    assert!(caught.is_err());
    fixture.assert_totals(0, 1, 0, 0);
}

async fn circuit_opens_half_opens_and_closes() {
    let fixture = Fixture::new();
    let breaker = &fixture.breaker;
    assert!(fail(1).guarded_by(breaker).await.is_err());
    assert_eq!(breaker.state(), State::Closed);
    assert!(fail(2).guarded_by(breaker).await.is_err());
    assert_eq!(breaker.state(), State::Open);

    fixture.clock.advance(Duration::from_nanos(29_999_999_999));
    let refused = answer(3).guarded_by(breaker).await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_nanos(1)));
    fixture.clock.advance(Duration::from_nanos(1));
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(fail(4).guarded_by(breaker).await.is_err());
    assert_eq!(breaker.state(), State::Open);

    fixture.clock.advance(RECOVERY);
    assert_eq!(answer(5).guarded_by(breaker).await.ok(), Some(5));
    assert_eq!(breaker.state(), State::Closed);
    fixture.assert_totals(1, 3, 0, 1);
}

async fn one_of_many_calls_is_trial() {
    let fixture = Fixture::new();
    fixture.breaker.trip();
    fixture.clock.advance(RECOVERY);
    let (reply, replied) = oneshot::channel();
    let trial = async {
        replied
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::Other))
    };
    let trial = trial.guarded_by(&fixture.breaker);
    let others = async {
        let others = (0..20).map(|number| answer(number).guarded_by(&fixture.breaker));
        let others = join_all(others).await;
        reply.send(()).expect("the trial still runs");
        others
    };
    let (trial, others) = futures_util::future::join(trial, others).await;
    assert!(trial.is_ok());
    let is_open = |other: &Result<u32, BreakerError<io::Error>>| {
        other.as_ref().is_err_and(BreakerError::is_open)
    };
    assert!(others.iter().all(is_open));
    assert_eq!(fixture.breaker.state(), State::Closed);
    let all = join_all((0..20).map(|number| answer(number).guarded_by(&fixture.breaker))).await;
    assert!(all.iter().all(Result::is_ok));
    fixture.assert_totals(21, 0, 0, 20);
}

async fn until_ready_without_refusal_is_ready() {
    let fixture = Fixture::new();
    fixture.breaker.until_ready().await.success();
    fixture.breaker.half_open();
    fixture.breaker.until_ready().await.success();
    fixture.breaker.metrics_only();
    fixture.breaker.until_ready().await.success();
    fixture.assert_totals(3, 0, 0, 0);
    fixture.breaker.disable();
    fixture.breaker.until_ready().await.success();
    fixture.assert_totals(3, 0, 0, 0);
}

async fn events_are_a_stream() {
    let fixture = Fixture::new();
    let mut events = fixture.breaker.subscribe();
    let breaker = fixture.breaker.clone();
    thread::spawn(move || breaker.trip());
    let event = poll_fn(|cx| futures_core::Stream::poll_next(Pin::new(&mut events), cx)).await;
    assert!(matches!(
        event,
        Some(Event::StateChanged {
            to: State::Open,
            ..
        })
    ));
}

async fn attribute_guards_functions() {
    use std::num::ParseIntError;

    #[derive(Debug, thiserror::Error)]
    enum ApiError {
        #[error(transparent)]
        Circuit(#[from] BreakerError),
        #[error(transparent)]
        Io(#[from] io::Error),
    }

    #[circuit(name = "api", registry = registry)]
    async fn fetch(registry: &BreakerRegistry, number: u32) -> Result<u32, ApiError> {
        if number == 0 {
            Ok(fail(number).await?)
        } else {
            Ok(answer(number).await?)
        }
    }

    #[circuit(name = "api", registry = registry, fallback = default_answer)]
    fn fetch_sync(registry: &BreakerRegistry, number: u32) -> Result<u32, ParseIntError> {
        "42".parse().map(|base: u32| base + number)
    }

    fn default_answer(_registry: &BreakerRegistry, number: u32) -> Result<u32, ParseIntError> {
        "100".parse().map(|base: u32| base + number)
    }

    let fixture = Fixture::new();
    let registry = &fixture.registry;
    assert_eq!(fetch(registry, 1).await.ok(), Some(1));
    assert_eq!(fetch_sync(registry, 2).ok(), Some(44));
    assert!(matches!(fetch(registry, 0).await, Err(ApiError::Io(_))));
    assert!(matches!(fetch(registry, 0).await, Err(ApiError::Io(_))));
    assert!(matches!(
        fetch(registry, 3).await,
        Err(ApiError::Circuit(_))
    ));
    assert_eq!(fetch_sync(registry, 4).ok(), Some(104));
    fixture.assert_totals(2, 2, 0, 2);
}
