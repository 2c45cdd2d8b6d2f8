//! Keeps the [`OwnDeadline`] of a circuit, and reports deadlines that were set again.
//!
//! A fleet moves deadlines. It has to know how long the circuit would stay open without the fleet,
//! and which part of that time a hint or a command asked for.

use crate::circuit::locked::Locked;
use crate::circuit::own_deadline::OwnDeadline;
use crate::circuit::pending_changes::PendingChange;
use crate::circuit::shell::Circuit;
use crate::circuit::transition::OpenPeriod;
use crate::clock::Moment;
use crate::event::Cause;
use crate::sync::Ordering;

impl Circuit {
    /// Stores the own deadline of an opening, whose deadline and cause are set.
    pub(in crate::circuit) fn begin_own_deadline(&self, locked: &mut Locked, period: OpenPeriod) {
        let deadline = self.deadline_locked();
        let is_manual = matches!(locked.cause(), Some(Cause::Manual { .. }));
        let own = match period {
            OpenPeriod::Fleet(..) => OwnDeadline::default(),
            OpenPeriod::Backoff if !is_manual => OwnDeadline::by_backoff(deadline),
            _ => OwnDeadline::asked(deadline),
        };
        locked.set_own_deadline(own);
    }

    /// Makes the present deadline that of a command, if the cause says so.
    pub(in crate::circuit) fn take_over_deadline(&self, locked: &mut Locked) {
        if !matches!(locked.cause(), Some(Cause::Manual { .. })) {
            return;
        }
        locked.set_own_deadline(OwnDeadline::asked(self.deadline_locked()));
        self.note_deadline(locked);
    }

    /// Adds the deadline of a hint. `moved` says whether the hint has moved the deadline of the circuit.
    ///
    /// If an order has shortened that deadline, a hint may move it and still end before the own deadline.
    pub(in crate::circuit) fn add_hint(&self, locked: &mut Locked, hint: Moment, moved: bool) {
        let before = locked.own_deadline();
        let own = before.with_hint(hint);
        if own != before {
            locked.set_own_deadline(own);
        }
        if moved || own != before {
            self.note_deadline(locked);
        }
    }

    /// Reports that the deadline was set, and gives the circuit another mark.
    pub(in crate::circuit) fn note_deadline(&self, locked: &mut Locked) {
        locked.change_mark();
        self.queue_change(locked, PendingChange::Deadline);
    }

    /// Returns the deadline. Called with the lock held.
    fn deadline_locked(&self) -> Moment {
        // Ordering: `Relaxed`, because the deadline changes only under the lock.
        Moment::from_nanos(self.deadline.load(Ordering::Relaxed))
    }
}
