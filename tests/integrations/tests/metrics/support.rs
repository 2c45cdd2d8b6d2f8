use breakerbox::metrics::Reporter;
use breakerbox::prelude::*;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::collections::{BTreeMap, BTreeSet};

/// A Prometheus exporter that is independent of the global recorder.
pub(crate) struct Prometheus {
    pub(crate) recorder: PrometheusRecorder,
    pub(crate) handle: PrometheusHandle,
}

impl Prometheus {
    pub(crate) fn new() -> Self {
        Self::with(PrometheusBuilder::new())
    }

    pub(crate) fn with(builder: PrometheusBuilder) -> Self {
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        Self { recorder, handle }
    }

    pub(crate) fn report(&self, reporter: &Reporter) -> Page {
        metrics::with_local_recorder(&self.recorder, || reporter.report());
        self.page()
    }

    pub(crate) fn page(&self) -> Page {
        let text = self.handle.render();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        let pair = |line: &str| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        };
        Page(lines.map(pair).collect())
    }
}

/// A rendered page: series and their values.
#[derive(Debug, PartialEq)]
pub(crate) struct Page(pub(crate) BTreeMap<String, f64>);

impl Page {
    pub(crate) fn calls(&self, breaker: &str, outcome: &str) -> Option<f64> {
        let series =
            format!(r#"breakerbox_calls_total{{breaker="{breaker}",outcome="{outcome}"}}"#);
        self.0.get(&series).copied()
    }

    pub(crate) fn state(&self, breaker: &str, state: &str) -> Option<f64> {
        let series = format!(r#"breakerbox_state{{breaker="{breaker}",state="{state}"}}"#);
        self.0.get(&series).copied()
    }

    pub(crate) fn changes(&self, breaker: &str, from: &str, to: &str) -> Option<f64> {
        let series = format!(
            r#"breakerbox_transitions_total{{breaker="{breaker}",from="{from}",to="{to}"}}"#
        );
        self.0.get(&series).copied()
    }

    pub(crate) fn rate(&self, breaker: &str) -> Option<f64> {
        let series = format!(r#"breakerbox_failure_rate{{breaker="{breaker}"}}"#);
        self.0.get(&series).copied()
    }

    pub(crate) fn ramp_up_share(&self, breaker: &str) -> Option<f64> {
        let series = format!(r#"breakerbox_ramp_up_share{{breaker="{breaker}"}}"#);
        self.0.get(&series).copied()
    }

    pub(crate) fn outlived_trials(&self, breaker: &str) -> Option<f64> {
        let series = format!(r#"breakerbox_outlived_trials_total{{breaker="{breaker}"}}"#);
        self.0.get(&series).copied()
    }

    pub(crate) fn would_trip(&self, breaker: &str) -> Option<f64> {
        let series = format!(r#"breakerbox_would_trip_total{{breaker="{breaker}"}}"#);
        self.0.get(&series).copied()
    }

    /// Returns the number of calls with this outcome, over all breakers.
    pub(crate) fn total(&self, outcome: &str) -> u64 {
        let label = format!(r#"outcome="{outcome}""#);
        let calls = self.0.iter().filter(|(series, _)| {
            series.starts_with("breakerbox_calls_total") && series.contains(&label)
        });
        calls
            .map(|(_, value)| value.to_string().parse::<u64>().unwrap())
            .sum()
    }

    pub(crate) fn breakers(&self) -> BTreeSet<&str> {
        let names = self.0.keys().map(|series| {
            let (_, rest) = series.split_once("breaker=\"").unwrap();
            rest.split_once('"').unwrap().0
        });
        names.collect()
    }
}

pub(crate) fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

pub(crate) fn succeed(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Ok::<_, ()>(()));
}

pub(crate) fn with_capacity(capacity: usize) -> BreakerRegistry {
    BreakerRegistry::builder()
        .capacity(capacity)
        .build()
        .unwrap()
}
