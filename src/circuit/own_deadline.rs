//! [`OwnDeadline`]: the deadline of an open circuit without the orders of a fleet.
//!
//! A fleet moves deadlines. It has to know for how long the circuit would stay open without the
//! fleet, and which part of that time a hint or a command asked for.

use super::locked::Locked;
use super::pending_changes::PendingChange;
use super::shell::Circuit;
use super::transition::OpenPeriod;
use crate::clock::Moment;
use crate::event::Cause;
use crate::sync::Ordering;

/// The deadlines of an open circuit without the orders of a fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct OwnDeadline {
    /// `None` if only the fleet opened the circuit.
    pub(super) deadline: Option<Moment>,
    /// The latest deadline that a hint or a command asked for.
    pub(super) asked: Option<Moment>,
}

impl OwnDeadline {
    /// Adds the deadline of a hint, which never shortens an opening.
    fn with_hint(self, hint: Moment) -> Self {
        Self {
            deadline: self.deadline.max(Some(hint)),
            asked: self.asked.max(Some(hint)),
        }
    }
}

impl Circuit {
    /// Stores the own deadline of an opening, whose deadline and cause are set.
    pub(super) fn begin_own_deadline(&self, locked: &mut Locked, period: OpenPeriod) {
        let deadline = Some(self.deadline_locked());
        let is_manual = matches!(locked.cause(), Some(Cause::Manual { .. }));
        let own = match period {
            OpenPeriod::Fleet(..) => OwnDeadline::default(),
            OpenPeriod::Backoff if !is_manual => OwnDeadline {
                deadline,
                asked: None,
            },
            _ => OwnDeadline {
                deadline,
                asked: deadline,
            },
        };
        locked.set_own_deadline(own);
    }

    /// Makes the present deadline that of a command, if the cause says so.
    pub(super) fn take_over_deadline(&self, locked: &mut Locked) {
        if !matches!(locked.cause(), Some(Cause::Manual { .. })) {
            return;
        }
        let deadline = Some(self.deadline_locked());
        locked.set_own_deadline(OwnDeadline {
            deadline,
            asked: deadline,
        });
        self.note_deadline(locked);
    }

    /// Adds the deadline of a hint, whether or not it moves the deadline of the circuit.
    pub(super) fn add_hint(&self, locked: &mut Locked, hint: Moment) {
        let before = locked.own_deadline();
        let own = before.with_hint(hint);
        if own != before {
            locked.set_own_deadline(own);
            self.note_deadline(locked);
        }
    }

    /// Reports that the deadline was set, and gives the circuit another mark.
    pub(super) fn note_deadline(&self, locked: &mut Locked) {
        locked.change_mark();
        self.queue_change(locked, PendingChange::Deadline);
    }

    /// Returns the deadline. Called with the lock held.
    fn deadline_locked(&self) -> Moment {
        // Ordering: `Relaxed`, because the deadline changes only under the lock.
        Moment::from_nanos(self.deadline.load(Ordering::Relaxed))
    }
}
