//! An error type for guarded functions, and helpers for breakers and futures.

use breakerbox::BreakerError;
use breakerbox::prelude::*;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Circuit(#[from] BreakerError),
    #[error("no answer")]
    NoAnswer,
}

impl Error {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Circuit(error) if error.is_open())
    }
}

pub(crate) type CallResult<T> = Result<T, Error>;

/// Returns the output of a future that is ready at its first poll.
#[track_caller]
pub(crate) fn expect_ready<F: Future>(future: F) -> F::Output {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(output) = polled else {
        panic!("the future is pending")
    };
    output
}

/// Returns the breaker `name` of the global registry.
pub(crate) fn global(name: &str) -> CircuitBreaker {
    let found = BreakerRegistry::global().get(name);
    found.unwrap_or_else(|| panic!("there is no breaker {name:?}"))
}

/// Asserts that the breaker counted `success` and `failure`.
#[track_caller]
pub(crate) fn assert_counted(name: &str, success: u64, failure: u64) {
    let totals = global(name).snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure),
        (Some(success), failure),
        "{name}"
    );
}

/// Creates a registry, and a log of its events about settings and names.
pub(crate) fn registry_with_log() -> (BreakerRegistry, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::<Mutex<Vec<Event>>>::default();
    let log = events.clone();
    let registry = BreakerRegistry::builder().on_event(move |event| {
        let is_logged = matches!(
            event,
            Event::SettingsIgnored { .. }
                | Event::NameShared { .. }
                | Event::SettingsRefused { .. }
        );
        if is_logged {
            log.lock()
                .expect("the lock is not poisoned")
                .push(event.clone());
        }
    });
    (registry.build().expect("valid settings"), events)
}

pub(crate) fn assert_send<T: Send>(value: T) -> T {
    value
}
