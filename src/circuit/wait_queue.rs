//! Waiting for a circuit instead of being refused.

use super::shell::Circuit;
use super::token::CallToken;
use crate::clock::ClockSource;
use crate::panic::catch;
use crate::refused::Refused;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

/// Those who wait for a circuit: a queue, of which the first one watches the circuit.
///
/// Only the first sleeps and is woken; it is let in or waits on, and then makes way for the next. So
/// who came first is let in first, a circuit that closes lets its queue in one after another, and
/// nobody's wake-up is lost with a waiter that is dropped: the queue moves up. Who is not the first looks
/// for itself every second or two, in case the first is a future that nobody polls.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queue: Mutex<()>,
    changed: Notify,
}

/// How long one who is not the first waits at least before it looks for itself; at most twice as long.
const GLANCE_IN_LINE: Duration = Duration::from_secs(1);

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
        let extras = self.known_extras();
        if let Some(waiting) = extras.and_then(|extras| extras.waiting.get()) {
            // A waker that panics has its task to itself.
            drop(catch(|| waiting.changed.notify_one()));
        }
    }

    /// Waits until a call is admitted.
    pub(crate) async fn wait_for_admission(&self) -> CallToken {
        wait(self, Self::try_admit).await
    }

    /// Waits until a call would be admitted.
    pub(crate) async fn wait_until_ready(&self) {
        wait(self, |circuit| circuit.check_ready().map_or(Ok(()), Err)).await;
    }
}

/// Waits until `look` finds that the circuit does not refuse.
async fn wait<T>(circuit: &Circuit, look: impl Fn(&Circuit) -> Result<T, Refused>) -> T {
    if circuit.word().admits_without_clock() || circuit.is_inside_trial() {
        // Neither a closed circuit nor the trial that runs on this thread takes a turn to pass: those in
        // the queue may be waiting for the slot of that very trial.
        if let Ok(found) = look(circuit) {
            return found;
        }
    }
    let waiting = circuit.extras().waiting.get_or_init(Waiting::default);
    // Who finds nobody waiting may look at once, and where there is no timer.
    let _first = if let Ok(first) = waiting.queue.try_lock() {
        first
    } else {
        let mut turn = pin!(waiting.queue.lock());
        loop {
            let glance = GLANCE_IN_LINE.mul_f64(1.0 + fastrand::f64());
            match timeout(glance, turn.as_mut()).await {
                Ok(first) => break first,
                // Whoever is first may be a future that nobody polls.
                Err(_) => {
                    if let Ok(found) = look(circuit) {
                        return found;
                    }
                }
            }
        }
    };
    loop {
        // Before the look: what changes after it is not missed.
        let changed = waiting.changed.notified();
        match look(circuit) {
            Ok(found) => return found,
            // Woken or not, it looks again.
            Err(refused) => drop(timeout(nap(&circuit.home.clock, refused), changed).await),
        }
    }
}

fn nap(clock: &ClockSource, refused: Refused) -> Duration {
    let left = refused.retry_after().unwrap_or(LONGEST).min(LONGEST);
    match clock {
        ClockSource::System => {
            let spread = left.mul_f64(JITTER).min(MOST_JITTER);
            left + spread.mul_f64(fastrand::f64())
        }
        ClockSource::Custom(_) => left.min(GLANCE),
    }
}
