//! Waits for a circuit to admit a call, instead of being refused.

use crate::clock::ClockSource;
use crate::panic::catch;
use crate::refusal_details::RefusalDetails;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

/// The waiters of one circuit, in the order of their arrival. The first one watches the circuit.
///
/// Only the first waiter sleeps and is woken. When it is admitted or dropped, the next one becomes
/// the first. So a circuit that closes admits its waiters one after another, in order, and no
/// wake-up is lost with a waiter that is dropped. A waiter that is not the first tries every second
/// or two, in case the first is a future that is no longer polled.
#[derive(Debug, Default)]
pub(super) struct WaitQueue {
    queue: Mutex<()>,
    changed: Notify,
}

/// How long a waiter that is not the first waits before it tries; at most twice as long.
const POLL_INTERVAL_IN_QUEUE: Duration = Duration::from_secs(1);

/// The longest sleep of the first waiter with a custom clock, which may move without a wake-up.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The longest sleep of the first waiter.
const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// The longest delay on top of a wait, as a share of that wait. It spreads the calls of many
/// processes that wait for one dependency.
const JITTER: f64 = 0.01;
const MAX_JITTER: Duration = Duration::from_millis(100);

impl WaitQueue {
    /// Wakes the first waiter.
    pub(super) fn wake_next(&self) {
        // A panic of the waker concerns its own task only.
        drop(catch(|| self.changed.notify_one()));
    }

    /// Waits until `try_acquire` succeeds.
    pub(super) async fn wait<T>(
        &self,
        clock: &ClockSource,
        try_acquire: impl Fn() -> Result<T, RefusalDetails>,
    ) -> T {
        // Without other waiters, the first attempt needs no timer of a runtime.
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
            // Created before the attempt, so that a change after the attempt is not missed.
            let changed = self.changed.notified();
            match try_acquire() {
                Ok(acquired) => return acquired,
                Err(refused) => drop(timeout(wait_hint(clock, refused), changed).await),
            }
        }
    }
}

/// Returns how long to sleep after a refusal.
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
