//! Settings as data, and what they are laid over.

use super::{BreakerBuilder, Settings};
use crate::backoff::Backoff;
use crate::classify::Outcome;
use crate::rules::TripRule;
use crate::state::Mode;
use std::time::Duration;

/// What somebody wrote down as data, and nothing where they wrote nothing. What is no data (judges,
/// listeners, redaction, clock) stays as it is beneath.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Overlay {
    /// Exactly these rules, whatever stands beneath.
    pub(crate) trip_rules: Option<Vec<TripRule>>,
    pub(crate) failure_threshold: Option<u32>,
    /// Rules beside those that stand by then.
    pub(crate) trip_when: Vec<TripRule>,
    pub(crate) recovery: Option<Backoff>,
    pub(crate) reset_backoff_after: Option<Duration>,
    pub(crate) max_trip_for: Option<Duration>,
    pub(crate) half_open_calls: Option<u32>,
    pub(crate) success_threshold: Option<u32>,
    pub(crate) trial_timeout: Option<Duration>,
    pub(crate) unexpected: Option<Outcome>,
    pub(crate) cancelled: Option<Outcome>,
    pub(crate) cancelled_after: Option<Duration>,
    pub(crate) mode: Option<Mode>,
    pub(crate) count_successes: Option<bool>,
    pub(crate) capture_last_failure: Option<bool>,
}

impl Overlay {
    /// The settings beneath, changed; as if the builder's methods were called with what is there.
    pub(crate) fn over(&self, beneath: BreakerBuilder) -> BreakerBuilder {
        let mut builder = beneath;
        if let Some(rules) = &self.trip_rules {
            builder = builder.trip_rules(rules.iter().copied());
        }
        if let Some(failures) = self.failure_threshold {
            builder = builder.failure_threshold(failures);
        }
        for rule in &self.trip_when {
            builder = builder.trip_when(*rule);
        }
        let Settings {
            recovery,
            reset_backoff_after,
            max_trip_for,
            half_open_calls,
            success_threshold,
            trial_timeout,
            unexpected,
            cancelled,
            cancelled_after,
            mode,
            count_successes,
            capture_last_failure,
            ..
        } = &mut builder.settings;
        put(recovery, self.recovery);
        put(reset_backoff_after, self.reset_backoff_after.map(Some));
        put(max_trip_for, self.max_trip_for);
        put(half_open_calls, self.half_open_calls);
        put(success_threshold, self.success_threshold.map(Some));
        put(trial_timeout, self.trial_timeout.map(Some));
        put(unexpected, self.unexpected);
        put(cancelled, self.cancelled);
        put(cancelled_after, self.cancelled_after.map(Some));
        put(mode, self.mode);
        put(count_successes, self.count_successes);
        put(capture_last_failure, self.capture_last_failure);
        builder
    }
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl Settings {
    /// Whether both are the same data and the very same closures.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let Self {
            name: _,
            rules,
            recovery,
            reset_backoff_after,
            max_trip_for,
            half_open_calls,
            success_threshold,
            trial_timeout,
            errors,
            unexpected,
            cancelled,
            cancelled_after,
            mode,
            count_successes,
            capture_last_failure,
            describe,
            listeners,
            clock: _,
        } = self;
        *rules == other.rules
            && *recovery == other.recovery
            && *reset_backoff_after == other.reset_backoff_after
            && *max_trip_for == other.max_trip_for
            && *half_open_calls == other.half_open_calls
            && *success_threshold == other.success_threshold
            && *trial_timeout == other.trial_timeout
            && errors.ptr_eq(&other.errors)
            && *unexpected == other.unexpected
            && *cancelled == other.cancelled
            && *cancelled_after == other.cancelled_after
            && *mode == other.mode
            && *count_successes == other.count_successes
            && *capture_last_failure == other.capture_last_failure
            && describe.is(&other.describe)
            && listeners.len() == other.listeners.len()
            && listeners
                .iter()
                .zip(&other.listeners)
                .all(|(one, other)| one.is(other))
    }
}
