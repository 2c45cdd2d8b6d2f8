//! Names, labels and units, and how they reach the recorder.

use super::books::{Account, Figures, Page};
use crate::classify::Outcome;
use crate::snapshot::Totals;
use crate::state::State;
use ::metrics::{Key, Label, Level, Metadata, Recorder, Unit};
use dashmap::DashMap;
use std::sync::Arc;

const CALLS: &str = "breakerbox_calls_total";
const TRANSITIONS: &str = "breakerbox_transitions_total";
const STATE: &str = "breakerbox_state";
const FAILURE_RATE: &str = "breakerbox_failure_rate";
const DURATION: &str = "breakerbox_call_duration_seconds";

/// The labels of our own, and those that exporters add to histograms.
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

/// Where a page goes: under the labels that its registry was given.
pub(super) struct Export<'a> {
    pub(super) recorder: &'a dyn Recorder,
    pub(super) labels: &'a [Label],
}

impl Export<'_> {
    pub(super) fn describe(&self, durations: bool) {
        let counter = |name: &'static str, text: &'static str| {
            let unit = Some(Unit::Count);
            self.recorder
                .describe_counter(name.into(), unit, text.into());
        };
        let gauge = |name: &'static str, unit: Option<Unit>, text: &'static str| {
            self.recorder.describe_gauge(name.into(), unit, text.into());
        };
        counter(
            CALLS,
            "Calls by what became of them; refused ones did not run.",
        );
        counter(TRANSITIONS, "Changes of state.");
        gauge(
            STATE,
            None,
            "1 for the state that the circuit is in, 0 for the others; 0 for all when it has left its registry.",
        );
        gauge(
            FAILURE_RATE,
            None,
            "What a failure-rate rule compares, 0 to 1; NaN below its minimum of calls.",
        );
        if durations {
            let text = "How long calls took that ended.";
            self.recorder
                .describe_histogram(DURATION.into(), Some(Unit::Seconds), text.into());
        }
    }

    pub(super) fn page(&self, page: &Page) {
        for (name, account) in &page.accounts {
            self.account(name, account);
        }
        if !page.common.is_empty() {
            self.figures("", &page.common, false);
        }
    }

    /// Totals are set, not added: a recorder that was installed late, or whose series had gone, gets
    /// all of them.
    fn account(&self, name: &Arc<str>, account: &Account) {
        let present = account.present.as_ref();
        let successes = present.is_some_and(|present| present.counts_successes);
        self.figures(name, &account.figures, successes);
        for state in STATES {
            let is = present.is_some_and(|present| present.state == state);
            let labels = [("state", state.as_str())];
            let gauge = self
                .recorder
                .register_gauge(&key(STATE, self.labels, name, &labels), &METADATA);
            gauge.set(if is { 1.0 } else { 0.0 });
        }
        if account.rated {
            let rate = present.and_then(|present| present.rate);
            let gauge = self
                .recorder
                .register_gauge(&key(FAILURE_RATE, self.labels, name, &[]), &METADATA);
            gauge.set(rate.unwrap_or(f64::NAN));
        }
    }

    fn figures(&self, name: &str, figures: &Figures, successes: bool) {
        let Totals {
            success,
            failure,
            ignored,
            cancelled,
            late,
            refused,
            // Those overlap the others, which add up to all calls.
            timed_out: _,
            slow: _,
            would_trip: _,
        } = figures.totals;
        let outcomes = [
            ("success", success.filter(|calls| successes || *calls > 0)),
            ("failure", Some(failure)),
            ("ignored", Some(ignored)),
            ("cancelled", Some(cancelled)),
            ("late", Some(late)),
            ("refused", Some(refused)),
        ];
        for (outcome, calls) in outcomes {
            if let Some(calls) = calls {
                self.count(CALLS, name, &[("outcome", outcome)], calls);
            }
        }
        for (from, to, times) in figures.changes.iter() {
            let labels = [("from", from.as_str()), ("to", to.as_str())];
            self.count(TRANSITIONS, name, &labels, times);
        }
    }

    fn count(
        &self,
        what: &'static str,
        name: &str,
        labels: &[(&'static str, &'static str)],
        n: u64,
    ) {
        let key = key(what, self.labels, name, labels);
        let counter = self.recorder.register_counter(&key, &METADATA);
        counter.absolute(n);
    }
}

fn key(
    what: &'static str,
    given: &[Label],
    breaker: &str,
    more: &[(&'static str, &'static str)],
) -> Key {
    let mut labels = Vec::with_capacity(given.len() + 1 + more.len());
    labels.push(Label::new("breaker", breaker.to_owned()));
    labels.extend(
        more.iter()
            .map(|(name, value)| Label::from_static_parts(name, value)),
    );
    labels.extend_from_slice(given);
    Key::from_parts(what, labels)
}

/// The keys of the histograms, by breaker. Keys and not handles are kept: a handle that was made before there
/// was a recorder, or whose series the exporter ended, records what no exporter shows.
pub(super) type Keys = DashMap<Arc<str>, Arc<DurationKeys>, foldhash::fast::RandomState>;

/// The keys of the durations of one breaker's calls.
#[derive(Debug)]
pub(super) struct DurationKeys {
    success: Key,
    failure: Key,
    ignored: Key,
}

impl DurationKeys {
    pub(super) fn new(breaker: &str, given: &[Label]) -> Self {
        let key = |outcome| key(DURATION, given, breaker, &[("outcome", outcome)]);
        Self {
            success: key("success"),
            failure: key("failure"),
            ignored: key("ignored"),
        }
    }

    pub(super) fn of(&self, outcome: Outcome) -> &Key {
        match outcome {
            Outcome::Success => &self.success,
            Outcome::Failure | Outcome::TripFor(_) => &self.failure,
            Outcome::Ignored => &self.ignored,
        }
    }
}
