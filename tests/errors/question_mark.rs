//! An application error for several clients, to which `?` and `flatten_into` convert.

use crate::support::{AppError, expect_ready, refused_io};
use breakerbox::prelude::*;
use std::convert::Infallible;
use std::future::{pending, ready};
use std::io;
use std::num::ParseIntError;
use std::time::Duration;

/// Like `AppError`, but for several clients.
#[derive(Debug, thiserror::Error)]
enum ServiceError {
    #[error("no answer: {0}")]
    Circuit(#[from] BreakerError),
    #[error("database: {0}")]
    Database(#[from] io::Error),
    #[error("price: {0}")]
    Price(#[from] ParseIntError),
    #[error("{0}")]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
}

impl<E> From<BreakerError<E>> for ServiceError
where
    ServiceError: From<E>,
{
    fn from(error: BreakerError<E>) -> Self {
        error.flatten_into()
    }
}

async fn user(id: u8) -> io::Result<u8> {
    if id == 0 { Err(refused_io()) } else { Ok(id) }
}

fn price(text: &str) -> Result<u32, ParseIntError> {
    text.parse()
}

async fn order(registry: &BreakerRegistry, id: u8, text: &str) -> Result<u32, ServiceError> {
    let id = user(id).with_breaker(registry, "users").await?;
    let price = registry.breaker("prices").call(|| price(text))?;
    let stock = registry.breaker("stock");
    let shared = ready(Ok::<u32, Box<dyn std::error::Error + Send + Sync>>(1));
    let stock = shared.guarded_by(&stock).await?;
    registry
        .breaker("mails")
        .try_acquire()
        .map_err(BreakerError::<Infallible>::from)?
        .success();
    if price == 0 {
        return Err(user(0).await.unwrap_err().into());
    }
    Ok(u32::from(id) * price * stock)
}

#[test]
fn question_mark_converts_every_error() {
    let registry = BreakerRegistry::new();
    assert_eq!(expect_ready(order(&registry, 2, "3")).unwrap(), 6);
    let error = expect_ready(order(&registry, 0, "3")).unwrap_err();
    assert!(matches!(error, ServiceError::Database(_)));
    let error = expect_ready(order(&registry, 2, "x")).unwrap_err();
    assert!(matches!(error, ServiceError::Price(_)));
    for name in ["users", "prices", "stock", "mails"] {
        registry.breaker(name).force_open();
        let error = expect_ready(order(&registry, 2, "3")).unwrap_err();
        let ServiceError::Circuit(BreakerError::Open(open)) = error else {
            panic!("not a refusal: {error}");
        };
        assert_eq!(open.name(), name);
        registry.breaker(name).reset();
    }
}

#[test]
fn question_mark_converts_nested_errors() {
    fn nested(inner: &CircuitBreaker, work: fn() -> io::Result<()>) -> Result<(), AppError> {
        let outer = CircuitBreaker::builder().build().unwrap();
        outer.call(|| inner.call(work))?;
        Ok(())
    }
    let inner = CircuitBreaker::builder().build().unwrap();
    assert!(nested(&inner, || Ok(())).is_ok());
    let error = nested(&inner, || Err(refused_io()));
    assert!(matches!(error, Err(AppError::Io(_))));
    inner.force_open();
    let error = nested(&inner, || Ok(()));
    assert!(matches!(
        error,
        Err(AppError::Circuit(BreakerError::Open(_)))
    ));
}

fn is_circuit<T>(result: Result<T, AppError>) -> bool {
    matches!(result, Err(AppError::Circuit(BreakerError::Open(_))))
}

fn is_io<T>(result: Result<T, AppError>) -> bool {
    matches!(result, Err(AppError::Io(_)))
}

#[test]
fn flatten_into_converts_errors_of_futures() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let call = |result: io::Result<u8>| {
        let guarded = ready(result).guarded_by(&breaker);
        expect_ready(guarded.flatten_into::<AppError>())
    };
    assert_eq!(call(Ok(7)).unwrap(), 7);
    assert!(is_io(call(Err(refused_io()))));
    breaker.force_open();
    assert!(is_circuit(call(Ok(7))));
    let inferred: Result<u8, AppError> = expect_ready(
        ready(io::Result::Ok(7))
            .guarded_by(&breaker)
            .fail_if(|_| true)
            .flatten_into(),
    );
    assert!(is_circuit(inferred));
}

#[test]
fn flatten_into_converts_errors_of_functions() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let work = |fails: bool, n: u8| if fails { Err(refused_io()) } else { Ok(n) };
    let mut guarded = work.guarded_by(&breaker).flatten_into::<AppError>();
    assert_eq!(guarded.call(false, 7).unwrap(), 7);
    assert!(is_io(guarded.call(true, 7)));
    assert!(is_io(guarded.call_mut(true, 7)));
    let copy = guarded;
    breaker.force_open();
    assert!(is_circuit(guarded.call(false, 7)));
    assert!(is_circuit(guarded.call_mut(false, 7)));
    assert!(is_circuit(copy.call_once(false, 7)));
    let none = (|| io::Result::Ok(()))
        .guarded_by(&breaker)
        .flatten_into::<AppError>();
    assert!(is_circuit(none.call()));
}

#[test]
fn flatten_into_converts_errors_of_async_functions() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let mut guarded = user.guarded_by(&breaker).flatten_into::<AppError>();
    assert_eq!(expect_ready(guarded.call(7)).unwrap(), 7);
    assert!(is_io(expect_ready(guarded.call(0))));
    assert!(is_io(expect_ready(guarded.call_mut(0))));
    breaker.force_open();
    assert!(is_circuit(expect_ready(guarded.call(7))));
    assert!(is_circuit(expect_ready(guarded.call_mut(7))));
    assert!(is_circuit(expect_ready(guarded.call_once(7))));
}

#[tokio::test(start_paused = true)]
async fn flatten_into_converts_timeouts() {
    let second = Duration::from_secs(1);
    let breaker = CircuitBreaker::builder().build().unwrap();
    let hung = || pending::<io::Result<u8>>();
    let timed_out = |result: Result<u8, AppError>| {
        matches!(result, Err(AppError::Circuit(BreakerError::TimedOut(_))))
    };

    let call = hung().guarded_by(&breaker).timeout(second);
    assert!(timed_out(call.flatten_into::<AppError>().await));
    let call = hung().guarded_by(&breaker).timeout(second);
    let call = call.fallback(|_| ready(Ok(1)));
    assert!(timed_out(call.flatten_into::<AppError>().await));

    let function = hung.guarded_by(&breaker).timeout(second);
    assert!(timed_out(function.flatten_into::<AppError>().call().await));
    let mut function = hung
        .guarded_by(&breaker)
        .timeout(second)
        .fallback(|| ready(Ok(1)))
        .flatten_into::<AppError>();
    assert!(timed_out(function.call().await));
    assert!(timed_out(function.call_mut().await));
    breaker.reset();
    assert!(timed_out(function.call_once().await));

    breaker.force_open();
    let call = hung().guarded_by(&breaker).timeout(second);
    let call = call.fallback(|_| ready(Ok(1))).flatten_into::<AppError>();
    assert_eq!(call.await.unwrap(), 1);
    let function = hung
        .guarded_by(&breaker)
        .timeout(second)
        .fallback(|| ready(Err(refused_io())));
    assert!(is_io(function.flatten_into::<AppError>().call().await));
}

#[test]
fn flatten_err_converts_into_io_error() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    breaker.force_open();
    let read = ready(io::Result::Ok(7)).guarded_by(&breaker).flatten_err();
    let error = expect_ready(read).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
    assert!(error.get_ref().is_some_and(|e| is_refusal(e)));
}
