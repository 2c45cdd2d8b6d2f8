//! [`Known`]: what the store last said about one circuit.

use super::timing::Time;
use crate::event::cause_of;
use crate::protocol::{MAX_ATTEMPT, Phase, RecordView, Version};
use breakerbox::Cause;
use std::sync::Arc;

/// What the store last said about one circuit.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) version: Version,
    pub(crate) phase: Phase,
    /// The end of the open period or of the lease, by the clock of this node. Never too early,
    /// because it is counted from the receipt.
    pub(crate) end: Time,
    pub(crate) attempt: u32,
    pub(crate) by: Arc<str>,
    pub(crate) why: Arc<str>,
    /// When the store last said so.
    pub(crate) heard: Time,
}

impl Known {
    pub(crate) fn new(view: &RecordView, now: Time) -> Self {
        Self {
            version: view.version,
            phase: view.phase,
            end: now.saturating_add(view.left),
            attempt: view.attempt.min(MAX_ATTEMPT),
            by: view.by.as_str().into(),
            why: view.why.as_str().into(),
            heard: now,
        }
    }

    /// Whether the fleet keeps the circuit open, or a node tries.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Leased)
    }

    /// Whether the open period or the lease lasts.
    pub(crate) fn holds(&self, now: Time) -> bool {
        self.is_open() && now < self.end
    }

    /// Returns the cause of an order that follows this record.
    pub(crate) fn cause(&self) -> Cause {
        Cause::fleet(self.by.clone(), cause_of(&self.why))
    }
}
