//! [`Why`]: the reason of a record, from a closed set.

use std::fmt;

/// Why a circuit is in its state.
///
/// Error texts are never shared, because they may contain secrets. A code of another version of the
/// protocol reads as [`Other`](Why::Other).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// Consecutive failures.
    Consecutive,
    /// A number of failures in a window.
    Failures,
    /// A failure rate.
    Rate,
    /// A rate of slow calls.
    Slow,
    /// A failed trial.
    Trial,
    /// The dependency asked for no calls, for example with `Retry-After`.
    Asked,
    /// A command at a node.
    Manual,
    /// A node has the lease of the half-open period.
    Lease,
    /// A node gave its lease back.
    Yielded,
    /// The trials succeeded.
    Succeeded,
    /// A command to the fleet.
    Command,
    /// Any other reason.
    #[default]
    Other,
}

const CODES: [(Why, &str); 12] = [
    (Why::Consecutive, "consecutive"),
    (Why::Failures, "failures"),
    (Why::Rate, "rate"),
    (Why::Slow, "slow"),
    (Why::Trial, "trial"),
    (Why::Asked, "asked"),
    (Why::Manual, "manual"),
    (Why::Lease, "lease"),
    (Why::Yielded, "yielded"),
    (Why::Succeeded, "succeeded"),
    (Why::Command, "command"),
    (Why::Other, "other"),
];

impl Why {
    /// Returns the code in records.
    pub fn code(self) -> &'static str {
        let found = CODES.iter().find(|(why, _)| *why == self);
        found.map_or("other", |(_, code)| code)
    }

    /// Parses a code.
    pub fn from_code(code: &str) -> Self {
        let found = CODES.iter().find(|(_, known)| *known == code);
        found.map_or(Self::Other, |(why, _)| *why)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}
