//! Events of breakers, and their delivery to listeners and streams.

mod bus;
mod call_record;
#[cfg(feature = "fleet")]
mod cause_kind;
#[cfg(feature = "fleet")]
mod change;
mod depth;
mod listener;
#[cfg(feature = "fleet")]
mod observers;
mod queue;
mod recorders;
mod stream;
mod warning;

pub(crate) use bus::{EventBus, Listeners};
pub use call_record::{CallOutcome, CallRecord};
#[cfg(feature = "fleet")]
pub use cause_kind::CauseKind;
#[cfg(feature = "fleet")]
pub use change::Change;
pub(crate) use depth::ListenerDepth;
pub(crate) use listener::{CallInterest, Listen, Listener};
#[cfg(feature = "fleet")]
pub(crate) use observers::{Observer, Observers};
pub(crate) use queue::BoundedQueue;
pub(crate) use recorders::{Recorder, Recorders};
pub use stream::EventStream;
pub(crate) use warning::{Warned, print};

use crate::classify::Outcome;
use crate::error::{ConfigError, RefusalCause};
use crate::panic::Payload;
use crate::rules::{RuleKind, RuleSnapshot};
use crate::state::{Refusal, State};
use crate::text::{Escaped, HumanDuration, prefix};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// An event of a breaker or a registry.
///
/// State changes of one breaker arrive in order: each starts in the state in which the previous one
/// ended. The order of other events is unspecified.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The state of a circuit changed.
    #[non_exhaustive]
    StateChanged {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The previous state.
        from: State,
        /// The new state.
        to: State,
        /// Why the state changed.
        cause: Cause,
        /// How long an opened circuit refuses calls. [`Duration::MAX`] means until a command.
        retry_after: Option<Duration>,
    },
    /// No rule of the breaker matched the type of an error. Sent once for each type.
    #[non_exhaustive]
    UnknownErrorType {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The name of the type, as [`std::any::type_name`] returns it.
        error_type: &'static str,
    },
    /// Several consecutive calls were dropped before they completed.
    ///
    /// This usually means that a timeout outside the breaker drops the calls. The breaker then
    /// cannot detect that the dependency is slow.
    #[non_exhaustive]
    CancelledInARow {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The number of consecutive dropped calls.
        calls: u32,
    },
    /// A call was refused.
    #[non_exhaustive]
    Refused {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// Why the call was refused.
        reason: Refusal,
        /// How long to wait until a call may be admitted again, if known.
        retry_after: Option<Duration>,
    },
    /// A call was made inside a trial of the same breaker, and runs as part of that trial.
    ///
    /// Its outcome is not recorded.
    #[non_exhaustive]
    Joined {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// The outcome of a call was recorded.
    #[non_exhaustive]
    Recorded {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The outcome of the call.
        outcome: Outcome,
        /// How long the call took, if the breaker measures durations.
        elapsed: Option<Duration>,
    },
    /// A breaker in [metrics-only mode](crate::Mode::MetricsOnly) would have opened.
    #[non_exhaustive]
    WouldTrip {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// [`Cause::Rule`] with the rule and its values, [`Cause::Asked`], or the cause of an order
        /// of the fleet.
        cause: Cause,
    },
    /// Trials of a half-open circuit outlived their lease, and their slots became available to
    /// other calls. Sent once for each half-open period.
    ///
    /// The outcomes of these trials still count during the same period. To avoid this event, set
    /// [`trial_timeout`](crate::BreakerBuilder::trial_timeout) above the usual duration of a call.
    #[non_exhaustive]
    TrialsOutlived {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The lease, as set by `trial_timeout`.
        lease: Duration,
        /// The number of trials that lost their slots.
        trials: u32,
    },
    /// A closed circuit admits a growing share of calls while it
    /// [ramps up](crate::BreakerBuilder::ramp_up).
    ///
    /// Sent at the first call of each twentieth of the ramp-up, and with the share 1 at the first
    /// call after its end.
    #[non_exhaustive]
    RampingUp {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The share of calls that the circuit admits at this time, from 0.1 to 1.
        share: f64,
    },
    /// The settings of an existing breaker were replaced.
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
    /// A breaker that had been created on first use was registered.
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
    /// A registry evicted an idle breaker to make room, or because its idle timeout elapsed.
    #[non_exhaustive]
    BreakerEvicted {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// A lookup returned a breaker that the registry does not keep.
    #[non_exhaustive]
    NotKept {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// Why the registry does not keep the breaker.
        reason: NotKept,
    },
    /// Settings were discarded because they conflict with lower layers.
    ///
    /// Sent if the settings were passed to a function that cannot return an error. All settings of
    /// that call are discarded.
    #[non_exhaustive]
    SettingsRefused {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// Why the settings are invalid.
        error: ConfigError,
    },
    /// Settings were ignored because another place takes precedence.
    ///
    /// The other place is an earlier
    /// [`#[circuit]`](https://docs.rs/breakerbox/latest/breakerbox/attr.circuit.html) or
    /// [`breaker_with`](crate::BreakerRegistry::breaker_with) call, or a document that overrides
    /// `configure`. Sent once for each combination of `#[circuit]` and breaker, and on each
    /// `configure` call.
    #[non_exhaustive]
    SettingsIgnored {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The keys of the ignored settings, such as `failure_threshold, half_open_calls`.
        settings: Arc<str>,
        /// Where the ignored values were set, such as `src/users.rs:12`.
        place: Arc<str>,
        /// Where the values in force were set: a location in code, or a path in the document.
        first: Arc<str>,
    },
    /// Two functions without an explicit name have the same default name and therefore share a
    /// breaker.
    ///
    /// Sent once for each function after the first.
    #[non_exhaustive]
    NameShared {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The location of the later function, such as `src/users.rs:12`.
        place: &'static str,
        /// The location of the first function.
        first: &'static str,
    },
    /// Events were dropped because a queue was full.
    ///
    /// The queue belongs to a stream, or to a breaker whose listeners are slow. Each queue holds
    /// 1,024 events. This event takes the place of the dropped ones.
    #[non_exhaustive]
    Missed {
        /// The name of the breaker whose queue was full, or `None` if the queue of the stream was
        /// full.
        breaker: Option<Arc<str>>,
        /// The number of dropped events.
        events: u64,
    },
    /// A listener panicked, and the panic was caught.
    #[non_exhaustive]
    ListenerPanicked {
        /// The name of the breaker whose event the listener received.
        breaker: Arc<str>,
        /// The panic message, or a placeholder if the panic had none.
        message: Arc<str>,
    },
}

/// The reason why a registry does not keep a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum NotKept {
    /// The name is empty or longer than 256 bytes.
    InvalidName,
    /// The registry is full, and none of its breakers can be evicted.
    NoRoom,
}

#[cfg(feature = "tracing")]
impl NotKept {
    /// Returns the name of the reason in logs, which is the same as in serialized data.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidName => "invalid_name",
            Self::NoRoom => "no_room",
        }
    }
}

/// The cause of a state change.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// A rule tripped with these values.
    Rule(RuleSnapshot),
    /// So many trials failed that the success threshold can no longer be reached.
    TrialFailed,
    /// Enough trials succeeded.
    TrialsSucceeded,
    /// The recovery timeout elapsed, and a trial was admitted.
    Recovering,
    /// A call requested that the circuit stay open for this time, with [`Outcome::TripFor`].
    Asked(Duration),
    /// A [command](crate::CircuitBreaker::because) changed the state.
    #[non_exhaustive]
    Manual {
        /// The reason, if given, up to 256 bytes.
        reason: Option<Arc<str>>,
        /// The actor, if given, up to 256 bytes.
        actor: Option<Arc<str>>,
    },
    /// New settings changed the mode.
    Configured,
    /// The [fleet](crate::fleet) changed the state, because of another instance or of a command to all
    /// instances. Created by [`Cause::fleet`].
    #[cfg(feature = "fleet")]
    #[non_exhaustive]
    Fleet {
        /// The label of the instance whose circuit changed first, up to 256 bytes.
        node: Arc<str>,
        /// Why the circuit of that instance changed.
        why: CauseKind,
    },
}

impl Cause {
    /// Returns what the text of a refusal says about the cause. `None` if the cause does not explain why the
    /// circuit refuses calls.
    pub(crate) fn refusal_cause(&self) -> Option<RefusalCause> {
        match self {
            Self::Rule(rule) if matches!(rule.rule.kind, RuleKind::Consecutive(_)) => {
                Some(RefusalCause::ConsecutiveFailures)
            }
            Self::Recovering | Self::TrialsSucceeded => None,
            // The state already says that there was a command.
            Self::Manual { reason, actor } if reason.is_none() && actor.is_none() => None,
            _ => Some(RefusalCause::Other(self.to_string())),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(rule) => rule.fmt(f),
            Self::TrialFailed => f.write_str("a trial failed"),
            Self::TrialsSucceeded => f.write_str("enough trials succeeded"),
            Self::Recovering => f.write_str("the recovery timeout elapsed"),
            Self::Asked(time) => {
                write!(f, "a call tripped the circuit for {}", HumanDuration(*time))
            }
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
            Self::Configured => f.write_str("new settings changed the mode"),
            #[cfg(feature = "fleet")]
            Self::Fleet { node, why } => {
                write!(f, "{} by the fleet: {}, {why}", why.verb(), Escaped(node))
            }
        }
    }
}

impl Event {
    /// Returns the event of a listener of `breaker` that panicked.
    fn of_panic(breaker: &str, panicked: &Payload) -> Self {
        let message = panicked.text().unwrap_or("a panic without a message");
        Self::ListenerPanicked {
            breaker: breaker.into(),
            message: prefix(message, 256).into(),
        }
    }

    /// Returns `true` for events of a single call, which subscribers to changes do not receive.
    pub(crate) fn is_of_a_call(&self) -> bool {
        matches!(
            self,
            Self::Recorded { .. } | Self::Refused { .. } | Self::Joined { .. }
        )
    }

    /// Returns the name of the breaker.
    ///
    /// The name is empty if the event is [`Event::Missed`] and the queue of a stream was full.
    pub fn breaker(&self) -> &str {
        match self {
            Self::Missed { breaker, .. } => breaker.as_deref().unwrap_or_default(),
            Self::StateChanged { breaker, .. }
            | Self::UnknownErrorType { breaker, .. }
            | Self::CancelledInARow { breaker, .. }
            | Self::Refused { breaker, .. }
            | Self::Recorded { breaker, .. }
            | Self::WouldTrip { breaker, .. }
            | Self::Joined { breaker }
            | Self::TrialsOutlived { breaker, .. }
            | Self::RampingUp { breaker, .. }
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
