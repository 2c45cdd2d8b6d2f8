//! [`Op`]: the operations of nodes on the records of a store.

use super::limits::{MAX_ATTEMPT, MAX_NAME, MAX_QUORUM, MAX_WORD, RETENTION};
use super::text::is_word;
use super::units::{Micros, Version, in_micros};
use super::why::Why;
use std::time::Duration;

/// One operation on the record of one circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// The circuit of this node has opened.
    Trip {
        /// The name of the circuit.
        name: String,
        /// The opening.
        trip: Trip,
    },
    /// Asks for the lease of the half-open period, or renews it.
    Lease {
        /// The name of the circuit.
        name: String,
        /// The request.
        request: LeaseRequest,
    },
    /// Gives a lease back, so that another node can have it immediately.
    Yield {
        /// The name of the circuit.
        name: String,
        /// The token of the lease.
        token: String,
    },
    /// Ends a half-open period with a verdict.
    Done {
        /// The name of the circuit.
        name: String,
        /// The token of the lease.
        token: String,
        /// `None` if the trials succeeded: the circuit closes.
        opening: Option<Opening>,
    },
    /// Withdraws the vote of this node, whose circuit has closed.
    Unvote {
        /// The name of the circuit.
        name: String,
    },
    /// Returns a record to a store that has lost its memory.
    Restore {
        /// The name of the circuit.
        name: String,
        /// The lost record.
        restoration: Restoration,
    },
    /// Closes the circuit by a command.
    Close {
        /// The name of the circuit.
        name: String,
    },
}

/// The opening of a circuit at one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// How long the circuit is open. At most [`RETENTION`].
    pub duration: Duration,
    /// When the circuit opened, by the store's clock. The store cuts it to its own time.
    pub at: Micros,
    /// The attempt of the backoff.
    pub attempt: u32,
    /// The reason.
    pub why: Why,
    /// The number of nodes whose circuits must be open: 1 to [`MAX_QUORUM`].
    pub quorum: u16,
    /// Whether this node has been the only one for a minute, by its own account. Its trip then opens
    /// the circuit without a quorum.
    pub alone: bool,
    /// How long the vote lives. At most [`RETENTION`].
    pub vote_ttl: Duration,
    /// If the fleet's circuit closed less than this time ago, its backoff continues. At most
    /// [`RETENTION`].
    pub reset_backoff_after: Duration,
}

/// A request for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The token, made for this request: 1 to 64 printable characters, and not `-`. A request that is
    /// sent again has the same token.
    pub token: String,
    /// How long the lease lasts. At most [`RETENTION`].
    pub duration: Duration,
    /// Whether calls wait for a trial. If another node holds the lease, it learns of the demand.
    pub demand: bool,
    /// If the circuit of this node was opened by the fleet: the attempt of the backoff. The lease is then
    /// granted even if the store has lost the record.
    pub opened_by_fleet: Option<u32>,
}

/// The next open period, after a failed trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// How long the circuit is open. At most [`RETENTION`].
    pub duration: Duration,
    /// The attempt of the backoff.
    pub attempt: u32,
    /// The reason.
    pub why: Why,
}

/// A record that a node had from a store which has lost it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    /// What is left of the open period. At most [`RETENTION`].
    pub left: Duration,
    /// The attempt of the backoff.
    pub attempt: u32,
    /// The instance that opened the circuit. Not empty.
    pub by: String,
    /// The code of the reason. Not empty.
    pub why: String,
    /// The version of the record when the store still had it. Not zero.
    pub version: Version,
}

impl Op {
    /// Returns the name of the circuit.
    pub fn name(&self) -> &str {
        match self {
            Self::Trip { name, .. }
            | Self::Lease { name, .. }
            | Self::Yield { name, .. }
            | Self::Done { name, .. }
            | Self::Unvote { name }
            | Self::Restore { name, .. }
            | Self::Close { name } => name,
        }
    }

    /// Returns the effective quorum of a trip, and 1 for other operations.
    ///
    /// `nodes` is the number of instances that the store has seen during the last
    /// [`NODE_TTL`](super::NODE_TTL). A node decides alone only if the store has seen no other, and if
    /// the node itself has seen no other for a minute. A store that has lost its memory therefore does
    /// not make one node a quorum.
    pub fn quorum(&self, nodes: u64) -> u16 {
        match self {
            Self::Trip { trip, .. } if nodes > 1 || !trip.alone => trip.quorum,
            _ => 1,
        }
    }

    /// Returns `true` if all arguments are within their bounds.
    pub(crate) fn is_valid(&self) -> bool {
        let is_short = |duration: &Duration| in_micros(*duration) <= in_micros(RETENTION);
        let is_token = |token: &str| is_word(token, 64);
        let is_named = (1..=MAX_NAME).contains(&self.name().len());
        is_named
            && match self {
                Self::Trip { trip, .. } => {
                    let durations = [&trip.duration, &trip.vote_ttl, &trip.reset_backoff_after];
                    durations.into_iter().all(is_short)
                        && trip.attempt <= MAX_ATTEMPT
                        && (1..=MAX_QUORUM).contains(&trip.quorum)
                }
                Self::Lease { request, .. } => {
                    is_short(&request.duration)
                        && is_token(&request.token)
                        && request
                            .opened_by_fleet
                            .is_none_or(|attempt| attempt <= MAX_ATTEMPT)
                }
                Self::Yield { token, .. } => is_token(token),
                Self::Done { token, opening, .. } => {
                    let is_valid = |opening: &Opening| {
                        is_short(&opening.duration) && opening.attempt <= MAX_ATTEMPT
                    };
                    is_token(token) && opening.as_ref().is_none_or(is_valid)
                }
                Self::Restore { restoration, .. } => {
                    is_short(&restoration.left)
                        && restoration.attempt <= MAX_ATTEMPT
                        && restoration.version.0 > 0
                        && is_word(&restoration.by, MAX_WORD)
                        && is_word(&restoration.why, MAX_WORD)
                }
                Self::Unvote { .. } | Self::Close { .. } => true,
            }
    }
}
