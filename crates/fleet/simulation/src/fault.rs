//! [`Fault`]: what goes wrong, and when.

use breakerbox_fleet::protocol::Verb;
use std::fmt;

/// One change of the network, of the store or of a node.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The path of a node loses, doubles or delays what it carries.
    Path {
        /// The node.
        node: usize,
        /// The share that gets lost.
        loss: f64,
        /// The share that arrives twice.
        duplicate: f64,
        /// The longest delay in milliseconds.
        delay_ms: u64,
        /// Whether messages overtake each other.
        reorder: bool,
    },
    /// The replies to a node take longer.
    SlowReplies {
        /// The node.
        node: usize,
        /// The additional delay in milliseconds.
        reply_ms: u64,
    },
    /// Nothing arrives from or at a node, although its connection does not end.
    Cut(usize),
    /// The path of a node works again.
    Mend(usize),
    /// The connection of a node ends.
    Kill(usize),
    /// All connections end.
    KillAll,
    /// Messages to a node were lost, because it was too slow.
    Overflow(usize),
    /// The store refuses connections.
    StoreAway,
    /// The store executes nothing for a while, as after SIGSTOP. Requests wait.
    StoreHangs,
    /// The store accepts no writes.
    StoreReadOnly,
    /// The store works again.
    StoreBack,
    /// The store forgets everything.
    Flush,
    /// The state of the store is copied to the replica that takes over later.
    Snapshot,
    /// The replica takes over, with another clock.
    FailOver {
        /// By how many milliseconds its clock is ahead.
        skew_ms: i64,
    },
    /// A node ends without a farewell.
    Crash(usize),
    /// A node that has ended starts again, with nothing.
    Start(usize),
    /// A node shuts down, and starts again with nothing.
    Redeploy(usize),
    /// A node stops for a while, as after SIGSTOP.
    Pause(usize),
    /// A node continues.
    Resume(usize),
    /// An operator gives a command to the fleet.
    Command {
        /// The node at which the command is given.
        node: usize,
        /// The index of the circuit, or `None` for all circuits.
        circuit: Option<usize>,
        /// What the circuits do.
        verb: Verb,
        /// How many seconds the command lasts.
        seconds: u32,
    },
    /// An operator closes circuits of the fleet.
    Close {
        /// The node at which the command is given.
        node: usize,
        /// The index of the circuit, or `None` for all circuits.
        circuit: Option<usize>,
    },
    /// A circuit of a node is forced open by a local command.
    ForceOpen {
        /// The node.
        node: usize,
        /// The index of the circuit.
        circuit: usize,
    },
    /// A circuit of a node is disabled by a local command.
    Disable {
        /// The node.
        node: usize,
        /// The index of the circuit.
        circuit: usize,
    },
    /// A circuit of a node is reset by a local command.
    Reset {
        /// The node.
        node: usize,
        /// The index of the circuit.
        circuit: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-- {self:?}")
    }
}
