//! [`OwnDeadline`]: the deadline of an open circuit without the orders of a fleet.

use crate::clock::Moment;

/// The deadlines of an open circuit without the orders of a fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct OwnDeadline {
    /// `None` if only the fleet opened the circuit.
    pub(super) deadline: Option<Moment>,
    /// The latest deadline that a hint or a command asked for.
    pub(super) asked: Option<Moment>,
}

impl OwnDeadline {
    /// Returns the deadline of an opening for which a hint or a command asked.
    pub(super) fn asked(deadline: Moment) -> Self {
        Self {
            deadline: Some(deadline),
            asked: Some(deadline),
        }
    }

    /// Returns the deadline of an opening by the backoff.
    pub(super) fn by_backoff(deadline: Moment) -> Self {
        Self {
            deadline: Some(deadline),
            asked: None,
        }
    }

    /// Adds the deadline of a hint, which never shortens an opening.
    pub(super) fn with_hint(self, hint: Moment) -> Self {
        Self {
            deadline: self.deadline.max(Some(hint)),
            asked: self.asked.max(Some(hint)),
        }
    }
}
