//! What happens to breakers, as events.

mod depth;
mod hub;
mod listener;
mod stream;
mod warning;

pub(crate) use depth::Level;
pub(crate) use hub::{Audience, Hub};
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(crate) use listener::Listen;
pub(crate) use listener::{Calls, Listener};
pub use stream::EventStream;
pub(crate) use warning::{Warned, print};

use crate::classify::Outcome;
use crate::error::ConfigError;
use crate::rules::RuleSnapshot;
use crate::state::{Refusal, State};
use crate::text::{Escaped, HumanDuration};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something that happened to a breaker.
///
/// State changes of one breaker arrive in their order, each beginning where the one before ended.
/// Other events are unordered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The circuit went from one state to another.
    #[non_exhaustive]
    StateChanged {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The state it left.
        from: State,
        /// The state it entered.
        to: State,
        /// Why.
        cause: Cause,
        /// For how long calls are refused, of a circuit that opened; [`Duration::MAX`] for ever.
        retry_after: Option<Duration>,
    },
    /// An error of a type that no rule of the breaker knows; sent for the first of each type.
    #[non_exhaustive]
    UnknownErrorType {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The name of the type, as the compiler writes it.
        error_type: &'static str,
    },
    /// Calls were dropped several times in a row, with no other outcome between: the sign of a
    /// timeout outside the breaker, which hides a slow dependency from it.
    #[non_exhaustive]
    CancelledInARow {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// How many.
        calls: u32,
    },
    /// A call was refused.
    #[non_exhaustive]
    Refused {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// Why.
        reason: Refusal,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// A call ended and was recorded.
    #[non_exhaustive]
    Recorded {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// What it counted as.
        outcome: Outcome,
        /// How long it took, where the breaker measures that.
        elapsed: Option<Duration>,
    },
    /// A breaker that only watches would have opened.
    #[non_exhaustive]
    WouldTrip {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// Why: [`Cause::Rule`] with the figures of the rule, or [`Cause::Asked`].
        cause: Cause,
    },
    /// Trials of a half-open circuit ran longer than their lease, and their slots were given to other
    /// calls. Sent once for each half-open period.
    ///
    /// Their outcomes still count while the period lasts. A
    /// [`trial_timeout`](crate::BreakerBuilder::trial_timeout) above the usual duration of a call avoids
    /// the lapse.
    #[non_exhaustive]
    TrialsOutlived {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The lease: the `trial_timeout` of the breaker.
        lease: Duration,
        /// The number of trials that lost their slots.
        trials: u32,
    },
    /// The settings of a live breaker were replaced.
    #[non_exhaustive]
    Configured {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// A registry made a breaker.
    #[non_exhaustive]
    BreakerAdded {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// A breaker that had been created by use was registered.
    #[non_exhaustive]
    BreakerAdopted {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// A breaker was removed from its registry.
    #[non_exhaustive]
    BreakerRemoved {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// A registry let an idle breaker go, to make room or because it was idle for long.
    #[non_exhaustive]
    BreakerEvicted {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// A name got a breaker that the registry does not keep.
    #[non_exhaustive]
    NotKept {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// Why.
        reason: NotKept,
    },
    /// Settings that were given where no error can be returned cannot work; the breaker got those
    /// that were due to its name otherwise.
    #[non_exhaustive]
    SettingsRefused {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// What is wrong with them.
        error: ConfigError,
    },
    /// Settings are ignored, because another place says something else: a
    /// [`#[circuit]`](https://docs.rs/breakerbox/latest/breakerbox/attr.circuit.html) or
    /// [`breaker_with`](crate::BreakerRegistry::breaker_with) that came first, or the document, which
    /// overrides `configure`. Sent once for each such `#[circuit]` and breaker, and at each `configure`.
    #[non_exhaustive]
    SettingsIgnored {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The settings: `failure_threshold, half_open_calls`.
        settings: Arc<str>,
        /// Where the ignored values are written: `src/users.rs:12`.
        place: Arc<str>,
        /// Where the values are written that hold: a place in code, or the path in the document.
        first: Arc<str>,
    },
    /// Two functions have the same name, since neither was given one, and so share a breaker. Sent
    /// once for each function after the first.
    #[non_exhaustive]
    NameShared {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// Where the later function is: `src/users.rs:12`.
        place: &'static str,
        /// Where the one is that came first.
        first: &'static str,
    },
    /// A stream was full, and so many events were not put into it. It stands in the stream where they
    /// are missing, and nowhere else.
    #[non_exhaustive]
    Missed {
        /// How many.
        events: u64,
    },
    /// A listener panicked; the others, and all calls, go on.
    #[non_exhaustive]
    ListenerPanicked {
        /// The name of the breaker whose event it was told.
        breaker: Arc<str>,
        /// What it panicked with, if that was a text.
        message: Arc<str>,
    },
}

/// Why a registry did not keep a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum NotKept {
    /// Its name is not 1 to 256 bytes long.
    InvalidName,
    /// The registry is full of breakers that must not go.
    NoRoom,
}

/// Why a circuit changed its state.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// A rule tripped, at these figures.
    Rule(RuleSnapshot),
    /// Too few trials are left for enough of them to succeed.
    TrialFailed,
    /// Enough trials succeeded.
    TrialsSucceeded,
    /// The recovery timeout has passed and a trial was let through.
    Recovering,
    /// The dependency asked to be left alone for so long ([`Outcome::TripFor`]).
    Asked(Duration),
    /// A [command](crate::CircuitBreaker::because).
    #[non_exhaustive]
    Manual {
        /// Why it was given, if that was said; at most 256 bytes.
        reason: Option<Arc<str>>,
        /// Who gave it, if that was said; at most 256 bytes.
        actor: Option<Arc<str>>,
    },
    /// New settings with another mode.
    Configured,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(f),
            Self::TrialFailed => f.write_str("a trial failed"),
            Self::TrialsSucceeded => f.write_str("the trials succeeded"),
            Self::Recovering => f.write_str("the recovery timeout has passed"),
            Self::Asked(time) => write!(f, "asked to wait for {}", HumanDuration(*time)),
            Self::Manual { reason, actor } => {
                f.write_str("a command")?;
                if let Some(actor) = actor {
                    write!(f, " by {}", Escaped(actor))?;
                }
                if let Some(reason) = reason {
                    write!(f, ": {}", Escaped(reason))?;
                }
                Ok(())
            }
            Self::Configured => f.write_str("new settings"),
        }
    }
}

impl Event {
    /// Whether it is about a single call, as many events as there are calls.
    pub(crate) fn is_of_a_call(&self) -> bool {
        matches!(self, Self::Recorded { .. } | Self::Refused { .. })
    }

    /// The name of the breaker; empty for [`Event::Missed`], which is about a stream.
    pub fn breaker(&self) -> &str {
        match self {
            Self::Missed { .. } => "",
            Self::StateChanged { breaker, .. }
            | Self::UnknownErrorType { breaker, .. }
            | Self::CancelledInARow { breaker, .. }
            | Self::Refused { breaker, .. }
            | Self::Recorded { breaker, .. }
            | Self::WouldTrip { breaker, .. }
            | Self::TrialsOutlived { breaker, .. }
            | Self::Configured { breaker }
            | Self::BreakerAdded { breaker }
            | Self::BreakerAdopted { breaker }
            | Self::BreakerRemoved { breaker }
            | Self::BreakerEvicted { breaker }
            | Self::NotKept { breaker, .. }
            | Self::SettingsRefused { breaker, .. }
            | Self::SettingsIgnored { breaker, .. }
            | Self::NameShared { breaker, .. }
            | Self::ListenerPanicked { breaker, .. } => breaker,
        }
    }
}
