//! [`Mutants`]: faults of the engine that the tests of the fleet must find.

/// Faults of the engine that the tests of the fleet must find. All are off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, missing_docs)]
#[doc(hidden)]
pub struct Mutants {
    /// Asks for a lease before the open period has ended, and without demand.
    pub greedy_lease: bool,
    /// Goes on trying after the lease was lost.
    pub no_fencing: bool,
    /// Pulls only when it connects.
    pub no_pull: bool,
    /// Opens circuits for a day, and relies on the task to half-open them.
    pub no_dead_mans_switch: bool,
    /// Takes the absence of a record for a close.
    pub close_on_absent: bool,
    /// Counts a lease from the receipt of the answer.
    pub lease_from_receipt: bool,
    /// Publishes state that was adopted.
    pub republish_adopted: bool,
    /// Closes the circuit for each stale trip.
    pub always_close_on_stale: bool,
    /// Opens closed circuits for records that have ended.
    pub adopt_ended: bool,
    /// Applies the same record again after a local command.
    pub override_commands: bool,
    /// Leaves votes behind when circuits close.
    pub no_unvote: bool,
    /// Applies records in the order of their arrival.
    pub ignore_versions: bool,
    /// Says of each trip that it happens when the store receives it.
    pub trip_at_sending: bool,
    /// Half-opens by time alone while it is linked.
    pub no_extension: bool,
    /// Forgets which commands of operators were released.
    pub forget_releases: bool,
    /// Gives no command back to a store that has lost it.
    pub no_announcements: bool,
}
