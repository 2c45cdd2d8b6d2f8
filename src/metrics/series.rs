//! [`Aggregator`]: the values that were reported under each name.
//!
//! The counters of a breaker begin at zero with it. Their increments are added up by name, so a name whose
//! breaker was evicted and created again continues from its last reported values: counters never go back.

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
    /// The counters of names that have no series.
    overflow: Counters,
    /// The breaker that was last read under each name, and its counters then.
    read: HashMap<Arc<str>, (Weak<Circuit>, Counters)>,
}

/// The values of one name.
#[derive(Clone, Default)]
pub(super) struct Series {
    pub(super) counters: Counters,
    /// `None` once the breaker has left the registry.
    pub(super) state: Option<State>,
    /// `None` if no rate was ever reported, because the facade has no way to withdraw a gauge. NaN without
    /// a current rate.
    pub(super) failure_rate: Option<f64>,
    /// When the last report of a breaker that left was made.
    ended: Option<Moment>,
}

/// The names and values that one report exports. The overflow has the empty name.
pub(super) type Report = Vec<(Arc<str>, Series)>;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Counter {
    Calls { outcome: &'static str },
    Transitions { from: State, to: State },
}

#[derive(Clone, Default)]
pub(super) struct Counters(Vec<(Counter, u64)>);

/// The values of a live breaker at one moment.
pub(super) struct Reading {
    snapshot: Snapshot,
    breaker: Weak<Circuit>,
    counters: Counters,
}

impl Reading {
    /// Reads the clock of the breaker, so it is never called under a lock.
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
        ];
        let calls = calls.map(|(outcome, calls)| Some((Counter::Calls { outcome }, calls?)));
        let transitions = circuit.transition_counts();
        let transitions = transitions
            .iter()
            .map(|(from, to, times)| (Counter::Transitions { from, to }, times));
        Self {
            counters: Counters(calls.into_iter().flatten().chain(transitions).collect()),
            breaker: Arc::downgrade(circuit),
            snapshot,
        }
    }

    /// The highest rate that a failure-rate rule compares.
    fn failure_rate(&self) -> Option<f64> {
        let rules = self.snapshot.rules.iter();
        let rates = rules.filter(|rule| matches!(rule.rule.kind, RuleKind::FailureRate(_)));
        rates.filter_map(|rule| rule.rate).reduce(f64::max)
    }
}

impl Aggregator {
    /// Forgets the names whose last report was made at least `idle` ago.
    pub(super) fn expire(&mut self, idle: Duration, now: Moment) {
        self.series
            .retain(|_, series| series.ended.is_none_or(|ended| now.since(ended) < idle));
    }

    /// Returns the series of `name`. Creates them while there are fewer than `limit`.
    pub(super) fn get_or_insert(&mut self, name: &Arc<str>, limit: usize) -> Option<&mut Series> {
        if self.series.len() >= limit {
            return self.series.get_mut(name);
        }
        Some(self.series.entry(name.clone()).or_default())
    }

    /// Adds what the breaker counted since it was last read.
    pub(super) fn add(&mut self, reading: Reading, limit: usize) {
        let rate = reading.failure_rate();
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
        series.ended = None;
    }

    /// Returns the names of live breakers, and the names that were not reported since their breaker left.
    /// `is_kept` tells whether a name still has a breaker.
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

    /// Records that the recorder got `report`: a name without a breaker is not reported again.
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

    /// Raises the values to those of `current`, and returns the increments. Of two concurrent reports, the
    /// one that read the breaker first may arrive last: it adds nothing.
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
