//! [`Message`]: what a process of the service reports, as one line of JSON.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;

/// A line of the standard output of a process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The shared circuit changed its state.
    Changed(Change),
    /// An event of the fleet, as text.
    Fleet(String),
    /// The latest figures, ten times a second and at the end.
    Report(Report),
}

/// A transition of the shared circuit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    /// The new state.
    pub(crate) to: String,
    pub(crate) cause: String,
    /// Whether the fleet made the transition, because of another process or with a lease.
    pub(crate) is_by_fleet: bool,
}

/// The figures of a process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Whether Redis answers.
    pub(crate) is_connected: bool,
    /// The circuits that are open or half-open with the fleet.
    pub(crate) open: usize,
    /// The calls of each circuit.
    pub(crate) calls: BTreeMap<String, Calls>,
}

/// The completed calls of one circuit.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Calls {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) refused: u64,
    /// How often a call waited for anything else than its request.
    pub(crate) delayed: u64,
}

impl Calls {
    pub(crate) fn total(self) -> u64 {
        self.succeeded + self.failed + self.refused
    }
}

impl Message {
    /// Writes the line. A reader that is gone has closed the standard input, too, which ends the process.
    pub(crate) fn send(&self) {
        let line = serde_json::to_string(self).expect("a message is JSON");
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}
