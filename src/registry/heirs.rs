//! Those who keep the figures of breakers that leave.

use super::shared::Shared;
use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::sync::Mutex;
use std::sync::{Arc, Weak};

/// Somebody who keeps the last figures of breakers that leave the registry.
///
/// Told of the breaker itself, which an event cannot be: events have names only, and a name may be
/// somebody else's by the time that its event comes.
pub(crate) trait Heir: Send + Sync {
    /// Called outside every lock, once, when the breaker has left.
    fn inherit(&self, circuit: &Arc<Circuit>);
}

#[derive(Default)]
pub(super) struct Heirs(Mutex<Vec<Weak<dyn Heir>>>);

impl Heirs {
    pub(super) fn tell(&self, breaker: &CircuitBreaker) {
        let heirs = self.0.lock().clone();
        for heir in heirs.iter().filter_map(Weak::upgrade) {
            heir.inherit(&breaker.circuit);
        }
    }
}

impl Shared {
    pub(crate) fn add_heir(&self, heir: Weak<dyn Heir>) {
        let mut heirs = self.heirs.0.lock();
        heirs.retain(|heir| heir.strong_count() > 0);
        heirs.push(heir);
    }

    /// The breakers of the registry, none of which is held by this: it may go meanwhile.
    pub(crate) fn circuits(&self) -> Vec<Weak<Circuit>> {
        let all = self.breakers.iter();
        all.map(|entry| Arc::downgrade(&entry.value().circuit))
            .collect()
    }

    /// Whether the registry keeps a breaker of that name. No use of it.
    pub(crate) fn keeps(&self, name: &str) -> bool {
        self.breakers.contains_key(name)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.limits.capacity
    }

    /// The registry goes, and its breakers leave it.
    pub(super) fn bequeath(&self) {
        if self.heirs.0.lock().is_empty() {
            return;
        }
        for circuit in self.circuits().iter().filter_map(Weak::upgrade) {
            circuit.entry.mark_removed();
            self.heirs.tell(&CircuitBreaker { circuit });
        }
    }
}
