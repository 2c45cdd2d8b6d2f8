//! Shows breakers in OpenTelemetry: attributes and events of spans, and metrics.
//!
//! * `tracing-opentelemetry` exports the spans of requests. Each guarded call records its result in
//!   attributes of its span, and a change of state is an event of the span that caused it.
//! * `metrics-opentelemetry` passes the metrics of the `metrics` facade to a meter.
//!
//! The exporters keep everything in memory, so that no collector is needed. A service uses those of
//! `opentelemetry-otlp` instead.
//!
//! ```sh
//! cargo run --package breakerbox-examples --bin opentelemetry
//! ```

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use metrics_opentelemetry::{OpenTelemetryMetrics, OpenTelemetryRecorder};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, Metric, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::collections::BTreeMap;
use std::time::Duration;
use tracing::field::Empty;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let spans = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.clone());
    let tracers = tracers.build();
    let layer = tracing_opentelemetry::layer().with_tracer(tracers.tracer("shop"));
    tracing_subscriber::registry().with(layer).init();

    let exported = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(exported.clone());
    let meters = meters.build();
    let recorder = OpenTelemetryRecorder::new(OpenTelemetryMetrics::new(meters.meter("shop")));
    metrics::set_global_recorder(recorder)?;

    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .default_preset(CircuitBreaker::builder().failure_threshold(3))
        .clock(clock.clone())
        .build()?;
    breakerbox::tracing::builder()
        .span_fields(true)
        .install(&registry);
    let reporter = breakerbox::metrics::install(&registry);

    // An outage: the third failure opens the circuit, the next calls are refused, and a trial closes it.
    for up in [true, false, false, false, true, true] {
        order(&registry, up).await;
        // Every report sets the counters anew, and adds nothing twice.
        reporter.report();
    }
    clock.advance(Duration::from_secs(30));
    order(&registry, true).await;
    reporter.report();
    tracers.force_flush()?;
    meters.force_flush()?;

    let spans = spans.get_finished_spans()?;
    for span in &spans {
        println!("{}: {:?} {:?}", span.name, attributes(span), events(span));
    }
    check_spans(&spans);

    let exported = exported.get_finished_metrics()?;
    let metrics = exported.last().ok_or("no metrics were exported")?;
    let metrics = metrics.scope_metrics().flat_map(ScopeMetrics::metrics);
    let values: BTreeMap<_, _> = metrics.flat_map(series).collect();
    for (name, value) in &values {
        println!("{name} {value}");
    }
    check_metrics(&values);
    println!("{} spans and {} series exported", spans.len(), values.len());
    Ok(())
}

/// Handles an order within a span, which declares the attributes that the guarded call records.
async fn order(registry: &BreakerRegistry, up: bool) {
    let span = info_span!(
        "charge",
        otel.kind = "client",
        breaker.name = Empty,
        breaker.state = Empty,
        breaker.outcome = Empty,
        breaker.refusal = Empty,
    );
    let charge = async {
        if up {
            Ok(())
        } else {
            Err("connection refused")
        }
    };
    // The span is around the guard. Otherwise the call would end after its span.
    let guarded = charge.with_breaker(registry, "payments").instrument(span);
    let _: Result<(), BreakerError<&str>> = guarded.await;
}

/// Returns the attributes of a span that begin with `breaker.`.
fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    let of_breaker = |attribute: &&KeyValue| attribute.key.as_str().starts_with("breaker.");
    let attributes = span.attributes.iter().filter(of_breaker);
    attributes
        .map(|attribute| (attribute.key.to_string(), attribute.value.to_string()))
        .collect()
}

/// Returns the events of a span.
fn events(span: &SpanData) -> Vec<String> {
    let names = span.events.iter().map(|event| event.name.to_string());
    names.collect()
}

fn check_spans(spans: &[SpanData]) {
    let expected = [
        ("closed", "success", None, &[][..]),
        ("closed", "failure", None, &[]),
        ("closed", "failure", None, &[]),
        ("open", "failure", None, &["circuit opened"]),
        ("open", "refused", Some("open"), &[]),
        ("open", "refused", Some("open"), &[]),
        (
            "closed",
            "success",
            None,
            &["circuit half-opened", "circuit closed"],
        ),
    ];
    assert_eq!(spans.len(), expected.len());
    for (span, (state, outcome, refusal, changes)) in spans.iter().zip(expected) {
        let attributes = attributes(span);
        let value = |key: &str| attributes.get(key).map(String::as_str);
        assert_eq!(value("breaker.name"), Some("payments"));
        assert_eq!(value("breaker.state"), Some(state));
        assert_eq!(value("breaker.outcome"), Some(outcome));
        assert_eq!(value("breaker.refusal"), refusal);
        assert_eq!(events(span), changes);
    }
    let opened = spans[3]
        .events
        .iter()
        .next()
        .expect("the event of the opening");
    let attribute = |key: &str| {
        let mut attributes = opened.attributes.iter();
        attributes
            .find(|one| one.key.as_str() == key)
            .map(|one| one.value.to_string())
    };
    assert_eq!(attribute("from").as_deref(), Some("closed"));
    assert_eq!(attribute("to").as_deref(), Some("open"));
    assert_eq!(
        attribute("cause").as_deref(),
        Some("3 consecutive failures")
    );
}

/// Returns the series of a metric as they would appear on a Prometheus page.
fn series(metric: &Metric) -> Vec<(String, f64)> {
    let named = |attributes: &mut dyn Iterator<Item = &KeyValue>| {
        let mut labels: Vec<_> = attributes
            .map(|label| format!("{}={:?}", label.key, label.value.to_string()))
            .collect();
        labels.sort();
        format!("{}{{{}}}", metric.name(), labels.join(","))
    };
    match metric.data() {
        #[allow(clippy::cast_precision_loss)] // a few calls
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            let points = sum.data_points();
            points
                .map(|point| (named(&mut point.attributes()), point.value() as f64))
                .collect()
        }
        AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
            let points = gauge.data_points();
            points
                .map(|point| (named(&mut point.attributes()), point.value()))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn check_metrics(values: &BTreeMap<String, f64>) {
    for (name, expected) in [
        (
            r#"breakerbox_calls_total{breaker="payments",outcome="success"}"#,
            2.0,
        ),
        (
            r#"breakerbox_calls_total{breaker="payments",outcome="failure"}"#,
            3.0,
        ),
        (
            r#"breakerbox_calls_total{breaker="payments",outcome="refused"}"#,
            2.0,
        ),
        (
            r#"breakerbox_transitions_total{breaker="payments",from="closed",to="open"}"#,
            1.0,
        ),
        (
            r#"breakerbox_state{breaker="payments",state="closed"}"#,
            1.0,
        ),
        (r#"breakerbox_state{breaker="payments",state="open"}"#, 0.0),
    ] {
        assert_eq!(values.get(name), Some(&expected), "{name}");
    }
}
