//! Names, labels and units of the metrics, and the export of a [`Report`] to the recorder.

use super::series::{Counter, Report, Series};
use crate::state::State;
use ::metrics::{Key, Label, Level, Metadata, Recorder, Unit};
use dashmap::DashMap;
use std::sync::Arc;

const CALLS: &str = "breakerbox_calls_total";
const TRANSITIONS: &str = "breakerbox_transitions_total";
const STATE: &str = "breakerbox_state";
const OUTLIVED_TRIALS: &str = "breakerbox_outlived_trials_total";
const WOULD_TRIP: &str = "breakerbox_would_trip_total";
const RAMP_UP_SHARE: &str = "breakerbox_ramp_up_share";
const FAILURE_RATE: &str = "breakerbox_failure_rate";
const DURATION: &str = "breakerbox_call_duration_seconds";

/// Reserved label names: those of the metrics and those that exporters add to histograms.
pub(super) const LABELS: [&str; 7] = [
    "breaker", "outcome", "from", "to", "state", "le", "quantile",
];

pub(super) static METADATA: Metadata<'static> =
    Metadata::new("breakerbox", Level::INFO, Some("breakerbox::metrics"));

const STATES: [State; 6] = [
    State::Closed,
    State::Open,
    State::HalfOpen,
    State::ForcedOpen,
    State::Disabled,
    State::MetricsOnly,
];

type StaticLabel = (&'static str, &'static str);

/// A recorder with the labels that the user configured.
pub(super) struct Export<'a> {
    pub(super) recorder: &'a dyn Recorder,
    pub(super) labels: &'a [Label],
}

impl Export<'_> {
    pub(super) fn describe(&self, durations: bool) {
        let recorder = self.recorder;
        let count = Some(Unit::Count);
        let calls =
            "Calls by outcome. Refused calls did not run, and joined calls are part of a trial.";
        recorder.describe_counter(CALLS.into(), count, calls.into());
        recorder.describe_counter(TRANSITIONS.into(), count, "State transitions.".into());
        let outlived = "Trials that lost their slots, because they outlived their lease.";
        recorder.describe_counter(OUTLIVED_TRIALS.into(), count, outlived.into());
        let would_trip =
            "How often the rules would have opened the circuit in the mode metrics-only.";
        recorder.describe_counter(WOULD_TRIP.into(), count, would_trip.into());
        let state = "1 for the current state, 0 for the others. All are 0 once the breaker has left its registry.";
        recorder.describe_gauge(STATE.into(), None, state.into());
        let rate =
            "The rate that a failure-rate rule compares, 0 to 1. NaN below its minimum of calls.";
        recorder.describe_gauge(FAILURE_RATE.into(), None, rate.into());
        let share = "The share of calls that a closed circuit admits while it ramps up, 0.1 to 1. 1 in every other state.";
        recorder.describe_gauge(RAMP_UP_SHARE.into(), None, share.into());
        if durations {
            let text = "Durations of completed calls.";
            recorder.describe_histogram(DURATION.into(), Some(Unit::Seconds), text.into());
        }
    }

    /// Exports all values of `report`.
    ///
    /// Counters are set, not incremented. A recorder that was installed late, or that dropped an
    /// idle series, therefore receives the complete count.
    pub(super) fn report(&self, report: &Report) {
        for (name, series) in report {
            for (counter, value) in series.counters.iter() {
                self.counter(name, counter, value);
            }
            // The overflow series has only counters.
            if !name.is_empty() {
                self.gauges(name, series);
            }
        }
    }

    fn counter(&self, name: &str, counter: Counter, value: u64) {
        let (metric, labels) = match counter {
            Counter::Calls { outcome } => (CALLS, &[("outcome", outcome)][..]),
            Counter::OutlivedTrials => (OUTLIVED_TRIALS, &[][..]),
            Counter::WouldTrip => (WOULD_TRIP, &[][..]),
            Counter::Transitions { from, to } => (
                TRANSITIONS,
                &[("from", from.as_str()), ("to", to.as_str())][..],
            ),
        };
        let key = key(metric, self.labels, name, labels);
        let counter = self.recorder.register_counter(&key, &METADATA);
        counter.absolute(value);
    }

    fn gauges(&self, name: &str, series: &Series) {
        for state in STATES {
            let is_current = series.state == Some(state);
            let value = if is_current { 1.0 } else { 0.0 };
            self.gauge(STATE, name, &[("state", state.as_str())], value);
        }
        if let Some(rate) = series.failure_rate {
            self.gauge(FAILURE_RATE, name, &[], rate);
        }
        if let Some(share) = series.ramp_up_share {
            self.gauge(RAMP_UP_SHARE, name, &[], share);
        }
    }

    fn gauge(&self, metric: &'static str, name: &str, labels: &[StaticLabel], value: f64) {
        let key = key(metric, self.labels, name, labels);
        self.recorder.register_gauge(&key, &METADATA).set(value);
    }
}

fn key(metric: &'static str, given: &[Label], breaker: &str, labels: &[StaticLabel]) -> Key {
    let own = labels
        .iter()
        .map(|(name, value)| Label::from_static_parts(name, value));
    let breaker = Label::new("breaker", breaker.to_owned());
    let labels: Vec<_> = std::iter::once(breaker)
        .chain(own)
        .chain(given.iter().cloned())
        .collect();
    Key::from_parts(metric, labels)
}

/// The histogram keys of each breaker for success, failure and ignored.
///
/// Histogram handles are not cached. A handle records nothing if it was created before a recorder
/// was installed, or if the exporter dropped its series.
pub(super) type Keys = DashMap<Arc<str>, Arc<[Key; 3]>, foldhash::fast::RandomState>;

pub(super) fn duration_keys(breaker: &str, given: &[Label]) -> Arc<[Key; 3]> {
    let outcomes = ["success", "failure", "ignored"];
    Arc::new(outcomes.map(|outcome| key(DURATION, given, breaker, &[("outcome", outcome)])))
}
