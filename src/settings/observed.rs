//! What can be seen of breakers, as data to read: snapshots and events.
//!
//! Fields are named as in Rust; a duration is a number of seconds, and its field ends in `_seconds`.
//! Every field is always there, `null` when it is `None`. An enum with fields says which it is in
//! `type`. (Rules are settings, and look as they do in a document.)

use crate::classify::Outcome;
use crate::error::ConfigError;
use crate::event::{Cause, Event};
use crate::health::{Health, HealthStatus, Impaired};
use crate::rules::RuleSnapshot;
use crate::snapshot::{Snapshot, Totals};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::time::Duration;

/// Serializes a record with these fields.
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
            "since_seconds": self.since.as_secs_f64(),
            "cause": self.cause,
            "failure_count": self.failure_count,
            "last_failure": self.last_failure.as_deref(),
            "open_remaining_seconds": seconds(self.open_remaining),
            "attempt": self.attempt,
            "totals": self.totals,
            "in_flight": self.in_flight,
            "rules": self.rules,
        })
    }
}

impl Serialize for Totals {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        record!(to, "Totals", {
            "success": self.success,
            "failure": self.failure,
            "ignored": self.ignored,
            "cancelled": self.cancelled,
            "late": self.late,
            "refused": self.refused,
            "timed_out": self.timed_out,
            "slow": self.slow,
            "would_trip": self.would_trip,
        })
    }
}

impl Serialize for RuleSnapshot {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        record!(to, "RuleSnapshot", {
            "rule": self.rule,
            "recorded": self.recorded,
            "failed": self.failed,
            "slow": self.slow,
            "rate": self.rate,
        })
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Rule(figures) => record!(to, "Cause", { "type": "rule", "figures": figures }),
            Self::TrialFailed => record!(to, "Cause", { "type": "trial_failed" }),
            Self::TrialsSucceeded => record!(to, "Cause", { "type": "trials_succeeded" }),
            Self::Recovering => record!(to, "Cause", { "type": "recovering" }),
            Self::Asked(time) => {
                record!(to, "Cause", { "type": "asked", "for_seconds": time.as_secs_f64() })
            }
            Self::Manual { reason, actor } => record!(to, "Cause", {
                "type": "manual",
                "reason": reason.as_deref(),
                "actor": actor.as_deref(),
            }),
            Self::Configured => record!(to, "Cause", { "type": "configured" }),
        }
    }
}

impl Serialize for ConfigError {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        record!(to, "ConfigError", {
            "field": self.field(),
            "value": self.value(),
            "allowed": self.allowed(),
        })
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let breaker = self.breaker();
        match self {
            Self::StateChanged {
                from,
                to: state,
                cause,
                retry_after,
                ..
            } => record!(to, "Event", {
                "type": "state_changed",
                "breaker": breaker,
                "from": from,
                "to": state,
                "cause": cause,
                "retry_after_seconds": seconds(*retry_after),
            }),
            Self::UnknownErrorType { error_type, .. } => record!(to, "Event", {
                "type": "unknown_error_type",
                "breaker": breaker,
                "error_type": error_type,
            }),
            Self::CancelledInARow { calls, .. } => record!(to, "Event", {
                "type": "cancelled_in_a_row",
                "breaker": breaker,
                "calls": calls,
            }),
            Self::Refused {
                reason,
                retry_after,
                ..
            } => record!(to, "Event", {
                "type": "refused",
                "breaker": breaker,
                "reason": reason,
                "retry_after_seconds": seconds(*retry_after),
            }),
            Self::Recorded {
                outcome, elapsed, ..
            } => record!(to, "Event", {
                "type": "recorded",
                "breaker": breaker,
                "outcome": kind(*outcome),
                "trip_for_seconds": asked(*outcome),
                "elapsed_seconds": seconds(*elapsed),
            }),
            Self::WouldTrip { cause, .. } => record!(to, "Event", {
                "type": "would_trip",
                "breaker": breaker,
                "cause": cause,
            }),
            Self::TrialsOutlived { lease, trials, .. } => record!(to, "Event", {
                "type": "trials_outlived",
                "breaker": breaker,
                "lease_seconds": lease.as_secs_f64(),
                "trials": trials,
            }),
            Self::Configured { .. } => about(to, "configured", breaker),
            Self::BreakerAdded { .. } => about(to, "breaker_added", breaker),
            Self::BreakerAdopted { .. } => about(to, "breaker_adopted", breaker),
            Self::BreakerRemoved { .. } => about(to, "breaker_removed", breaker),
            Self::BreakerEvicted { .. } => about(to, "breaker_evicted", breaker),
            Self::NotKept { reason, .. } => record!(to, "Event", {
                "type": "not_kept",
                "breaker": breaker,
                "reason": reason,
            }),
            Self::SettingsRefused { error, .. } => record!(to, "Event", {
                "type": "settings_refused",
                "breaker": breaker,
                "error": error,
            }),
            Self::SettingsIgnored {
                settings,
                place,
                first,
                ..
            } => record!(to, "Event", {
                "type": "settings_ignored",
                "breaker": breaker,
                "settings": **settings,
                "place": **place,
                "first": **first,
            }),
            Self::NameShared { place, first, .. } => record!(to, "Event", {
                "type": "name_shared",
                "breaker": breaker,
                "place": place,
                "first": first,
            }),
            Self::Missed { events } => record!(to, "Event", {
                "type": "missed",
                "events": events,
            }),
            Self::ListenerPanicked { message, .. } => record!(to, "Event", {
                "type": "listener_panicked",
                "breaker": breaker,
                "message": **message,
            }),
        }
    }
}

fn about<S: Serializer>(to: S, kind: &str, breaker: &str) -> Result<S::Ok, S::Error> {
    record!(to, "Event", { "type": kind, "breaker": breaker })
}

/// Always one word, to group by.
fn kind(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Ignored => "ignored",
        Outcome::TripFor(_) => "trip_for",
    }
}

fn asked(outcome: Outcome) -> Option<f64> {
    match outcome {
        Outcome::TripFor(time) => Some(time.as_secs_f64()),
        _ => None,
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

impl Serialize for HealthStatus {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl Serialize for Impaired {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        record!(to, "Impaired", {
            "breaker": *self.breaker,
            "named": self.named,
            "state": self.state,
            "since_seconds": self.since.as_secs_f64(),
            "failure_count": self.failure_count,
            "open_remaining_seconds": seconds(self.open_remaining),
        })
    }
}

/// Measured time, as a number of seconds.
fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64())
}
