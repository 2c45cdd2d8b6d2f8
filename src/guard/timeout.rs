//! Whether a guarded future has a time limit, and so which errors it can still end in.

use crate::error::{BreakerError, CallTimeout};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NoTimeout {}
    impl Sealed for super::Timeout {}
}

/// [`NoTimeout`] or [`Timeout`].
pub trait Limit: Clone + sealed::Sealed {
    /// Proof that the limit has passed; there is none where there is no limit.
    #[doc(hidden)]
    type Late: Copy;
    /// The error once a fallback has answered for every open circuit.
    type WithFallback<E>;

    #[doc(hidden)]
    fn start(self: Pin<&mut Self>);
    #[doc(hidden)]
    fn poll_late(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Late>;
    #[doc(hidden)]
    fn limit(late: Self::Late) -> Duration;
    #[doc(hidden)]
    fn late<E>(late: Self::Late, name: &Arc<str>) -> BreakerError<E>;
    #[doc(hidden)]
    fn late_with_fallback<E>(late: Self::Late, name: &Arc<str>) -> Self::WithFallback<E>;
    #[doc(hidden)]
    fn inner_with_fallback<E>(error: E) -> Self::WithFallback<E>;
}

/// No time limit: `BreakerError::TimedOut` cannot happen.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTimeout;

impl Limit for NoTimeout {
    type Late = Infallible;
    type WithFallback<E> = E;

    #[inline]
    fn start(self: Pin<&mut Self>) {}

    #[inline]
    fn poll_late(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Infallible> {
        Poll::Pending
    }

    fn limit(late: Infallible) -> Duration {
        match late {}
    }

    fn late<E>(late: Infallible, _: &Arc<str>) -> BreakerError<E> {
        match late {}
    }

    fn late_with_fallback<E>(late: Infallible, _: &Arc<str>) -> E {
        match late {}
    }

    fn inner_with_fallback<E>(error: E) -> E {
        error
    }
}

pin_project! {
    /// A time limit, counted by tokio's clock from the first poll of the call.
    pub struct Timeout {
        limit: Duration,
        #[pin]
        timer: Option<tokio::time::Sleep>,
    }
}

impl Timeout {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Counting from now. Made before admission: without a timer's runtime this panics, and no
    /// slot may be taken.
    pub(crate) fn started(limit: Duration) -> Self {
        let timer = Some(tokio::time::sleep(limit));
        Self { limit, timer }
    }
}

/// Not started, whatever the original has done: a guarded function clones it for each call.
impl Clone for Timeout {
    fn clone(&self) -> Self {
        Self::new(self.limit)
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timeout").field(&self.limit).finish()
    }
}

impl Limit for Timeout {
    type Late = Duration;
    type WithFallback<E> = BreakerError<E>;

    #[inline]
    fn start(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.timer.set(Some(tokio::time::sleep(*this.limit)));
    }

    #[inline]
    fn poll_late(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Duration> {
        let this = self.project();
        let timer = this.timer.as_pin_mut();
        let limit = *this.limit;
        timer.map_or(Poll::Pending, |timer| timer.poll(cx).map(|()| limit))
    }

    fn limit(late: Duration) -> Duration {
        late
    }

    fn late<E>(late: Duration, name: &Arc<str>) -> BreakerError<E> {
        BreakerError::TimedOut(CallTimeout::new(name.clone(), late))
    }

    fn late_with_fallback<E>(late: Duration, name: &Arc<str>) -> BreakerError<E> {
        Self::late(late, name)
    }

    fn inner_with_fallback<E>(error: E) -> BreakerError<E> {
        BreakerError::Inner(error)
    }
}
