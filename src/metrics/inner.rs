//! [`Inner`]: reads the breakers of a registry for a reporter.

use super::export::{self, Keys};
use super::series::{Aggregator, Reading, Report};
use crate::clock::Moment;
use crate::registry;
use crate::sync::Mutex;
use ::metrics::{Key, Label};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// State that the clones of a reporter share with its [`Durations`](super::durations::Durations)
/// listener.
pub(super) struct Inner {
    pub(super) registry: Weak<registry::Inner>,
    /// The maximum number of names that have series.
    pub(super) limit: usize,
    pub(super) labels: Vec<Label>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) aggregator: Mutex<Aggregator>,
    pub(super) durations: bool,
    pub(super) duration_keys: Keys,
}

impl Inner {
    /// Reads all breakers and returns the values to report.
    pub(super) fn read(&self) -> Report {
        let registry = self.registry.upgrade();
        let now = registry
            .as_ref()
            .map_or(Moment::ORIGIN, |registry| registry.clock.now());
        let circuits = registry.as_ref().map(|registry| registry.circuits());
        if let (Some(idle), Some(_)) = (self.idle_timeout, &registry) {
            self.aggregator.lock().expire(idle, now);
        }
        // A strong handle prevents eviction, so only one breaker is upgraded at a time.
        for circuit in circuits.iter().flatten().filter_map(Weak::upgrade) {
            let reading = Reading::of(&circuit);
            let mut aggregator = self.aggregator.lock();
            // Checked under the lock: as long as this breaker is not removed, no concurrent report
            // can have read a successor with the same name.
            if !circuit.entry.is_removed() {
                aggregator.add(reading, self.limit);
            }
        }
        let is_kept = |name: &str| {
            registry
                .as_ref()
                .is_some_and(|registry| registry.contains(name))
        };
        let report = self.aggregator.lock().report(now, is_kept);
        for (name, _) in report.iter().filter(|(_, series)| series.state.is_none()) {
            self.duration_keys.remove(name);
        }
        report
    }

    /// Returns the keys of `breaker`, or those of the empty name if there is no room for its
    /// series.
    pub(super) fn duration_keys(&self, breaker: &Arc<str>) -> Arc<[Key; 3]> {
        if let Some(keys) = self.duration_keys.get(breaker) {
            return keys.clone();
        }
        let registry = self.registry.upgrade();
        let is_kept = registry.is_some_and(|registry| registry.contains(breaker));
        let has_series = || {
            let mut aggregator = self.aggregator.lock();
            aggregator.get_or_insert(breaker, self.limit).is_some()
        };
        let name = if is_kept && has_series() {
            breaker.clone()
        } else {
            Arc::default()
        };
        let keys = export::duration_keys(&name, &self.labels);
        self.duration_keys.entry(name).or_insert(keys).clone()
    }
}
