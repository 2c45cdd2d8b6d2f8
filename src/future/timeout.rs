//! Limits of guarded futures: [`NoTimeout`] and [`Timeout`].
//!
//! The type of the limit determines the error type, so that a call without a timeout cannot return
//! `BreakerError::TimedOut`.

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

/// The limit of a guarded future: [`NoTimeout`] or [`Timeout`].
pub trait Limit: Clone + sealed::Sealed {
    /// The limit that has elapsed. Uninhabited for [`NoTimeout`].
    #[doc(hidden)]
    type Elapsed: Copy;
    /// The error type of a call with a fallback, which cannot return a refusal.
    type WithFallback<E>;

    #[doc(hidden)]
    fn start(self: Pin<&mut Self>);
    #[doc(hidden)]
    fn poll_elapsed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Elapsed>;
    #[doc(hidden)]
    fn limit(elapsed: Self::Elapsed) -> Duration;
    #[doc(hidden)]
    fn error<E>(elapsed: Self::Elapsed, name: &Arc<str>) -> BreakerError<E>;
    #[doc(hidden)]
    fn error_with_fallback<E>(elapsed: Self::Elapsed, name: &Arc<str>) -> Self::WithFallback<E>;
    #[doc(hidden)]
    fn inner_with_fallback<E>(error: E) -> Self::WithFallback<E>;
}

/// No timeout.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTimeout;

impl Limit for NoTimeout {
    type Elapsed = Infallible;
    type WithFallback<E> = E;

    #[inline]
    fn start(self: Pin<&mut Self>) {}

    #[inline]
    fn poll_elapsed(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Infallible> {
        Poll::Pending
    }

    fn limit(elapsed: Infallible) -> Duration {
        match elapsed {}
    }

    fn error<E>(elapsed: Infallible, _: &Arc<str>) -> BreakerError<E> {
        match elapsed {}
    }

    fn error_with_fallback<E>(elapsed: Infallible, _: &Arc<str>) -> E {
        match elapsed {}
    }

    fn inner_with_fallback<E>(error: E) -> E {
        error
    }
}

pin_project! {
    /// A timeout on tokio's clock that starts at the first poll of the call.
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

    /// Creates a timeout that starts now. Call it before admission, because it panics without a runtime,
    /// and an admitted call would hold a slot then.
    pub(crate) fn started(limit: Duration) -> Self {
        let timer = Some(tokio::time::sleep(limit));
        Self { limit, timer }
    }
}

/// A clone is not started, because a guarded function clones its limit for each call.
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
    type Elapsed = Duration;
    type WithFallback<E> = BreakerError<E>;

    #[inline]
    fn start(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.timer.set(Some(tokio::time::sleep(*this.limit)));
    }

    #[inline]
    fn poll_elapsed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Duration> {
        let this = self.project();
        let timer = this.timer.as_pin_mut();
        let limit = *this.limit;
        timer.map_or(Poll::Pending, |timer| timer.poll(cx).map(|()| limit))
    }

    fn limit(elapsed: Duration) -> Duration {
        elapsed
    }

    fn error<E>(elapsed: Duration, name: &Arc<str>) -> BreakerError<E> {
        BreakerError::TimedOut(CallTimeout::new(name.clone(), elapsed))
    }

    fn error_with_fallback<E>(elapsed: Duration, name: &Arc<str>) -> BreakerError<E> {
        Self::error(elapsed, name)
    }

    fn inner_with_fallback<E>(error: E) -> BreakerError<E> {
        BreakerError::Inner(error)
    }
}
