use crate::event::{CallInterest, Cause, Event, Listen};
use crate::state::State;
use crate::text::rounded_seconds;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Logs everything except calls.
///
/// Text is recorded as strings rather than with `Display`. Subscribers then quote and escape names
/// that may come from user input.
#[derive(Default)]
pub(super) struct ChangeLog {
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
                let reason = reason.as_str();
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
