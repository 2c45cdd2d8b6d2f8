//! Serialization of snapshots, events and health reports.
//!
//! Fields have the same names as in Rust. A duration is a number of seconds, in a field whose name
//! ends in `_seconds`. Every field is always present, and `null` stands for `None`. An enum with
//! fields has its variant in the field `type`. Trip rules are settings, so they have the same form
//! as in a document.

use crate::classify::Outcome;
use crate::event::{Cause, Event};
use crate::health::{Health, Impaired};
use crate::snapshot::Snapshot;
use crate::text::rounded_seconds;
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// Serializes a struct with the given fields.
macro_rules! record {
    ($to:expr, $name:literal, { $($field:literal: $value:expr),* $(,)? }) => {{
        let fields = [$($field),*].len();
        let mut record = $to.serialize_struct($name, fields)?;
        $(record.serialize_field($field, &$value)?;)*
        record.end()
    }};
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        record!(to, "Snapshot", {
            "name": *self.name,
            "state": self.state,
            "since_seconds": rounded_seconds(self.since),
            "cause": self.cause,
            "failure_count": self.failure_count,
            "last_failure": self.last_failure.as_deref(),
            "open_remaining_seconds": self.open_remaining.map(rounded_seconds),
            "attempt": self.attempt,
            "ramp_up_share": self.ramp_up_share,
            "totals": self.totals,
            "in_flight": self.in_flight,
            "rules": self.rules,
        })
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        macro_rules! cause {
            ($kind:literal $(, $field:literal: $value:expr)*) => {
                record!(to, "Cause", { "type": $kind, $($field: $value),* })
            };
        }
        match self {
            Self::Rule(figures) => cause!("rule", "figures": figures),
            Self::TrialFailed => cause!("trial_failed"),
            Self::TrialsSucceeded => cause!("trials_succeeded"),
            Self::Recovering => cause!("recovering"),
            Self::Asked(time) => cause!("asked", "for_seconds": rounded_seconds(*time)),
            Self::Manual { reason, actor } => {
                cause!("manual", "reason": reason.as_deref(), "actor": actor.as_deref())
            }
            Self::Configured => cause!("configured"),
            #[cfg(feature = "fleet")]
            Self::Fleet { node, why } => cause!("fleet", "node": **node, "why": why.code()),
        }
    }
}

impl Serialize for Event {
    #[rustfmt::skip] // Keeps one line per event.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let breaker = self.breaker();
        macro_rules! event {
            ($kind:literal $(, $field:literal: $value:expr)*) => {
                record!(serializer, "Event", { "type": $kind, "breaker": breaker, $($field: $value),* })
            };
        }
        match self {
            Self::StateChanged { from, to, cause, retry_after, .. } => {
                let retry_after = retry_after.map(rounded_seconds);
                event!("state_changed", "from": from, "to": to, "cause": cause, "retry_after_seconds": retry_after)
            }
            Self::UnknownErrorType { error_type, .. } => {
                event!("unknown_error_type", "error_type": error_type)
            }
            Self::CancelledInARow { calls, .. } => event!("cancelled_in_a_row", "calls": calls),
            Self::Refused { reason, retry_after, .. } => {
                event!("refused", "reason": reason, "retry_after_seconds": retry_after.map(rounded_seconds))
            }
            Self::Recorded { outcome, elapsed, .. } => {
                let trip_for = match *outcome {
                    Outcome::TripFor(time) => Some(rounded_seconds(time)),
                    _ => None,
                };
                let outcome = outcome.as_str();
                let elapsed = elapsed.map(rounded_seconds);
                event!("recorded", "outcome": outcome, "trip_for_seconds": trip_for, "elapsed_seconds": elapsed)
            }
            Self::Joined { .. } => event!("joined"),
            Self::WouldTrip { cause, .. } => event!("would_trip", "cause": cause),
            Self::TrialsOutlived { lease, trials, .. } => {
                event!("trials_outlived", "lease_seconds": rounded_seconds(*lease), "trials": trials)
            }
            Self::RampingUp { share, .. } => event!("ramping_up", "share": share),
            Self::Configured { .. } => event!("configured"),
            Self::BreakerAdded { .. } => event!("breaker_added"),
            Self::BreakerAdopted { .. } => event!("breaker_adopted"),
            Self::BreakerRemoved { .. } => event!("breaker_removed"),
            Self::BreakerEvicted { .. } => event!("breaker_evicted"),
            Self::NotKept { reason, .. } => event!("not_kept", "reason": reason),
            Self::SettingsRefused { error, .. } => event!("settings_refused", "error": error),
            Self::SettingsIgnored { settings, place, first, .. } => {
                event!("settings_ignored", "settings": **settings, "place": **place, "first": **first)
            }
            Self::NameShared { place, first, .. } => {
                event!("name_shared", "place": place, "first": first)
            }
            Self::Missed { breaker, events } => record!(serializer, "Event", {
                "type": "missed",
                "breaker": breaker.as_deref(),
                "events": events,
            }),
            Self::ListenerPanicked { message, .. } => {
                event!("listener_panicked", "message": **message)
            }
        }
    }
}

impl Serialize for Health {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let unknown: Vec<&str> = self.unknown().iter().map(|name| &**name).collect();
        record!(to, "Health", {
            "status": self.status(),
            "impaired": self.impaired(),
            "unknown": unknown,
        })
    }
}

impl Serialize for Impaired {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        record!(to, "Impaired", {
            "breaker": *self.breaker,
            "named": self.named,
            "state": self.state,
            "since_seconds": rounded_seconds(self.since),
            "failure_count": self.failure_count,
            "open_remaining_seconds": self.open_remaining.map(rounded_seconds),
        })
    }
}
