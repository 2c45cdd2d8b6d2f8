//! [`Aggregator`]: the values reported under each name.
//!
//! The counters of a new breaker start at zero. The aggregator adds up their increments by name. If
//! a breaker is evicted and later created again, its series therefore continues, and counters never
//! decrease.

use crate::circuit::Circuit;
use crate::clock::Moment;
use crate::rules::RuleKind;
use crate::snapshot::Snapshot;
use crate::state::State;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

#[derive(Default)]
pub(super) struct Aggregator {
    series: HashMap<Arc<str>, Series>,
    /// The counters of all names without series.
    overflow: Counters,
    /// The breaker that was last read under each name, with its counters at that time.
    read: HashMap<Arc<str>, (Weak<Circuit>, Counters)>,
}

/// The values of one name.
#[derive(Clone, Default)]
pub(super) struct Series {
    pub(super) counters: Counters,
    /// `None` once the breaker has left the registry.
    pub(super) state: Option<State>,
    /// `None` until a rate is reported for the first time. Afterwards NaN if there is no current
    /// rate, because the facade cannot withdraw a gauge.
    pub(super) failure_rate: Option<f64>,
    /// `None` until the breaker has the setting. Afterwards 1 if it does not ramp up, and NaN once
    /// it has left the registry.
    pub(super) ramp_up_share: Option<f64>,
    /// When the last report after the removal of the breaker was made.
    ended: Option<Moment>,
}

/// The names and values that one report exports. The overflow series has the empty name.
pub(super) type Report = Vec<(Arc<str>, Series)>;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Counter {
    Calls { outcome: &'static str },
    Transitions { from: State, to: State },
    OutlivedTrials,
    WouldTrip,
}

/// The transitions of an opening and a recovery.
///
/// Each has a series from the first report on. A series that appears with the value 1 is no
/// increase for Prometheus, so the first opening of a circuit would go unnoticed.
const USUAL_TRANSITIONS: [(State, State); 4] = [
    (State::Closed, State::Open),
    (State::Open, State::HalfOpen),
    (State::HalfOpen, State::Open),
    (State::HalfOpen, State::Closed),
];

#[derive(Clone, Default)]
pub(super) struct Counters(Vec<(Counter, u64)>);

/// The values of a breaker at one moment.
pub(super) struct Reading {
    snapshot: Snapshot,
    ramp_up_share: Option<f64>,
    breaker: Weak<Circuit>,
    counters: Counters,
}

impl Reading {
    /// Reads the values of `circuit`.
    ///
    /// Reads the clock of the breaker, which may be user code, so no lock may be held during the
    /// call.
    pub(super) fn of(circuit: &Arc<Circuit>) -> Self {
        let snapshot = circuit.snapshot();
        let totals = &snapshot.totals;
        let calls = [
            ("success", totals.success),
            ("failure", Some(totals.failure)),
            ("ignored", Some(totals.ignored)),
            ("cancelled", Some(totals.cancelled)),
            ("late", Some(totals.late)),
            ("refused", Some(totals.refused)),
            ("joined", Some(totals.joined)),
        ];
        let calls = calls.map(|(outcome, calls)| Some((Counter::Calls { outcome }, calls?)));
        let mut counters = Counters(calls.into_iter().flatten().collect());
        for (from, to) in USUAL_TRANSITIONS {
            counters.value_mut(Counter::Transitions { from, to });
        }
        for (from, to, times) in circuit.transition_counts().iter() {
            *counters.value_mut(Counter::Transitions { from, to }) = times;
        }
        *counters.value_mut(Counter::OutlivedTrials) = totals.outlived;
        *counters.value_mut(Counter::WouldTrip) = totals.would_trip;
        Self {
            counters,
            ramp_up_share: ramp_up_share(circuit, &snapshot),
            breaker: Arc::downgrade(circuit),
            snapshot,
        }
    }

    /// Returns the highest rate among the failure-rate rules.
    fn failure_rate(&self) -> Option<f64> {
        let rules = self.snapshot.rules.iter();
        let rates = rules.filter(|rule| matches!(rule.rule.kind, RuleKind::FailureRate(_)));
        rates.filter_map(|rule| rule.rate).reduce(f64::max)
    }
}

/// Returns the share of calls that the ramp-up of a circuit admits, or `None` if its settings have no
/// ramp-up.
fn ramp_up_share(circuit: &Circuit, snapshot: &Snapshot) -> Option<f64> {
    let has_setting = circuit.config().ramp_up().is_some();
    let share = snapshot.ramp_up_share;
    share.or(has_setting.then_some(1.0))
}

impl Aggregator {
    /// Removes names whose last report was made at least `idle` ago.
    pub(super) fn expire(&mut self, idle: Duration, now: Moment) {
        self.series
            .retain(|_, series| series.ended.is_none_or(|ended| now.since(ended) < idle));
    }

    /// Returns the series of `name`, and creates it if there are fewer than `limit` series.
    pub(super) fn get_or_insert(&mut self, name: &Arc<str>, limit: usize) -> Option<&mut Series> {
        if self.series.len() >= limit {
            return self.series.get_mut(name);
        }
        Some(self.series.entry(name.clone()).or_default())
    }

    /// Adds the calls that the breaker counted since the last reading.
    pub(super) fn add(&mut self, reading: Reading, limit: usize) {
        let rate = reading.failure_rate();
        let share = reading.ramp_up_share;
        let name = reading.snapshot.name;
        let (breaker, counters) = self.read.entry(name.clone()).or_default();
        if !breaker.ptr_eq(&reading.breaker) {
            (*breaker, *counters) = (reading.breaker, Counters::default());
        }
        let increments = counters.raise_to(&reading.counters);
        let Some(series) = self.get_or_insert(&name, limit) else {
            return self.overflow.add(&increments);
        };
        series.counters.add(&increments);
        series.state = Some(reading.snapshot.state);
        series.failure_rate = rate.or(series.failure_rate.map(|_| f64::NAN));
        series.ramp_up_share = share.or(series.ramp_up_share.map(|_| 1.0));
        series.ended = None;
    }

    /// Returns the names of existing breakers, and of removed breakers without a final report.
    ///
    /// `is_kept` returns whether a name still has a breaker.
    pub(super) fn report(&mut self, now: Moment, is_kept: impl Fn(&str) -> bool) -> Report {
        self.read
            .retain(|_, (breaker, _)| breaker.strong_count() > 0);
        let mut report = Report::new();
        let current = self.series.iter_mut();
        for (name, series) in current.filter(|(_, series)| series.ended.is_none()) {
            let mut reported = series.clone();
            if !is_kept(name) {
                series.state = None;
                reported.state = None;
                reported.failure_rate = series.failure_rate.map(|_| f64::NAN);
                reported.ramp_up_share = series.ramp_up_share.map(|_| f64::NAN);
                reported.ended = Some(now);
            }
            report.push((name.clone(), reported));
        }
        if !self.overflow.0.is_empty() {
            let counters = self.overflow.clone();
            report.push((
                "".into(),
                Series {
                    counters,
                    ..Series::default()
                },
            ));
        }
        report
    }

    /// Records that the recorder received `report`, so that removed breakers are not reported
    /// again.
    pub(super) fn mark_exported(&mut self, report: &Report) {
        for (name, reported) in report {
            if let Some(series) = self.series.get_mut(name).filter(|one| one.state.is_none()) {
                series.ended = reported.ended;
            }
        }
    }
}

impl Counters {
    pub(super) fn iter(&self) -> impl Iterator<Item = (Counter, u64)> {
        self.0.iter().copied()
    }

    fn value_mut(&mut self, counter: Counter) -> &mut u64 {
        let known = self.0.iter().position(|(known, _)| *known == counter);
        let index = known.unwrap_or_else(|| {
            self.0.push((counter, 0));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }

    fn add(&mut self, increments: &Self) {
        for (counter, more) in increments.iter() {
            *self.value_mut(counter) += more;
        }
    }

    /// Raises the values to those of `current`, and returns the increments.
    ///
    /// Concurrent reports may arrive in a different order than they read the breaker. An older
    /// reading then adds nothing, because the subtraction saturates.
    fn raise_to(&mut self, current: &Self) -> Self {
        let increments = current.iter().map(|(counter, value)| {
            let known = self.value_mut(counter);
            let more = value.saturating_sub(*known);
            *known += more;
            (counter, more)
        });
        Self(increments.collect())
    }
}
