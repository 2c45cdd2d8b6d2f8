//! Events of breakers as events of `tracing`.

use super::interest::{self, TARGET};
use crate::event::{Calls, Cause, Event, Listen};
use crate::rules::RuleSnapshot;
use crate::state::State;
use ::tracing::{debug, error, info, trace, warn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Names go in as text and not as what they display, so that subscribers quote and escape them: they
/// may come from strangers.
#[derive(Debug, Default)]
pub(super) struct Log {
    not_kept: AtomicU64,
}

impl Listen for Log {
    fn calls(&self) -> Calls {
        if interest::in_calls() {
            Calls::Told
        } else {
            Calls::None
        }
    }

    fn kind(&self) -> Option<&'static str> {
        Some("tracing")
    }

    fn tell(&self, event: &Event) {
        let breaker = event.breaker();
        match event {
            Event::StateChanged {
                from,
                to,
                cause,
                retry_after,
                ..
            } => changed(breaker, (*from, *to), cause, *retry_after),
            Event::Recorded {
                outcome, elapsed, ..
            } => {
                let elapsed_secs = elapsed.map(|time| time.as_secs_f64());
                trace!(target: TARGET, breaker, ?outcome, elapsed_secs, "call recorded");
            }
            Event::Refused {
                reason,
                retry_after,
                ..
            } => {
                let retry_after_secs = retry_after.map(|time| time.as_secs_f64());
                trace!(target: TARGET, breaker, ?reason, retry_after_secs, "call refused");
            }
            Event::WouldTrip { cause, .. } => would_trip(breaker, cause),
            Event::TrialsOutlived { lease, trials, .. } => {
                let lease_secs = lease.as_secs_f64();
                warn!(target: TARGET, breaker, lease_secs, trials, "trials outlived their lease: is `trial_timeout` shorter than a call takes?");
            }
            Event::UnknownErrorType { error_type, .. } => {
                warn!(target: TARGET, breaker, error_type, "error of a type that no rule knows");
            }
            Event::CancelledInARow { calls, .. } => {
                warn!(target: TARGET, breaker, calls, "calls are cancelled again and again: is there a timeout outside the breaker?");
            }
            Event::SettingsRefused { error, .. } => {
                error!(target: TARGET, breaker, error = error as &dyn std::error::Error, "settings refused");
            }
            Event::SettingsIgnored {
                settings,
                place,
                first,
                ..
            } => {
                let (settings, place, first) = (&**settings, &**place, &**first);
                warn!(target: TARGET, breaker, settings, place, first, "settings ignored: another place says something else");
            }
            Event::NameShared { place, first, .. } => {
                warn!(target: TARGET, breaker, place, first, "two call sites share a breaker by their default name");
            }
            Event::ListenerPanicked { message, .. } => {
                error!(target: TARGET, breaker, panic = &**message, "listener panicked");
            }
            Event::NotKept { reason, .. } => {
                // Such names come as fast as calls do.
                let so_far = self.not_kept.fetch_add(1, Ordering::Relaxed) + 1;
                if so_far.is_power_of_two() {
                    warn!(target: TARGET, breaker, ?reason, so_far, "breaker not kept");
                } else {
                    debug!(target: TARGET, breaker, ?reason, so_far, "breaker not kept");
                }
            }
            Event::Configured { .. } => info!(target: TARGET, breaker, "breaker configured"),
            Event::BreakerAdded { .. } => debug!(target: TARGET, breaker, "breaker added"),
            Event::BreakerAdopted { .. } => debug!(target: TARGET, breaker, "breaker adopted"),
            Event::BreakerRemoved { .. } => debug!(target: TARGET, breaker, "breaker removed"),
            Event::BreakerEvicted { .. } => debug!(target: TARGET, breaker, "breaker evicted"),
            // That is said in the stream that it is about.
            Event::Missed { .. } => {}
        }
    }
}

fn changed(
    breaker: &str,
    (from, to): (State, State),
    cause: &Cause,
    retry_after: Option<Duration>,
) {
    let rule = figures(cause);
    let (reason, actor) = match cause {
        Cause::Manual { reason, actor } => (reason.as_deref(), actor.as_deref()),
        _ => (None, None),
    };
    macro_rules! log {
        ($level:ident, $message:literal) => {
            $level!(
                target: TARGET,
                breaker,
                from = from.as_str(),
                to = to.as_str(),
                cause = %cause,
                reason,
                actor,
                rule = rule.map(|figures| ::tracing::field::display(figures.rule)),
                recorded = rule.map(|figures| figures.recorded),
                failed = rule.map(|figures| figures.failed),
                slow = rule.map(|figures| figures.slow),
                rate = rule.and_then(|figures| figures.rate),
                retry_after_secs = retry_after.map(|time| time.as_secs_f64()),
                $message
            )
        };
    }
    match to {
        State::Open | State::ForcedOpen => log!(warn, "circuit opened"),
        State::HalfOpen => log!(info, "circuit half-opened"),
        State::Closed => log!(info, "circuit closed"),
        State::Disabled => log!(info, "circuit disabled"),
        State::MetricsOnly => log!(info, "circuit only watches"),
    }
}

fn would_trip(breaker: &str, cause: &Cause) {
    let rule = figures(cause);
    info!(
        target: TARGET,
        breaker,
        cause = %cause,
        rule = rule.map(|figures| ::tracing::field::display(figures.rule)),
        recorded = rule.map(|figures| figures.recorded),
        failed = rule.map(|figures| figures.failed),
        slow = rule.map(|figures| figures.slow),
        rate = rule.and_then(|figures| figures.rate),
        "circuit would have opened"
    );
}

fn figures(cause: &Cause) -> Option<&RuleSnapshot> {
    match cause {
        Cause::Rule(figures) => Some(figures),
        _ => None,
    }
}
