//! Logs the events of breakers through [`tracing`](https://docs.rs/tracing).
//!
//! [`install`] logs a registry and all its breakers, and [`install_for`] logs a breaker outside a
//! registry. All events have the target `breakerbox`. The module creates no spans. Events belong to
//! the span of the call that caused them.
//!
//! | level | events |
//! |---|---|
//! | error | a listener panicked; settings were rejected without a way to return an error |
//! | warn | a circuit opened or was forced open; all other warnings of [`Event`]; every 1st, 2nd, 4th, 8th, … name that is not kept |
//! | info | all other state changes; the end of a ramp-up; a metrics-only breaker would have opened; new settings |
//! | debug | breakers were added or removed; a circuit ramps up; the remaining names that are not kept |
//! | trace | every completed, refused or joined call, [if enabled](LogBuilder::calls) |
//!
//! # Cost
//!
//! Logging adds no cost to calls unless [`LogBuilder::calls`] is enabled.
//!
//! # Examples
//!
//! ```
//! use breakerbox::prelude::*;
//!
//! // Install a subscriber first, such as `tracing_subscriber::fmt().init()`.
//! let registry = BreakerRegistry::new();
//! breakerbox::tracing::install(&registry);
//! registry.breaker("users-api").because("INC-123").force_open();
//! // WARN breakerbox: circuit opened breaker="users-api" from="closed" to="forced_open" cause="a command: INC-123" reason="INC-123"
//! ```

use crate::breaker::CircuitBreaker;
use crate::event::{CallInterest, Cause, Event, Listen, Listener};
use crate::registry::BreakerRegistry;
use crate::state::State;
use crate::text::rounded_seconds;
use ::tracing::{debug, error, info, trace, warn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const TARGET: &str = "breakerbox";

macro_rules! log {
    ($level:ident $event:ident, $($fields_and_message:tt)+) => {
        $level!(target: TARGET, breaker = $event.breaker(), $($fields_and_message)+)
    };
}

/// Logs the state changes and warnings of a registry and all its breakers from now on.
///
/// Repeated calls for the same registry have no further effect.
///
/// # Examples
///
/// ```
/// use breakerbox::BreakerRegistry;
///
/// breakerbox::tracing::install(BreakerRegistry::global());
/// ```
pub fn install(registry: &BreakerRegistry) {
    builder().install(registry);
}

/// Logs the state changes and warnings of one breaker from now on.
///
/// Repeated calls for the same breaker have no further effect. If the registry of the breaker is
/// also [logged](install), events of the breaker are logged twice.
///
/// # Examples
///
/// ```
/// use breakerbox::CircuitBreaker;
///
/// let ledger = CircuitBreaker::builder().name("ledger").build()?;
/// breakerbox::tracing::install_for(&ledger);
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
pub fn install_for(breaker: &CircuitBreaker) {
    builder().install_for(breaker);
}

/// Creates a builder for a log.
pub fn builder() -> LogBuilder {
    LogBuilder::default()
}

/// Collects the settings of a log.
///
/// # Default
///
/// * state changes and warnings, but no calls
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is installed"]
pub struct LogBuilder {
    calls: bool,
}

impl LogBuilder {
    /// Sets whether every completed or refused call is logged, at level trace. Default: `false`.
    ///
    /// If enabled, every call sends an event, even if the subscriber discards it.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::CircuitBreaker;
    ///
    /// let ledger = CircuitBreaker::builder().name("ledger").build()?;
    /// breakerbox::tracing::builder().calls(true).install_for(&ledger);
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn calls(mut self, calls: bool) -> Self {
        self.calls = calls;
        self
    }

    /// Logs a registry and all its breakers, like [`install`].
    pub fn install(self, registry: &BreakerRegistry) {
        self.attach(|listener| registry.inner().attach(listener));
    }

    /// Logs one breaker, like [`install_for`].
    pub fn install_for(self, breaker: &CircuitBreaker) {
        self.attach(|listener| breaker.circuit.attach(listener));
    }

    /// Attaches a separate listener for calls, so that `calls` can be enabled after the log was
    /// installed.
    fn attach(self, attach: impl Fn(&Listener)) {
        attach(&Listener::of(ChangeLog::default()));
        if self.calls {
            attach(&Listener::of(CallLog));
        }
    }
}

/// Logs completed and refused calls.
struct CallLog;

impl Listen for CallLog {
    fn call_interest(&self) -> CallInterest {
        CallInterest::Events
    }

    fn shows_mistakes(&self) -> bool {
        false
    }

    fn kind(&self) -> Option<&'static str> {
        Some("tracing calls")
    }

    fn on_event(&self, event: &Event) {
        match event {
            Event::Recorded {
                outcome, elapsed, ..
            } => {
                log!(trace event, outcome = format!("{outcome:?}"), elapsed_secs = elapsed.map(rounded_seconds), "call recorded");
            }
            Event::Refused {
                reason,
                retry_after,
                ..
            } => {
                log!(trace event, reason = format!("{reason:?}"), retry_after_secs = retry_after.map(rounded_seconds), "call refused");
            }
            Event::Joined { .. } => log!(trace event, "call joined a trial"),
            _ => {}
        }
    }
}

/// Logs everything except calls.
///
/// Text is recorded as strings rather than with `Display`. Subscribers then quote and escape names
/// that may come from user input.
#[derive(Default)]
struct ChangeLog {
    not_kept: AtomicU64,
}

impl Listen for ChangeLog {
    fn call_interest(&self) -> CallInterest {
        CallInterest::None
    }

    fn kind(&self) -> Option<&'static str> {
        Some("tracing")
    }

    fn on_event(&self, event: &Event) {
        match event {
            Event::StateChanged {
                from,
                to,
                cause,
                retry_after,
                ..
            } => log_change(event, Some((*from, *to)), cause, *retry_after),
            Event::WouldTrip { cause, .. } => log_change(event, None, cause, None),
            Event::TrialsOutlived { lease, trials, .. } => {
                log!(warn event, lease_secs = rounded_seconds(*lease), trials, "trials did not complete within `trial_timeout`; raise it if calls take longer");
            }
            Event::UnknownErrorType { error_type, .. } => {
                log!(warn event, error_type, "error type matches no rule; name it as expected or ignored");
            }
            Event::CancelledInARow { calls, .. } => {
                log!(warn event, calls, "consecutive calls were cancelled; move timeouts inside the guarded future");
            }
            Event::SettingsRefused { error, .. } => {
                log!(error event, error = error.to_string(), "invalid settings refused");
            }
            Event::SettingsIgnored {
                settings,
                place,
                first,
                ..
            } => {
                let (settings, place, first) = (&**settings, &**place, &**first);
                log!(warn event, settings, place, first, "settings ignored because they conflict with earlier settings");
            }
            Event::NameShared { place, first, .. } => {
                log!(warn event, place, first, "two call sites share a breaker because they have the same default name");
            }
            Event::Missed { events, .. } => {
                log!(warn event, events, "state changes dropped because a listener is too slow");
            }
            Event::ListenerPanicked { message, .. } => {
                log!(error event, panic = &**message, "listener panicked");
            }
            Event::NotKept { reason, .. } => {
                // Rate limited, because each call can bring another name that is not kept.
                // Ordering: `Relaxed` suffices because the counter publishes no other data.
                let so_far = self.not_kept.fetch_add(1, Ordering::Relaxed) + 1;
                let reason = format!("{reason:?}");
                if so_far.is_power_of_two() {
                    log!(warn event, reason, so_far, "breaker not kept by the registry");
                } else {
                    log!(debug event, reason, so_far, "breaker not kept by the registry");
                }
            }
            Event::RampingUp { share, .. } if *share < 1.0 => {
                log!(debug event, share, "circuit ramping up");
            }
            Event::RampingUp { .. } => log!(info event, "circuit ramped up"),
            Event::Configured { .. } => log!(info event, "breaker configured"),
            Event::BreakerAdded { .. } => log!(debug event, "breaker added"),
            Event::BreakerAdopted { .. } => log!(debug event, "breaker adopted"),
            Event::BreakerRemoved { .. } => log!(debug event, "breaker removed"),
            Event::BreakerEvicted { .. } => log!(debug event, "breaker evicted"),
            // Logged by `CallLog`.
            Event::Recorded { .. } | Event::Refused { .. } | Event::Joined { .. } => {}
        }
    }
}

/// Logs a transition. `None` stands for a transition that a metrics-only breaker would have made.
fn log_change(
    event: &Event,
    transition: Option<(State, State)>,
    cause: &Cause,
    retry_after: Option<Duration>,
) {
    let (figures, reason, actor) = match cause {
        Cause::Rule(figures) => (Some(figures), None, None),
        Cause::Manual { reason, actor } => (None, reason.as_deref(), actor.as_deref()),
        _ => (None, None, None),
    };
    let fleet = Fleet::of(cause);
    macro_rules! change {
        ($level:ident, $message:literal) => {
            log!(
                $level event,
                from = transition.map(|(from, _)| from.as_str()),
                to = transition.map(|(_, to)| to.as_str()),
                cause = cause.to_string(),
                reason,
                actor,
                node = fleet.node,
                why = fleet.why,
                rule = figures.map(|figures| figures.rule.to_string()),
                recorded = figures.map(|figures| figures.recorded),
                failed = figures.map(|figures| figures.failed),
                slow = figures.map(|figures| figures.slow),
                rate = figures.and_then(|figures| figures.rate),
                retry_after_secs = retry_after.map(rounded_seconds),
                $message
            )
        };
    }
    match transition.map(|(_, to)| to) {
        None => change!(info, "circuit would have opened"),
        Some(State::Open | State::ForcedOpen) => change!(warn, "circuit opened"),
        Some(State::HalfOpen) => change!(info, "circuit half-opened"),
        Some(State::Closed) => change!(info, "circuit closed"),
        Some(State::Disabled) => change!(info, "circuit disabled"),
        Some(State::MetricsOnly) => change!(info, "circuit set to metrics-only"),
    }
}

/// The instance and the reason of a change by the fleet.
#[derive(Default)]
struct Fleet<'a> {
    node: Option<&'a str>,
    why: Option<&'a str>,
}

impl<'a> Fleet<'a> {
    #[cfg(feature = "fleet")]
    fn of(cause: &'a Cause) -> Self {
        match cause {
            Cause::Fleet { node, why } => Self {
                node: Some(node),
                why: Some(why.code()),
            },
            _ => Self::default(),
        }
    }

    #[cfg(not(feature = "fleet"))]
    fn of(_: &'a Cause) -> Self {
        Self::default()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::state::Flags;

    #[test]
    fn healthy_call_sends_event_only_on_request() {
        let registry = BreakerRegistry::new();
        let users = registry.breaker("users");
        install(&registry);
        install_for(&users);
        let new = registry.breaker("new");
        for breaker in [&users, &new] {
            assert!(!breaker.circuit.word().has(Flags::SLOW_PATH));
        }
        builder().calls(true).install(&registry);
        for breaker in [&users, &new, &registry.breaker("newer")] {
            assert!(breaker.circuit.word().has(Flags::SLOW_PATH));
        }
    }
}
