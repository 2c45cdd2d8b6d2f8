//! Logs the events of breakers through [`tracing`](https://docs.rs/tracing).
//!
//! [`install`] logs a registry with all its breakers, [`install_for`] a breaker outside a registry. The
//! events have the target `breakerbox`. There are no spans: an event belongs to the span of the call that
//! caused it.
//!
//! | level | events |
//! |---|---|
//! | error | a listener panicked; settings were refused where no error can be returned |
//! | warn | a circuit opened or was forced open; the other warnings of [`Event`]; names that are not kept (the 1st, 2nd, 4th, 8th, …) |
//! | info | every other state change; a metrics-only breaker would have opened; new settings |
//! | debug | breakers that were added or removed; the other names that are not kept |
//! | trace | every call that ended or was refused, [on request](LogBuilder::calls) |
//!
//! # Cost
//!
//! Calls cost nothing more than without logs, unless the builder requests their events.
//!
//! # Examples
//!
//! ```
//! use breakerbox::prelude::*;
//!
//! tracing_subscriber::fmt().init();
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

/// Logs the state changes and warnings of a registry and all its breakers from now on. Installed twice, it
/// logs once.
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

/// Logs the state changes and warnings of one breaker from now on. Installed twice, it logs once; a breaker
/// whose registry is [installed](install) as well is logged twice.
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

/// Returns the settings of a log.
pub fn builder() -> LogBuilder {
    LogBuilder::default()
}

/// The settings of a log.
///
/// # Default
///
/// * state changes and warnings, no calls
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is installed"]
pub struct LogBuilder {
    calls: bool,
}

impl LogBuilder {
    /// Sets whether every call that ended or was refused is logged, at the level trace. Every call then
    /// sends an event, whatever the subscriber takes. Default: no.
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

    /// Logs a registry and all its breakers, as [`install`] does.
    pub fn install(self, registry: &BreakerRegistry) {
        self.attach(|listener| registry.inner().attach(listener));
    }

    /// Logs one breaker, as [`install_for`] does.
    pub fn install_for(self, breaker: &CircuitBreaker) {
        self.attach(|listener| breaker.circuit.attach(listener));
    }

    /// Calls have a listener of their own, so they can be added to a log that is installed.
    fn attach(self, attach: impl Fn(&Listener)) {
        attach(&Listener::of(ChangeLog::default()));
        if self.calls {
            attach(&Listener::of(CallLog));
        }
    }
}

/// Logs calls, and nothing else.
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
            _ => {}
        }
    }
}

/// Logs everything except calls. Texts are recorded as strings, so that subscribers quote and escape them:
/// names may come from user input.
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
                log!(warn event, lease_secs = rounded_seconds(*lease), trials, "trials outlived their lease: is `trial_timeout` shorter than a call takes?");
            }
            Event::UnknownErrorType { error_type, .. } => {
                log!(warn event, error_type, "error of a type that no rule knows");
            }
            Event::CancelledInARow { calls, .. } => {
                log!(warn event, calls, "calls are cancelled again and again: is there a timeout outside the breaker?");
            }
            Event::SettingsRefused { error, .. } => {
                log!(error event, error = error.to_string(), "settings refused");
            }
            Event::SettingsIgnored {
                settings,
                place,
                first,
                ..
            } => {
                let (settings, place, first) = (&**settings, &**place, &**first);
                log!(warn event, settings, place, first, "settings ignored: another place says something else");
            }
            Event::NameShared { place, first, .. } => {
                log!(warn event, place, first, "two call sites share a breaker by their default name");
            }
            Event::Missed { events, .. } => {
                log!(warn event, events, "state changes dropped: is a listener too slow?");
            }
            Event::ListenerPanicked { message, .. } => {
                log!(error event, panic = &**message, "listener panicked");
            }
            Event::NotKept { reason, .. } => {
                // Such names may arrive as fast as calls.
                let so_far = self.not_kept.fetch_add(1, Ordering::Relaxed) + 1;
                let reason = format!("{reason:?}");
                if so_far.is_power_of_two() {
                    log!(warn event, reason, so_far, "breaker not kept");
                } else {
                    log!(debug event, reason, so_far, "breaker not kept");
                }
            }
            Event::Configured { .. } => log!(info event, "breaker configured"),
            Event::BreakerAdded { .. } => log!(debug event, "breaker added"),
            Event::BreakerAdopted { .. } => log!(debug event, "breaker adopted"),
            Event::BreakerRemoved { .. } => log!(debug event, "breaker removed"),
            Event::BreakerEvicted { .. } => log!(debug event, "breaker evicted"),
            // Calls have their own log.
            Event::Recorded { .. } | Event::Refused { .. } => {}
        }
    }
}

/// Logs a transition, or `None` for the transition that a metrics-only breaker would have made.
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
    macro_rules! change {
        ($level:ident, $message:literal) => {
            log!(
                $level event,
                from = transition.map(|(from, _)| from.as_str()),
                to = transition.map(|(_, to)| to.as_str()),
                cause = cause.to_string(),
                reason,
                actor,
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
        Some(State::MetricsOnly) => change!(info, "circuit only watches"),
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
