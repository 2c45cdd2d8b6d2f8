//! Reports the changes of a circuit to the observers of its registry.
//!
//! Changes are queued under the lock, and reported in their order without it (see
//! [`PendingChanges`]). Unlike an event, a change never waits for the next call.

use super::locked::Locked;
use super::pending_changes::{MAX_ROUNDS, PendingChange, PendingChanges};
use super::running_trials::outside;
use super::shell::Circuit;

impl Circuit {
    /// Queues a change for the observers of the registry, if there are any and the breaker is still
    /// in the registry.
    pub(super) fn queue_change(&self, locked: &mut Locked, change: PendingChange) {
        let bus = self.context.bus.as_ref();
        if bus.is_some_and(|bus| bus.observers.has_any()) && !self.entry.is_removed() {
            locked.queue_change(change);
        }
    }

    /// Reports the changes that the observers of the registry have not been told yet. Must be
    /// called without the lock, after each change that was made under it.
    pub(super) fn tell_observers(&self) {
        let Some(bus) = &self.context.bus else { return };
        let begins = |changes: &mut PendingChanges| changes.try_begin();
        if !self.locked.lock().pending().is_some_and(begins) {
            return;
        }
        // No user code runs in this loop but the observers, whose panics are caught.
        for _ in 0..MAX_ROUNDS {
            let pending = self.locked.lock().pending().map(PendingChanges::take);
            let pending = pending.unwrap_or_default();
            if pending.is_empty() {
                return;
            }
            for change in pending {
                let change = change.of(self.name.clone());
                let panics = outside(|| bus.observers.tell(&change));
                for event in panics {
                    self.emit(|_| event);
                }
            }
        }
        if let Some(changes) = self.locked.lock().pending() {
            changes.end();
        }
    }
}
