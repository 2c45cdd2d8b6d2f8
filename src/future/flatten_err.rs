//! [`FlattenErr`]: a guarded future that converts the errors of the circuit.

use crate::error::BreakerError;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A guarded future whose circuit errors are converted to its own error type, returned by
    /// [`flatten_err`](crate::WithBreaker::flatten_err).
    ///
    /// # Cancel safety
    ///
    /// Has the cancel safety of the guarded future.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct FlattenErr<Fut> {
        #[pin]
        guarded: Fut,
    }
}

impl<Fut> FlattenErr<Fut> {
    #[inline]
    pub(crate) fn new(guarded: Fut) -> Self {
        Self { guarded }
    }
}

impl<Fut, T, E> Future for FlattenErr<Fut>
where
    Fut: Future<Output = Result<T, BreakerError<E>>>,
    E: From<BreakerError>,
{
    type Output = Result<T, E>;

    #[allow(clippy::inline_always)] // see `src/call.rs`
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        self.project()
            .guarded
            .poll(cx)
            .map_err(BreakerError::flatten)
    }
}
