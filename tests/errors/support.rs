//! Error types, refusals and timeouts for the tests, and a function that classifies an error.

use breakerbox::{
    BreakerBuilder, BreakerError, CallTimeout, CircuitBreaker, CircuitOpen, Event, Outcome,
};
use std::error::Error;
use std::fmt::{self, Debug};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A type that no rule names, and that does not implement `Error`.
pub(crate) struct Opaque;

impl Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opaque")
    }
}

/// An application error that names its source.
#[derive(Debug, thiserror::Error)]
#[error("wrapped")]
pub(crate) struct Wrapper {
    #[source]
    pub(crate) source: BoxError,
}

/// An application error with a variant for the circuit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    #[error("no answer: {0}")]
    Circuit(#[from] BreakerError),
    #[error("I/O: {0}")]
    Io(#[from] io::Error),
}

impl<E> From<BreakerError<E>> for AppError
where
    AppError: From<E>,
{
    fn from(error: BreakerError<E>) -> Self {
        error.flatten_into()
    }
}

pub(crate) fn expect_ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

pub(crate) fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder()
        .build()
        .expect("the defaults are valid")
}

pub(crate) fn refusing() -> CircuitBreaker {
    let breaker = breaker();
    breaker.force_open();
    breaker
}

pub(crate) fn open() -> CircuitOpen {
    refusing().try_acquire().expect_err("a refusal")
}

/// The refusal of an inner breaker whose calls fail with an `E`.
pub(crate) fn refusal<E>() -> BreakerError<E> {
    open().into()
}

pub(crate) fn timeout() -> CallTimeout {
    let breaker = breaker();
    let call = std::future::pending::<io::Result<()>>();
    let call = breaker.call_async(call).timeout(Duration::from_secs(1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    match runtime.block_on(call) {
        Err(BreakerError::TimedOut(timeout)) => timeout,
        other => panic!("not a timeout: {other:?}"),
    }
}

pub(crate) fn refused_io() -> io::Error {
    io::ErrorKind::ConnectionRefused.into()
}

/// How a breaker classified an error.
#[derive(Debug, PartialEq)]
pub(crate) struct Classified {
    pub(crate) outcome: Outcome,
    /// The type that `Event::UnknownErrorType` reported.
    pub(crate) unknown: Option<&'static str>,
}

pub(crate) const IGNORED: Classified = known(Outcome::Ignored);
pub(crate) const FAILURE: Classified = known(Outcome::Failure);
pub(crate) const SUCCESS: Classified = known(Outcome::Success);

const fn known(outcome: Outcome) -> Classified {
    Classified {
        outcome,
        unknown: None,
    }
}

/// Returns the classification of a `T` that no rule names: an unexpected error, and so a success.
pub(crate) fn unknown<T>() -> Classified {
    Classified {
        unknown: Some(std::any::type_name::<T>()),
        ..SUCCESS
    }
}

/// Classifies `error` by a breaker with these settings.
pub(crate) fn classify_with<E: Debug + 'static>(
    settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder,
    error: E,
) -> Classified {
    let outcomes: Arc<Mutex<Vec<Classified>>> = Arc::default();
    let types: Arc<Mutex<Option<&'static str>>> = Arc::default();
    let (log, unknown) = (outcomes.clone(), types.clone());
    let breaker = settings(CircuitBreaker::builder())
        .on_event(move |event| match event {
            Event::UnknownErrorType { error_type, .. } => {
                *unknown.lock().unwrap() = Some(error_type);
            }
            Event::Recorded { outcome, .. } => log.lock().unwrap().push(known(*outcome)),
            _ => {}
        })
        .build()
        .expect("valid settings");
    assert!(breaker.call(|| Err::<(), _>(error)).is_err());
    let recorded = outcomes.lock().unwrap().pop().expect("a recorded call");
    Classified {
        unknown: *types.lock().unwrap(),
        ..recorded
    }
}
