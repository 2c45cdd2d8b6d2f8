//! [`RunAdmitted`]: the future of an admitted call of an async function.

use super::classify::OfReturned;
use super::result::Returned;
use crate::breaker::CircuitBreaker;
use crate::error::BreakerError;
use crate::future::{Limit, NoTimeout, Timeout, WithBreaker};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Returns a timeout that starts now.
///
/// # Panics
///
/// Panics outside a tokio runtime with time enabled.
pub fn started_timeout(time: Duration) -> Timeout {
    Timeout::started(time)
}

/// A limit of a function that returns `R`. `X` makes the error of a call that timed out.
pub trait TimeoutOutput<R, X>: Limit {
    #[doc(hidden)]
    fn output(elapsed: Self::Elapsed, name: &Arc<str>, timed_out: &X) -> R;
}

impl<R> TimeoutOutput<R, ()> for NoTimeout {
    fn output(elapsed: Self::Elapsed, _: &Arc<str>, (): &()) -> R {
        match elapsed {}
    }
}

impl<R: Returned, X: Fn(BreakerError) -> R::Error> TimeoutOutput<R, X> for Timeout {
    fn output(elapsed: Duration, name: &Arc<str>, timed_out: &X) -> R {
        R::of_error(timed_out(Self::error(elapsed, name)))
    }
}

pin_project! {
    /// The future of an admitted call.
    #[must_use = "futures do nothing unless polled"]
    pub struct RunAdmitted<'h, F, C, L, X> {
        #[pin]
        guarded: WithBreaker<F, &'h CircuitBreaker, C, L>,
        timed_out: X,
    }
}

impl<'h, F, C, L, X> RunAdmitted<'h, F, C, L, X> {
    #[inline]
    pub(super) fn new(guarded: WithBreaker<F, &'h CircuitBreaker, C, L>, timed_out: X) -> Self {
        Self { guarded, timed_out }
    }
}

impl<R, F, C, L, X> Future for RunAdmitted<'_, F, C, L, X>
where
    F: Future<Output = R>,
    C: OfReturned<R>,
    L: TimeoutOutput<R, X>,
{
    type Output = R;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let mut this = self.project();
        let polled = this.guarded.as_mut().poll_admitted(cx);
        polled.map(|result| match result {
            Ok(result) => C::returned(result),
            Err(elapsed) => {
                let name = &this.guarded.breaker().circuit.name;
                L::output(elapsed, name, this.timed_out)
            }
        })
    }
}

impl<F, C, L, X> fmt::Debug for RunAdmitted<'_, F, C, L, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunAdmitted").finish_non_exhaustive()
    }
}
