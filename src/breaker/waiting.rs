//! Waiting for a circuit instead of being refused.

use super::circuit::Circuit;
use crate::clock::Timepiece;
use crate::error::CircuitOpen;
use crate::guard::Attempt;
use crate::{CircuitBreaker, Permit};
use std::time::Duration;
use tokio::sync::{Mutex, Notify};

/// Those who wait for a circuit: a queue, of which the first one watches the circuit.
///
/// Only the first sleeps and is woken; it is let in or waits on, and then makes way for the next. So
/// who came first is let in first, a circuit that closes lets its queue in one after another, and
/// nobody's wake-up is lost with a waiter that is dropped: the queue moves up.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queue: Mutex<()>,
    changed: Notify,
}

/// How long a waiter sleeps at most before it looks again, where time is not the system's: another
/// clock may be moved at any moment, and wakes nobody.
const GLANCE: Duration = Duration::from_millis(10);

/// Beyond any sleep worth its name.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The most that a waiter sleeps longer than it must, as a share of the wait: many processes that
/// wait for one dependency do not come back at once.
const JITTER: f64 = 0.01;
const MOST_JITTER: Duration = Duration::from_millis(100);

impl Circuit {
    /// A slot may be free, or the state another: whoever is first in the queue looks again.
    pub(super) fn call_next(&self) {
        if let Some(waiting) = self.waiting.get() {
            waiting.changed.notify_one();
        }
    }
}

pub(super) async fn until_ready(breaker: &CircuitBreaker) -> Permit {
    let waiting = breaker.circuit.waiting.get_or_init(Box::default);
    let _first = waiting.queue.lock().await;
    loop {
        // Before the look: what changes after it is not missed.
        let changed = waiting.changed.notified();
        let mut attempt = Attempt::new(breaker.clone());
        match attempt.admit_quietly() {
            Ok(()) => return Permit::new(attempt),
            Err(open) => {
                let nap = nap(&breaker.circuit.home.clock, &open);
                // Woken or not, it looks again.
                let _ = tokio::time::timeout(nap, changed).await;
            }
        }
    }
}

fn nap(clock: &Timepiece, open: &CircuitOpen) -> Duration {
    let left = open.retry_after().unwrap_or(LONGEST).min(LONGEST);
    match clock {
        Timepiece::System => {
            let spread = left.mul_f64(JITTER).min(MOST_JITTER);
            left + spread.mul_f64(fastrand::f64())
        }
        Timepiece::Custom(_) => left.min(GLANCE),
    }
}
