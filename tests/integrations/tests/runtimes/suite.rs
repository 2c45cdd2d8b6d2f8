//! What holds whatever runs the futures.

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

/// Each test of the suite, under each runtime.
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
    an_open_circuit_has_a_fallback
    permits_stand_for_calls
    a_dropped_call_is_cancelled
    a_call_that_loses_a_race_is_cancelled
    a_panic_is_a_failure
    it_opens_half_opens_and_closes
    of_many_calls_one_is_the_trial
    who_need_not_wait_is_ready
    events_come_as_a_stream
}

suite! {
    under [tokio_current_thread tokio_multi_thread async_executor futures_executor no_runtime]:
    the_attribute_guards
}

struct Bench {
    registry: BreakerRegistry,
    breaker: CircuitBreaker,
    clock: ManualClock,
}

impl Bench {
    fn new() -> Self {
        let clock = ManualClock::new();
        let registry = BreakerRegistry::builder()
            .clock(clock.clone())
            .default_preset(CircuitBreaker::builder().failure_threshold(2))
            .build()
            .expect("settings that work");
        let breaker = registry.breaker("api");
        Self {
            registry,
            breaker,
            clock,
        }
    }

    #[track_caller]
    fn assert_counted(&self, success: u64, failure: u64, cancelled: u64, refused: u64) {
        let totals = self.breaker.snapshot().totals;
        let counted = (totals.success, totals.failure, totals.cancelled);
        assert_eq!(counted, (Some(success), failure, cancelled));
        assert_eq!(
            (totals.refused, totals.ignored, totals.late),
            (refused, 0, 0)
        );
    }
}

/// A dependency on another thread: the call has to be woken from there.
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
    let bench = Bench::new();
    let breaker = &bench.breaker;
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
    bench.assert_counted(2, 2, 0, 1);
}

async fn functions_are_guarded() {
    let bench = Bench::new();
    let guarded = answer.guarded_by(&bench.breaker);
    assert_eq!(guarded.call(1).await.ok(), Some(1));
    assert_eq!(guarded.call(2).await.ok(), Some(2));
    let parse = (|text: &'static str| text.parse::<u32>()).guarded_by(&bench.breaker);
    assert_eq!(parse.call("3").ok(), Some(3));
    assert!(parse.call("three").is_err());
    assert!(bench.breaker.call(|| "four".parse::<u32>()).is_err());
    assert!(guarded.call(5).await.is_err_and(|error| error.is_open()));
    bench.assert_counted(3, 2, 0, 1);
}

async fn names_are_looked_up() {
    let bench = Bench::new();
    let registry = &bench.registry;
    assert_eq!(answer(1).with_breaker(registry, "api").await.ok(), Some(1));
    let fail = fail.with_breaker(registry, String::from("api"));
    assert!(fail.call(2).await.is_err());
    assert!(fail.call(3).await.is_err());
    assert!(fail.call(4).await.is_err_and(|error| error.is_open()));
    assert!(answer(5).with_breaker(registry, "other").await.is_ok());
    assert_eq!(registry.open_breakers().len(), 1);
    bench.assert_counted(1, 2, 0, 1);
}

async fn an_open_circuit_has_a_fallback() {
    let bench = Bench::new();
    bench.breaker.trip();
    let cached = answer(1)
        .guarded_by(&bench.breaker)
        .fallback(|open| async move {
            assert_eq!(open.name(), "api");
            answer(10).await
        });
    assert_eq!(cached.await.ok(), Some(10));
    let guarded = answer
        .guarded_by(&bench.breaker)
        .fallback(async |number| answer(number + 10).await);
    assert_eq!(guarded.call(2).await.ok(), Some(12));
    let sync = (|number: u32| Err::<u32, _>(number))
        .guarded_by(&bench.breaker)
        .fallback(Ok);
    assert_eq!(sync.call(3), Ok(3));
    bench.assert_counted(0, 0, 0, 3);
}

async fn permits_stand_for_calls() {
    let bench = Bench::new();
    let permit = bench.breaker.try_acquire().expect("closed");
    let result = answer(1).await;
    permit.record_result(&result);
    let permit = bench.breaker.try_acquire().expect("closed");
    thread::spawn(move || permit.failure())
        .join()
        .expect("it passes");
    drop(bench.breaker.try_acquire());
    bench.breaker.try_acquire().expect("closed").failure();
    assert!(bench.breaker.try_acquire().is_err());
    bench.assert_counted(1, 2, 1, 1);
}

async fn a_dropped_call_is_cancelled() {
    let bench = Bench::new();
    let call = || pending::<io::Result<()>>().guarded_by(&bench.breaker);
    drop(call());
    bench.assert_counted(0, 0, 0, 0);
    bench.breaker.half_open();
    {
        let mut trial = pin!(call());
        assert!(executors::poll_once(trial.as_mut()).is_pending());
        assert!(call().await.is_err_and(|error| error.is_open()));
    }
    // Its slot is free again.
    assert!(answer(1).guarded_by(&bench.breaker).await.is_ok());
    assert_eq!(bench.breaker.state(), State::Closed);
    bench.assert_counted(1, 0, 1, 1);
}

async fn a_call_that_loses_a_race_is_cancelled() {
    let bench = Bench::new();
    let slow = Box::pin(pending::<io::Result<u32>>().guarded_by(&bench.breaker));
    let fast = Box::pin(answer(1).guarded_by(&bench.breaker));
    match select(slow, fast).await {
        Either::Left(_) => panic!("it never ends"),
        Either::Right((won, _lost)) => assert_eq!(won.ok(), Some(1)),
    }
    bench.assert_counted(1, 0, 1, 0);
}

async fn a_panic_is_a_failure() {
    let bench = Bench::new();
    let injected = || std::panic::resume_unwind(Box::new("injected"));
    let mut call = Box::pin(
        async {
            answer(1).await?;
            injected();
            Ok::<(), io::Error>(())
        }
        .guarded_by(bench.breaker.clone()),
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
    bench.assert_counted(0, 1, 0, 0);
}

async fn it_opens_half_opens_and_closes() {
    let bench = Bench::new();
    let breaker = &bench.breaker;
    assert!(fail(1).guarded_by(breaker).await.is_err());
    assert_eq!(breaker.state(), State::Closed);
    assert!(fail(2).guarded_by(breaker).await.is_err());
    assert_eq!(breaker.state(), State::Open);

    bench.clock.advance(Duration::from_nanos(29_999_999_999));
    let refused = answer(3).guarded_by(breaker).await.unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_nanos(1)));
    bench.clock.advance(Duration::from_nanos(1));
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(fail(4).guarded_by(breaker).await.is_err());
    assert_eq!(breaker.state(), State::Open);

    bench.clock.advance(RECOVERY);
    assert_eq!(answer(5).guarded_by(breaker).await.ok(), Some(5));
    assert_eq!(breaker.state(), State::Closed);
    bench.assert_counted(1, 3, 0, 1);
}

async fn of_many_calls_one_is_the_trial() {
    let bench = Bench::new();
    bench.breaker.trip();
    bench.clock.advance(RECOVERY);
    let (reply, replied) = oneshot::channel();
    let trial = async {
        replied
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::Other))
    };
    let trial = trial.guarded_by(&bench.breaker);
    let others = async {
        let others = (0..20).map(|number| answer(number).guarded_by(&bench.breaker));
        let others = join_all(others).await;
        reply.send(()).expect("the trial still runs");
        others
    };
    let (trial, others) = futures_util::future::join(trial, others).await;
    assert!(trial.is_ok());
    let open = |other: &Result<u32, BreakerError<io::Error>>| {
        other.as_ref().is_err_and(BreakerError::is_open)
    };
    assert!(others.iter().all(open));
    assert_eq!(bench.breaker.state(), State::Closed);
    let all = join_all((0..20).map(|number| answer(number).guarded_by(&bench.breaker))).await;
    assert!(all.iter().all(Result::is_ok));
    bench.assert_counted(21, 0, 0, 20);
}

async fn who_need_not_wait_is_ready() {
    let bench = Bench::new();
    bench.breaker.until_ready().await.success();
    bench.breaker.half_open();
    bench.breaker.until_ready().await.success();
    bench.breaker.metrics_only();
    bench.breaker.until_ready().await.success();
    bench.assert_counted(3, 0, 0, 0);
    bench.breaker.disable();
    bench.breaker.until_ready().await.success();
    bench.assert_counted(3, 0, 0, 0);
}

async fn events_come_as_a_stream() {
    let bench = Bench::new();
    let mut events = bench.breaker.subscribe();
    let breaker = bench.breaker.clone();
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

async fn the_attribute_guards() {
    use std::num::ParseIntError;

    #[derive(Debug, thiserror::Error)]
    enum ApiError {
        #[error(transparent)]
        Circuit(#[from] BreakerError),
        #[error(transparent)]
        Io(#[from] io::Error),
    }

    #[circuit(name = "api", registry = registry)]
    async fn ask(registry: &BreakerRegistry, number: u32) -> Result<u32, ApiError> {
        if number == 0 {
            Ok(fail(number).await?)
        } else {
            Ok(answer(number).await?)
        }
    }

    #[circuit(name = "api", registry = registry, fallback = usual)]
    fn ask_at_once(registry: &BreakerRegistry, number: u32) -> Result<u32, ParseIntError> {
        "42".parse().map(|usual: u32| usual + number)
    }

    fn usual(_registry: &BreakerRegistry, number: u32) -> Result<u32, ParseIntError> {
        "100".parse().map(|usual: u32| usual + number)
    }

    let bench = Bench::new();
    let registry = &bench.registry;
    assert_eq!(ask(registry, 1).await.ok(), Some(1));
    assert_eq!(ask_at_once(registry, 2).ok(), Some(44));
    assert!(matches!(ask(registry, 0).await, Err(ApiError::Io(_))));
    assert!(matches!(ask(registry, 0).await, Err(ApiError::Io(_))));
    assert!(matches!(ask(registry, 3).await, Err(ApiError::Circuit(_))));
    assert_eq!(ask_at_once(registry, 4).ok(), Some(104));
    bench.assert_counted(2, 2, 0, 2);
}
