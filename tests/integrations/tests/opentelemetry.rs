//! Spans and metrics in OpenTelemetry, with exporters that keep them in memory.
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use metrics_opentelemetry::{OpenTelemetryMetrics, OpenTelemetryRecorder};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, Instrument, MeterProviderBuilder, SdkMeterProvider, Stream,
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing::field::Empty;
use tracing::info_span;
use tracing_subscriber::layer::SubscriberExt;

/// Serializes the tests: `tracing` caches the interest in a callsite over all subscribers of a process.
static SERIAL: Mutex<()> = Mutex::new(());

/// Returns the spans that `work` ends. State changes are logged, and calls record fields.
fn spans(registry: &BreakerRegistry, work: impl FnOnce()) -> Vec<SpanData> {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
    let provider = provider.build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    breakerbox::tracing::builder()
        .span_fields(true)
        .install(registry);
    tracing::subscriber::with_default(subscriber, work);
    exporter.get_finished_spans().unwrap()
}

/// Makes a call within a span of its own.
fn call_in_span(breaker: &CircuitBreaker, up: bool) {
    let span = info_span!(
        "call",
        breaker.name = Empty,
        breaker.state = Empty,
        breaker.outcome = Empty,
        breaker.refusal = Empty,
    );
    let _ = span.in_scope(|| breaker.call(|| if up { Ok(()) } else { Err("down") }));
}

/// Returns the values of an attribute, which may occur several times.
fn values(attributes: &[KeyValue], key: &str) -> Vec<String> {
    let found = attributes.iter().filter(|one| one.key.as_str() == key);
    found.map(|one| one.value.to_string()).collect()
}

fn names(span: &SpanData) -> Vec<String> {
    let names = span.events.iter().map(|event| event.name.to_string());
    names.collect()
}

#[test]
fn state_change_is_event_of_span_that_caused_it() {
    let clock = ManualClock::new();
    let default = CircuitBreaker::builder().failure_threshold(1);
    let registry = BreakerRegistry::builder().default_preset(default);
    let registry = registry.clock(clock.clone()).build().unwrap();
    let users = registry.breaker("users");
    let spans = spans(&registry, || {
        call_in_span(&users, false);
        call_in_span(&users, true);
        clock.advance(Duration::from_secs(30));
        call_in_span(&users, true);
    });
    let seen: Vec<_> = spans
        .iter()
        .map(|span| (values(&span.attributes, "breaker.outcome"), names(span)))
        .collect();
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let expected: [(Vec<String>, Vec<String>); 3] = [
        (owned(&["failure"]), owned(&["circuit opened"])),
        (owned(&["refused"]), owned(&[])),
        (
            owned(&["success"]),
            owned(&["circuit half-opened", "circuit closed"]),
        ),
    ];
    assert_eq!(seen, expected);
    assert_eq!(values(&spans[1].attributes, "breaker.refusal"), ["open"]);
    let opened = &spans[0].events[0].attributes;
    assert_eq!(values(opened, "breaker"), ["users"]);
    assert_eq!(values(opened, "to"), ["open"]);
    assert_eq!(values(opened, "retry_after_secs"), ["30"]);
    for span in &spans {
        assert_eq!(
            span.status,
            Status::Unset,
            "neither a failure nor a refusal fails its span"
        );
    }
}

#[test]
fn panicking_listener_fails_span() {
    let registry = BreakerRegistry::builder().on_change(|event| {
        assert!(
            !matches!(event, Event::StateChanged { .. }),
            "the listener panics"
        );
    });
    let registry = registry.build().unwrap();
    let users = registry.breaker("users");
    let spans = spans(&registry, || {
        info_span!("command").in_scope(|| users.trip());
    });
    assert!(matches!(spans[0].status, Status::Error { .. }));
}

#[test]
fn second_call_of_span_adds_its_attributes() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    let spans = spans(&registry, || {
        info_span!("two", breaker.outcome = Empty).in_scope(|| {
            let _ = users.call(|| Ok::<_, ()>(()));
            let _ = users.call(|| Err::<(), _>(()));
        });
    });
    let outcomes = values(&spans[0].attributes, "breaker.outcome");
    assert_eq!(outcomes, ["success", "failure"]);
}

/// The names of breakers and the values of one counter, in the last of three reports.
fn exported(
    registry: &BreakerRegistry,
    settings: impl FnOnce(MeterProviderBuilder) -> MeterProviderBuilder,
) -> Vec<(String, u64)> {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone());
    let provider = settings(provider).build();
    let recorder = OpenTelemetryMetrics::new(provider.meter("test"));
    let recorder = OpenTelemetryRecorder::new(recorder);
    let reporter = breakerbox::metrics::install(registry);
    for _ in 0..3 {
        metrics::with_local_recorder(&recorder, || reporter.report());
    }
    provider.force_flush().unwrap();
    let reports = exporter.get_finished_metrics().unwrap();
    let metrics = reports
        .last()
        .unwrap()
        .scope_metrics()
        .flat_map(ScopeMetrics::metrics);
    let calls = metrics.filter(|metric| metric.name() == "breakerbox_calls_total");
    let mut points = Vec::new();
    for metric in calls {
        let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else {
            panic!("not a counter")
        };
        for point in sum.data_points() {
            let labels: Vec<_> = point.attributes().cloned().collect();
            let name = values(&labels, "breaker")
                .pop()
                .unwrap_or("overflow".to_owned());
            points.push((name, point.value()));
        }
    }
    points.sort();
    points
}

#[test]
fn repeated_reports_add_no_call_twice() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    (0..5).for_each(|_| drop(users.call(|| Ok::<_, ()>(()))));
    let points = exported(&registry, |builder| builder);
    assert_eq!(points.iter().map(|(_, value)| value).sum::<u64>(), 5);
    assert_eq!(points.len(), 7, "one for each outcome");
}

#[test]
fn view_raises_limit_of_series() {
    let registry = BreakerRegistry::new();
    let names: Vec<_> = (0..300).map(|number| format!("{number:03}")).collect();
    for name in &names {
        let _ = registry.breaker(name).call(|| Ok::<_, ()>(()));
    }
    let overflows = |points: &[(String, u64)]| points.iter().any(|(name, _)| name == "overflow");
    let calls = |points: &[(String, u64)]| points.iter().map(|(_, value)| value).sum::<u64>();
    let limited = exported(&registry, |builder| builder);
    assert!(overflows(&limited), "300 breakers have 2,100 series");
    assert_eq!(limited.len(), 2_001);
    assert_eq!(calls(&limited), 300);

    let raised = |instrument: &Instrument| {
        let is_ours = instrument.name().starts_with("breakerbox_");
        let stream = Stream::builder().with_cardinality_limit(10_000);
        is_ours.then(|| stream.build().unwrap())
    };
    let raised = exported(&registry, |builder| builder.with_view(raised));
    assert!(!overflows(&raised));
    assert_eq!((raised.len(), calls(&raised)), (2_100, 300));
}
