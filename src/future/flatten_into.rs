//! [`FlattenInto`]: a guarded future that converts all errors.

use crate::error::BreakerError;
use pin_project_lite::pin_project;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A guarded future whose errors are converted to the error type `A` of an application, returned by
    /// [`flatten_into`](crate::WithBreaker::flatten_into).
    ///
    /// # Cancel safety
    ///
    /// Has the cancel safety of the guarded future.
    #[must_use = "futures do nothing unless polled"]
    pub struct FlattenInto<Fut, A> {
        #[pin]
        guarded: Fut,
        target: PhantomData<fn() -> A>,
    }
}

impl<Fut, A> FlattenInto<Fut, A> {
    #[inline]
    pub(crate) fn new(guarded: Fut) -> Self {
        Self {
            guarded,
            target: PhantomData,
        }
    }
}

impl<Fut, T, E, A> Future for FlattenInto<Fut, A>
where
    Fut: Future<Output = Result<T, BreakerError<E>>>,
    A: From<E> + From<BreakerError>,
{
    type Output = Result<T, A>;

    #[allow(clippy::inline_always)] // see `src/call.rs`
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, A>> {
        self.project()
            .guarded
            .poll(cx)
            .map_err(BreakerError::flatten_into)
    }
}

impl<Fut: fmt::Debug, A> fmt::Debug for FlattenInto<Fut, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlattenInto")
            .field("guarded", &self.guarded)
            .finish()
    }
}
