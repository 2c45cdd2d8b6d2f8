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

pub(crate) type Answer<T> = Result<T, Error>;

/// Runs a future that never waits.
#[track_caller]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(output) = polled else {
        panic!("it waits")
    };
    output
}

pub(crate) fn global(name: &str) -> CircuitBreaker {
    let found = BreakerRegistry::global().get(name);
    found.unwrap_or_else(|| panic!("there should be a breaker {name:?}"))
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

/// A registry whose events about settings and names are kept.
pub(crate) fn watched() -> (BreakerRegistry, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::<Mutex<Vec<Event>>>::default();
    let log = events.clone();
    let registry = BreakerRegistry::builder().on_event(move |event| {
        let told = matches!(
            event,
            Event::SettingsIgnored { .. }
                | Event::NameShared { .. }
                | Event::SettingsRefused { .. }
        );
        if told {
            log.lock()
                .expect("nobody panics with it")
                .push(event.clone());
        }
    });
    (registry.build().expect("these settings can work"), events)
}

pub(crate) fn assert_send<T: Send>(value: T) -> T {
    value
}
