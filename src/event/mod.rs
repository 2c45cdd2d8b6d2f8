//! Events: what happened to breakers, and its delivery to listeners and streams.

mod bus;
mod depth;
mod listener;
mod queue;
mod stream;
mod warning;

pub(crate) use bus::{EventBus, Listeners};
pub(crate) use depth::ListenerDepth;
pub(crate) use listener::{CallInterest, Listen, Listener};
pub(crate) use queue::BoundedQueue;
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
        /// The state before.
        from: State,
        /// The state after.
        to: State,
        /// Why the state changed.
        cause: Cause,
        /// How long a circuit that opened refuses calls; [`Duration::MAX`] means until a command.
        retry_after: Option<Duration>,
    },
    /// An error had a type that no rule of the breaker knows. Sent once for each type.
    #[non_exhaustive]
    UnknownErrorType {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The name of the type, as [`std::any::type_name`] returns it.
        error_type: &'static str,
    },
    /// Several calls in a row were dropped, with no other outcome between them. This is the sign of a
    /// timeout outside the breaker, which hides a slow dependency from the breaker.
    #[non_exhaustive]
    CancelledInARow {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The number of dropped calls.
        calls: u32,
    },
    /// A call was refused.
    #[non_exhaustive]
    Refused {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// Why the call was refused.
        reason: Refusal,
        /// When a call may be admitted again, if that is known.
        retry_after: Option<Duration>,
    },
    /// A call ended and was recorded.
    #[non_exhaustive]
    Recorded {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The outcome of the call.
        outcome: Outcome,
        /// How long the call took, if the breaker measures time.
        elapsed: Option<Duration>,
    },
    /// A [metrics-only](crate::Mode::MetricsOnly) breaker would have opened.
    #[non_exhaustive]
    WouldTrip {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// [`Cause::Rule`] with the figures of the rule, or [`Cause::Asked`].
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
    /// A registry created a breaker.
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
    /// A registry evicted an idle breaker, to make room or because of its idle timeout.
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
        /// Why the registry does not keep the breaker.
        reason: NotKept,
    },
    /// Settings that were given where no error can be returned cannot work together with the layers below.
    /// They are left out as a whole.
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
    /// Two functions without an explicit name have the same default name, and share a breaker. Sent once
    /// for each function after the first.
    #[non_exhaustive]
    NameShared {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The place of the later function: `src/users.rs:12`.
        place: &'static str,
        /// The place of the first function.
        first: &'static str,
    },
    /// Events were dropped because a queue was full: that of a stream, or that of a breaker, where state
    /// changes wait for slow listeners. Each has room for 1,024 events. This event stands where they are
    /// missing.
    #[non_exhaustive]
    Missed {
        /// The name of the breaker whose queue was full, or `None` if the stream was full.
        breaker: Option<Arc<str>>,
        /// The number of dropped events.
        events: u64,
    },
    /// A listener panicked. The panic was caught.
    #[non_exhaustive]
    ListenerPanicked {
        /// The name of the breaker whose event the listener received.
        breaker: Arc<str>,
        /// The message of the panic, if it had one.
        message: Arc<str>,
    },
}

/// Why a registry did not keep a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum NotKept {
    /// The name is not 1 to 256 bytes long.
    InvalidName,
    /// The registry is full, and no breaker may be evicted.
    NoRoom,
}

/// Why a circuit changed its state.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// A rule tripped, with these figures.
    Rule(RuleSnapshot),
    /// Too few trials are left for enough of them to succeed.
    TrialFailed,
    /// Enough trials succeeded.
    TrialsSucceeded,
    /// The recovery timeout has passed, and a trial was admitted.
    Recovering,
    /// The dependency asked for no calls during this time ([`Outcome::TripFor`]).
    Asked(Duration),
    /// A [command](crate::CircuitBreaker::because).
    #[non_exhaustive]
    Manual {
        /// The reason, if one was given; at most 256 bytes.
        reason: Option<Arc<str>>,
        /// The actor, if one was given; at most 256 bytes.
        actor: Option<Arc<str>>,
    },
    /// New settings had another mode.
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
    /// Whether the event is about a single call. Subscribers to changes do not get such events.
    pub(crate) fn is_of_a_call(&self) -> bool {
        matches!(self, Self::Recorded { .. } | Self::Refused { .. })
    }

    /// Returns the name of the breaker, or an empty name for [`Event::Missed`] of a stream.
    pub fn breaker(&self) -> &str {
        match self {
            Self::Missed { breaker, .. } => breaker.as_deref().unwrap_or_default(),
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
