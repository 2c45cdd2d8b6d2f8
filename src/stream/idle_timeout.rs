//! Limits of the time without an item: [`NoTimeout`] and [`IdleTimeout`].

use crate::future::NoTimeout;
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
    fn start(&mut self);

    /// Polls the timer after a poll of the source that found nothing ready. The time runs from the first such
    /// poll. Returns the limit once it has elapsed.
    #[doc(hidden)]
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<Duration>;

    /// Stops the time, because the source gave an item.
    #[doc(hidden)]
    fn pause(&mut self);
}

impl IdleLimit for NoTimeout {
    const MAY_ELAPSE: bool = false;

    #[inline]
    fn start(&mut self) {}

    #[inline]
    fn poll_elapsed(&mut self, _: &mut Context<'_>) -> Poll<Duration> {
        Poll::Pending
    }

    #[inline]
    fn pause(&mut self) {}
}

/// A limit on tokio's clock that runs while the source is awaited.
pub struct IdleTimeout {
    limit: Duration,
    /// Whether the timer runs, from a poll that found nothing ready until the next item. A timer that does
    /// not run wakes the task at most once. Stopping it would take the lock of tokio's wheel for each item.
    running: bool,
    /// Boxed, so that the guarded stream is `Unpin` if its source is.
    timer: Option<Pin<Box<Sleep>>>,
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

    fn start(&mut self) {
        self.timer = Some(Box::pin(sleep(self.limit)));
    }

    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let Some(timer) = &mut self.timer else {
            return Poll::Pending;
        };
        if !self.running {
            self.running = true;
            let now = Instant::now();
            let deadline = now.checked_add(self.limit);
            timer.as_mut().reset(deadline.unwrap_or(now + FAR_AWAY));
        }
        timer.as_mut().poll(cx).map(|()| self.limit)
    }

    #[inline]
    fn pause(&mut self) {
        self.running = false;
    }
}
