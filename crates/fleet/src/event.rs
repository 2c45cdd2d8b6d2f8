//! [`FleetEvent`]: what a fleet reports.

use crate::protocol::Verb;
use crate::share::Share;
use crate::store::StoreError;
use breakerbox::fleet::CauseKind;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a fleet reports to [`on_event`](crate::FleetBuilder::on_event).
///
/// Transitions of circuits are events of their registry. Their cause is
/// [`Cause::Fleet`](breakerbox::Cause::Fleet) if the fleet made them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FleetEvent {
    /// The fleet is not connected, or only partly works. Local rules continue.
    #[non_exhaustive]
    Degraded {
        /// The reason.
        why: Degradation,
    },
    /// The fleet is connected, and knows the state of all circuits.
    #[non_exhaustive]
    Recovered {
        /// The time since the fleet was degraded, or since the start.
        after: Duration,
    },
    /// A circuit followed the fleet.
    #[non_exhaustive]
    Adopted {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// Whether the circuit opened. Otherwise, it closed.
        opened: bool,
        /// The instance whose circuit changed first.
        by: Arc<str>,
        /// The code of the reason. See [`Why`](crate::protocol::Why).
        why: Arc<str>,
    },
    /// The fleet has opened a circuit, but this node does not follow.
    #[non_exhaustive]
    Ignored {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The policy.
        policy: Share,
        /// The instance whose circuit opened first.
        by: Arc<str>,
    },
    /// A circuit follows a command of an operator, or no longer does, or was closed by one.
    #[non_exhaustive]
    Commanded {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// What the circuit does. [`Verb::Release`] means that the command was released or has ended.
        verb: Verb,
        /// The operator, if the command names one.
        actor: Option<Arc<str>>,
        /// The reason, if the command has one.
        reason: Option<Arc<str>>,
    },
    /// This node tries the dependency for the fleet.
    #[non_exhaustive]
    LeaseGranted {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// This node lost a lease before its trials ended. Another node may try.
    #[non_exhaustive]
    LeaseLost {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
}

/// Why a fleet is degraded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Degradation {
    /// The first connection has not been made yet.
    Connecting,
    /// The connection failed.
    Link(StoreError),
    /// The store answers, but accepts no writes. Contains the reason.
    ReadOnly(String),
    /// The store writes changes, but cannot publish them. Other nodes learn of them up to 5 s later.
    Unpublished,
    /// The process was forked after the start. The child has no fleet.
    Forked,
    /// The fleet was shut down, its registry was dropped, or its runtime has ended.
    Ended,
}

impl fmt::Display for Degradation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("the first connection is being made"),
            Self::Link(error) => error.fmt(f),
            Self::ReadOnly(why) => write!(f, "the store accepts no writes: {why}"),
            Self::Unpublished => f.write_str("the store cannot publish changes"),
            Self::Forked => f.write_str("the process was forked, and the child has no fleet"),
            Self::Ended => f.write_str("the fleet has ended"),
        }
    }
}

/// Writes a sentence for a log line.
impl fmt::Display for FleetEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Degraded { why } => write!(f, "the fleet is degraded: {why}"),
            Self::Recovered { after } => {
                write!(
                    f,
                    "the fleet is connected, after {after:.1?} without the store"
                )
            }
            Self::Adopted {
                breaker,
                opened,
                by,
                why,
            } => {
                let verb = if *opened { "opened" } else { "closed" };
                write!(f, "{breaker:?} {verb} because of {by}: {}", cause_of(why))
            }
            Self::Ignored {
                breaker,
                policy,
                by,
            } => {
                write!(f, "{breaker:?} ignored an opening of {by} ({policy})")
            }
            Self::Commanded {
                breaker,
                verb,
                actor,
                reason,
            } => {
                write!(f, "{breaker:?} was {verb}")?;
                if let Some(actor) = actor {
                    write!(f, " by {actor:?}")?;
                }
                reason
                    .as_ref()
                    .map_or(Ok(()), |reason| write!(f, ": {reason:?}"))
            }
            Self::LeaseGranted { breaker } => {
                write!(f, "{breaker:?} is tried by this node for the fleet")
            }
            Self::LeaseLost { breaker } => {
                write!(
                    f,
                    "{breaker:?} is no longer tried by this node for the fleet"
                )
            }
        }
    }
}

/// Returns the cause that a code of a record stands for.
pub(crate) fn cause_of(code: &str) -> CauseKind {
    CauseKind::from_code(code).unwrap_or(match code {
        "lease" | "yielded" => CauseKind::Recovering,
        "succeeded" => CauseKind::TrialsSucceeded,
        "command" => CauseKind::Manual,
        // A code of a later version.
        _ => CauseKind::Failures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adoption_says_its_cause_in_words() {
        let event = |opened, why: &str| FleetEvent::Adopted {
            breaker: "users-api".into(),
            opened,
            by: "web-7".into(),
            why: why.into(),
        };
        assert_eq!(
            event(true, "consecutive").to_string(),
            "\"users-api\" opened because of web-7: consecutive failures"
        );
        assert_eq!(
            event(false, "succeeded").to_string(),
            "\"users-api\" closed because of web-7: enough trials succeeded"
        );
    }
}
