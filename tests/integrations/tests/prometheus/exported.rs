//! The series that a reporter exports, and the check that queries use only these.

use breakerbox::clock::{ManualClock, TokioClock};
use breakerbox::prelude::*;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Labels that Prometheus or its service discovery adds to each series.
const TARGET_LABELS: [&str; 3] = ["job", "instance", "pod"];

/// The exported series, with the values of each label.
pub(crate) struct Exported(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Exported {
    /// Returns the series of a registry that has seen every transition and every state that rules
    /// and dashboards use.
    pub(crate) fn new() -> Self {
        let builder = PrometheusBuilder::new().set_buckets(&[1.0]).unwrap();
        let recorder = builder.build_recorder();
        let rule = TripRule::failure_rate(1.0).over(Window::calls(1));
        let preset = CircuitBreaker::builder()
            .trip_when(rule)
            .ramp_up(Duration::from_secs(30))
            .clock(ManualClock::new());
        let registry = BreakerRegistry::builder()
            .default_preset(preset)
            .build()
            .unwrap();
        metrics::with_local_recorder(&recorder, || {
            let reporter = breakerbox::metrics::builder()
                .durations(true)
                .install(&registry)
                .unwrap();
            let users = registry.breaker("users");
            users.try_acquire().unwrap().success();
            // Reported now, because the window and its rate are reset when the circuit opens.
            reporter.report();
            users.try_acquire().unwrap().failure();
            users.half_open();
            users.force_open();
            reporter.report();
            share();
        });
        let mut exported = BTreeMap::<_, BTreeMap<_, BTreeSet<_>>>::new();
        let page = recorder.handle().render();
        let is_series = |line: &&str| line.starts_with("breakerbox_");
        for line in page.lines().filter(is_series) {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let (name, given) = series.split_once('{').unwrap_or((series, ""));
            let labels = exported.entry(name.to_owned()).or_default();
            let given = given.trim_end_matches('}').split(',');
            let given = given.filter(|label| !label.is_empty());
            for label in given {
                let (label, value) = label.split_once('=').unwrap();
                let values = labels.entry(label.to_owned()).or_default();
                values.insert(value.trim_matches('"').to_owned());
            }
        }
        Self(exported)
    }

    /// Returns the names of all series. A histogram has only the name of its buckets.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let names = self.0.keys();
        let is_part = |name: &str| name.ends_with("_sum") || name.ends_with("_count");
        names.filter(|name| !is_part(name)).cloned().collect()
    }

    /// Returns the names of the series that `query` selects.
    ///
    /// Panics if the query uses a name, a label, or the value of a label that is not exported.
    /// Values that begin with `$` are variables of the dashboard.
    pub(crate) fn check(&self, query: &str) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (word, rest) in words(query) {
            if !word.starts_with("breakerbox_") {
                continue;
            }
            let labels = self.0.get(word);
            let labels = labels.unwrap_or_else(|| panic!("{word} is not exported: {query}"));
            used.insert(word.to_owned());
            let matchers = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let Some((matchers, _)) = matchers else {
                continue;
            };
            for matcher in matchers.split(',') {
                let (label, value) = matcher.split_once(['=', '!']).unwrap();
                let value = value.trim_start_matches(['=', '~']).trim_matches('"');
                if TARGET_LABELS.contains(&label) {
                    continue;
                }
                let values = labels.get(label);
                let values = values.unwrap_or_else(|| panic!("{label} of {word}: {query}"));
                // An empty value selects the series of the names that have no series.
                if value.is_empty() || value.starts_with('$') {
                    continue;
                }
                for value in value.split('|') {
                    assert!(values.contains(value), "{label}={value}: {query}");
                }
            }
        }
        for clause in ["by (", "without (", "ignoring ("] {
            for groups in query.split(clause).skip(1) {
                let (groups, _) = groups.split_once(')').unwrap();
                for label in groups.split(", ") {
                    let mut series = used.iter().map(|name| &self.0[name]);
                    let is_known = series.any(|labels| labels.contains_key(label));
                    let is_known = is_known || TARGET_LABELS.contains(&label);
                    assert!(is_known, "{label}: {query}");
                }
            }
        }
        used
    }
}

/// Runs the fleet of the example for a while, in virtual time.
fn share() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = TokioClock::new();
        let registry = BreakerRegistry::builder().clock(clock).build().unwrap();
        let running = crate::example::sharing::run(&registry);
        let ended = tokio::time::timeout(Duration::from_secs(60), running).await;
        assert!(ended.is_err(), "{ended:?}");
    });
}

/// Returns the words of a query, each with the text that follows it.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(part)?;
        let text = &rest[start..];
        let end = text.find(|c| !part(c)).unwrap_or(text.len());
        rest = &text[end..];
        Some((&text[..end], rest))
    })
}
