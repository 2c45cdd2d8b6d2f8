//! Limits of the time without an item: [`NoTimeout`] and [`IdleTimeout`].

use crate::future::NoTimeout;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NoTimeout {}
    impl Sealed for super::IdleTimeout {}
}

/// A deadline that cannot be represented is moved here, as far away as tokio moves its own.
const FAR_AWAY: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// How long a guarded stream may give no item: [`NoTimeout`] or [`IdleTimeout`].
pub trait IdleLimit: sealed::Sealed {
    /// Whether the limit can elapse.
    #[doc(hidden)]
    const MAY_ELAPSE: bool;

    /// Creates the timer. Call it before admission, because it panics without a runtime, and an admitted
    /// call would hold a slot then.
    #[doc(hidden)]
    fn start(self: Pin<&mut Self>);

    /// Polls the timer after a poll of the source that found nothing ready. The time runs from the first such
    /// poll. Returns the limit once it has elapsed.
    #[doc(hidden)]
    fn poll_elapsed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Duration>;

    /// Stops the time, because the source gave an item.
    #[doc(hidden)]
    fn pause(self: Pin<&mut Self>);
}

impl IdleLimit for NoTimeout {
    const MAY_ELAPSE: bool = false;

    #[inline]
    fn start(self: Pin<&mut Self>) {}

    #[inline]
    fn poll_elapsed(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Duration> {
        Poll::Pending
    }

    #[inline]
    fn pause(self: Pin<&mut Self>) {}
}

pin_project! {
    /// A limit on tokio's clock that runs while the source is awaited.
    pub struct IdleTimeout {
        limit: Duration,
        // Whether the timer runs, from a poll that found nothing ready until the next item. A timer that
        // does not run wakes the task at most once. Stopping it would take the lock of tokio's wheel for
        // each item.
        running: bool,
        #[pin]
        timer: Option<Sleep>,
    }
}

impl IdleTimeout {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            running: false,
            timer: None,
        }
    }
}

impl fmt::Debug for IdleTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IdleTimeout").field(&self.limit).finish()
    }
}

impl IdleLimit for IdleTimeout {
    const MAY_ELAPSE: bool = true;

    #[inline]
    fn start(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.timer.set(Some(sleep(*this.limit)));
    }

    #[inline]
    fn poll_elapsed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Duration> {
        let this = self.project();
        let Some(mut timer) = this.timer.as_pin_mut() else {
            return Poll::Pending;
        };
        if !*this.running {
            *this.running = true;
            let now = Instant::now();
            let deadline = now.checked_add(*this.limit);
            timer.as_mut().reset(deadline.unwrap_or(now + FAR_AWAY));
        }
        timer.poll(cx).map(|()| *this.limit)
    }

    #[inline]
    fn pause(self: Pin<&mut Self>) {
        *self.project().running = false;
    }
}
