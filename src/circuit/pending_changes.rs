//! [`PendingChanges`]: the changes of one circuit that its observers have not been told yet.

use crate::event::Change;
use crate::state::State;
use std::mem;
use std::sync::Arc;

/// A change of a circuit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PendingChange {
    Transition(State, State),
    Deadline,
    Share,
}

impl PendingChange {
    pub(super) fn of(self, breaker: Arc<str>) -> Change {
        match self {
            Self::Transition(from, to) => Change::Transition { breaker, from, to },
            Self::Deadline => Change::Deadline { breaker },
            Self::Share => Change::Share { breaker },
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
pub(super) const MAX_ROUNDS: u32 = 64;

impl PendingChanges {
    pub(super) fn push(&mut self, change: PendingChange) {
        self.changes.push(change);
    }

    /// Begins to report. Returns `false` if there is no change, or if a thread is reporting.
    pub(super) fn try_begin(&mut self) -> bool {
        !self.reporting && !self.changes.is_empty() && {
            self.reporting = true;
            true
        }
    }

    /// Returns the changes to report. Without any, reporting ends.
    pub(super) fn take(&mut self) -> Vec<PendingChange> {
        let taken = mem::take(&mut self.changes);
        self.reporting = !taken.is_empty();
        taken
    }

    pub(super) fn end(&mut self) {
        self.reporting = false;
    }
}
