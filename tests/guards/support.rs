//! An error type, and helpers for breakers and futures.

use breakerbox::{BreakerRegistry, CircuitBreaker};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// The error of guarded code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault;

/// A registry whose breaker `"x"` refuses every call.
pub(crate) fn refusing() -> BreakerRegistry {
    let registry = BreakerRegistry::new();
    registry.breaker("x").force_open();
    registry
}

/// Returns the number of successes of the breaker `"x"`.
pub(crate) fn successes(registry: &BreakerRegistry) -> Option<u64> {
    success_count(&registry.breaker("x"))
}

pub(crate) fn success_count(breaker: &CircuitBreaker) -> Option<u64> {
    breaker.snapshot().totals.success
}

pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns the output of a future that is ready at its first poll, without a runtime.
#[track_caller]
pub(crate) fn expect_ready<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}
