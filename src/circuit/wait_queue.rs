//! [`WaitQueue`]: tasks that wait until a circuit admits a call.

use crate::clock::ClockSource;
use crate::panic::catch;
use crate::refusal_details::RefusalDetails;
use std::pin::pin;
#[cfg(feature = "fleet")]
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

/// The waiting tasks of one circuit, in order of arrival.
///
/// Only the first waiter watches the circuit: it sleeps until it is woken. When it is admitted or
/// dropped, the next waiter becomes the first. A circuit that closes therefore admits its waiters
/// one after another, in order, and dropping a waiter loses no wake-up. The other waiters try every
/// one to two seconds, because the first one may be a future that is no longer polled.
#[derive(Debug, Default)]
pub(super) struct WaitQueue {
    queue: Mutex<()>,
    changed: Notify,
    /// The number of calls of [`wait`](Self::wait) in progress.
    #[cfg(feature = "fleet")]
    waiting: AtomicU32,
}

/// A task that is counted as waiting until it is admitted or dropped.
#[cfg(feature = "fleet")]
struct Waiting<'a>(&'a AtomicU32);

#[cfg(feature = "fleet")]
impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The minimum time between two attempts of a waiter that is not the first; the maximum is twice as
/// long.
const POLL_INTERVAL_IN_QUEUE: Duration = Duration::from_secs(1);

/// The maximum sleep of the first waiter with a custom clock, which may advance without a wake-up.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The maximum sleep of the first waiter.
const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// The maximum jitter, as a fraction of a wait. Jitter spreads the calls of the processes that wait
/// for one dependency.
const JITTER: f64 = 0.01;
/// The maximum jitter of a long wait.
const MAX_JITTER: Duration = Duration::from_millis(100);

impl WaitQueue {
    /// Wakes the first waiter.
    pub(super) fn wake_next(&self) {
        // A waker that panics must not affect the call that wakes it.
        drop(catch(|| self.changed.notify_one()));
    }

    /// Returns the number of waiting tasks.
    #[cfg(feature = "fleet")]
    pub(super) fn waiting(&self) -> u32 {
        // Ordering: `Relaxed`, because the number publishes nothing.
        self.waiting.load(Ordering::Relaxed)
    }

    #[cfg(feature = "fleet")]
    fn count(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.waiting)
    }

    /// Waits until `try_acquire` succeeds.
    pub(super) async fn wait<T>(
        &self,
        clock: &ClockSource,
        try_acquire: impl Fn() -> Result<T, RefusalDetails>,
    ) -> T {
        #[cfg(feature = "fleet")]
        let _waiting = self.count();
        // Without other waiters, an attempt that succeeds works outside a tokio runtime.
        let _first = if let Ok(first) = self.queue.try_lock() {
            first
        } else {
            let mut turn = pin!(self.queue.lock());
            loop {
                let interval = POLL_INTERVAL_IN_QUEUE.mul_f64(1.0 + fastrand::f64());
                match timeout(interval, turn.as_mut()).await {
                    Ok(first) => break first,
                    Err(_) => {
                        if let Ok(acquired) = try_acquire() {
                            return acquired;
                        }
                    }
                }
            }
        };
        loop {
            // A change after the attempt is not lost: `notify_one` stores a permit for `changed`.
            let changed = self.changed.notified();
            match try_acquire() {
                Ok(acquired) => return acquired,
                Err(refused) => drop(timeout(wait_hint(clock, refused), changed).await),
            }
        }
    }
}

/// Returns the time to sleep after a refusal.
fn wait_hint(clock: &ClockSource, refused: RefusalDetails) -> Duration {
    let left = refused.retry_after().unwrap_or(MAX_WAIT).min(MAX_WAIT);
    match clock {
        ClockSource::System => {
            let jitter = left.mul_f64(JITTER).min(MAX_JITTER);
            left + jitter.mul_f64(fastrand::f64())
        }
        ClockSource::Custom(_) => left.min(POLL_INTERVAL),
    }
}
