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

pub(crate) fn successes(registry: &BreakerRegistry) -> Option<u64> {
    of(&registry.breaker("x"))
}

pub(crate) fn of(breaker: &CircuitBreaker) -> Option<u64> {
    breaker.snapshot().totals.success
}

pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What a future gives that never waits. No runtime takes part.
#[track_caller]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}
