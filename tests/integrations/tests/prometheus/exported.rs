//! Checks the dashboard in docs/: its queries use exported series and their labels.
#![allow(missing_docs)]

use breakerbox::prelude::*;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The exported series, with the values of each label.
type Exported = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Returns the series of a registry that has seen all outcomes and states that the dashboard uses.
fn exported() -> Exported {
    let builder = PrometheusBuilder::new().set_buckets(&[1.0]).unwrap();
    let recorder = builder.build_recorder();
    let rule = TripRule::failure_rate(1.0).over(Window::calls(1));
    let registry = BreakerRegistry::builder()
        .default_preset(CircuitBreaker::builder().trip_when(rule))
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
    });
    let mut exported = Exported::new();
    for line in recorder.handle().render().lines() {
        let Some((name, rest)) = line.split_once('{') else {
            continue;
        };
        let labels = exported.entry(name.to_owned()).or_default();
        let (given, _) = rest.split_once('}').unwrap();
        for label in given.split(',') {
            let (label, value) = label.split_once('=').unwrap();
            let values = labels.entry(label.to_owned()).or_default();
            values.insert(value.trim_matches('"').to_owned());
        }
    }
    exported
}

/// Collects the queries of the dashboard, at any depth.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if ["expr", "query", "definition"].contains(&&**name) => {
                        found.push(text.clone());
                    }
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
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

#[test]
fn dashboard_queries_only_exported_series() {
    let exported = exported();
    let text = include_str!("../../../docs/grafana-dashboard.json");
    let mut found = Vec::new();
    queries(&serde_json::from_str(text).unwrap(), &mut found);
    assert!(found.len() > 10, "{found:?}");

    let mut used = BTreeSet::new();
    for query in &found {
        for (word, rest) in words(query) {
            if !word.starts_with("breakerbox_") {
                continue;
            }
            let labels = exported
                .get(word)
                .unwrap_or_else(|| panic!("{word} is not exported: {query}"));
            used.insert(word.to_owned());
            let Some((matchers, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'))
            else {
                continue;
            };
            for matcher in matchers.split(',') {
                let (label, value) = matcher.split_once('=').unwrap();
                let values = labels
                    .get(label)
                    .unwrap_or_else(|| panic!("{label}: {query}"));
                let wanted = value.trim_start_matches('~').trim_matches('"');
                if wanted != "$breaker" {
                    for wanted in wanted.split('|') {
                        assert!(values.contains(wanted), "{label}={wanted}: {query}");
                    }
                }
            }
        }
        // A label of a `by` clause belongs to the first series after the clause.
        for groups in query.split("by (").skip(1) {
            let (groups, rest) = groups.split_once(')').unwrap();
            let (series, _) = words(rest)
                .find(|(word, _)| word.starts_with("breakerbox_"))
                .unwrap();
            for label in groups.split(", ") {
                assert!(
                    exported[series].contains_key(label),
                    "{label} of {series}: {query}"
                );
            }
        }
    }
    for name in [
        "calls_total",
        "transitions_total",
        "state",
        "failure_rate",
        "call_duration_seconds_bucket",
    ] {
        assert!(
            used.contains(&format!("breakerbox_{name}")),
            "the dashboard does not use {name}"
        );
    }
}
