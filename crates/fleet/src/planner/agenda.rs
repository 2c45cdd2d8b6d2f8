//! [`Agenda`]: when to look at which circuit, and which circuits have something to send.

use super::timing::Time;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// When to look at which circuit, and which circuits have something to send.
///
/// A name has at most one timer and one place in the outbox, so both are as large as the registry at
/// most.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    timers: BTreeSet<(Time, Arc<str>)>,
    due: HashMap<Arc<str>, Time>,
    outbox: BTreeSet<(Urgency, Arc<str>)>,
}

/// The order in which operations are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// Leases expire.
    Lease,
    Other,
}

impl Agenda {
    /// Replaces the timer of a circuit.
    pub(crate) fn set_due(&mut self, name: &Arc<str>, due: Option<Time>) {
        let before = match due {
            Some(due) => self.due.insert(name.clone(), due),
            None => self.due.remove(name),
        };
        if before == due {
            return;
        }
        if let Some(before) = before {
            self.timers.remove(&(before, name.clone()));
        }
        if let Some(due) = due {
            self.timers.insert((due, name.clone()));
        }
    }

    /// Removes and returns a circuit whose time has come.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Arc<str>> {
        let (due, _) = self.timers.first()?;
        if *due > now {
            return None;
        }
        let (_, name) = self.timers.pop_first()?;
        self.due.remove(&name);
        Some(name)
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.timers.first().map(|(due, _)| *due)
    }

    pub(crate) fn send(&mut self, name: &Arc<str>, urgency: Urgency) {
        self.outbox.insert((urgency, name.clone()));
    }

    /// Removes and returns the next circuit that has something to send.
    pub(crate) fn pop_outgoing(&mut self) -> Option<Arc<str>> {
        self.outbox.pop_first().map(|(_, name)| name)
    }

    pub(crate) fn has_outgoing(&self) -> bool {
        !self.outbox.is_empty()
    }
}
