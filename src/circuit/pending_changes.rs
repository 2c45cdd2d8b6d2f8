//! [`PendingChanges`]: the changes of one circuit that its observers have not been told yet.

use super::locked::Locked;
use super::running_trials::outside;
use super::shell::Circuit;
use crate::event::Change;
use crate::state::State;
use std::mem;
use std::sync::Arc;

/// A change of a circuit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PendingChange {
    Transition(State, State),
    Deadline,
}

impl PendingChange {
    fn of(self, breaker: Arc<str>) -> Change {
        match self {
            Self::Transition(from, to) => Change::Transition { breaker, from, to },
            Self::Deadline => Change::Deadline { breaker },
        }
    }
}

/// Changes in their order, and the right of one thread to report them.
///
/// # Invariants
///
/// 1. One thread reports at a time, so the observers are told the changes in their order.
/// 2. The thread that ends reporting found no change under the lock. A change is therefore reported
///    at once, by the thread that made it or by the thread that is reporting, and no change waits
///    for a call. An observer that changes the circuit at each report ends this after
///    [`MAX_ROUNDS`]; the next change then reports the rest.
#[derive(Debug, Default)]
pub(super) struct PendingChanges {
    changes: Vec<PendingChange>,
    /// Whether a thread is reporting.
    reporting: bool,
}

/// The maximum number of times that one thread looks for further changes.
const MAX_ROUNDS: u32 = 64;

impl PendingChanges {
    pub(super) fn push(&mut self, change: PendingChange) {
        self.changes.push(change);
    }

    /// Begins to report. Returns `false` if there is no change, or if a thread is reporting.
    fn try_begin(&mut self) -> bool {
        !self.reporting && !self.changes.is_empty() && {
            self.reporting = true;
            true
        }
    }

    /// Returns the changes to report. Without any, reporting ends.
    fn take(&mut self) -> Vec<PendingChange> {
        let taken = mem::take(&mut self.changes);
        self.reporting = !taken.is_empty();
        taken
    }

    fn end(&mut self) {
        self.reporting = false;
    }
}

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
