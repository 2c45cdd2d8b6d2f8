//! [`GuardFuture`]: a guarded future whose circuit errors become errors of the function.

use super::classify::OfReturned;
use super::result::Returned;
use crate::call::Call;
use crate::error::BreakerError;
use crate::future::{Limit, NoTimeout, Timeout, WithBreaker, warn_if_nested};
use crate::handle::Handle;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Returns the limit of a call without a timeout.
pub fn no_timeout() -> NoTimeout {
    NoTimeout
}

/// Returns a timeout for [`guard_future`], which starts at the first poll.
pub fn timeout(time: Duration) -> Timeout {
    Timeout::new(time)
}

/// Guards the future of an async function, or a future that a sync function returned. The call is
/// admitted at the first poll. `refused` makes the error of a call that was refused or timed out.
#[inline]
#[track_caller]
pub fn guard_future<R, F, H, C, L, X>(
    handle: H,
    classifier: C,
    limit: L,
    refused: X,
    future: F,
) -> GuardFuture<F, H, C, L, X>
where
    R: Returned,
    F: Future<Output = R>,
    H: Handle,
    C: OfReturned<R>,
    L: Limit,
    X: Fn(BreakerError) -> R::Error,
{
    warn_if_nested::<R>();
    GuardFuture {
        guarded: WithBreaker::with_parts(future, Call::new(handle), classifier, limit),
        refused,
    }
}

pin_project! {
    /// A guarded future whose circuit errors are converted by `refused`.
    #[must_use = "futures do nothing unless polled"]
    pub struct GuardFuture<F, H, C, L, X>
    where
        H: Handle,
    {
        #[pin]
        guarded: WithBreaker<F, H, C, L>,
        refused: X,
    }
}

impl<R, F, H, C, L, X> Future for GuardFuture<F, H, C, L, X>
where
    R: Returned,
    F: Future<Output = R>,
    H: Handle,
    C: OfReturned<R>,
    L: Limit,
    X: Fn(BreakerError) -> R::Error,
{
    type Output = R;

    #[allow(clippy::inline_always)] // see `src/call.rs`
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.project();
        this.guarded.poll(cx).map(|result| match result {
            Ok(value) => C::returned(Ok(value)),
            Err(BreakerError::Inner(error)) => C::returned(Err(error)),
            Err(BreakerError::Open(open)) => R::of_error((this.refused)(open.into())),
            Err(BreakerError::TimedOut(timeout)) => R::of_error((this.refused)(timeout.into())),
        })
    }
}

impl<F, H: Handle, C, L, X> fmt::Debug for GuardFuture<F, H, C, L, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardFuture").finish_non_exhaustive()
    }
}
