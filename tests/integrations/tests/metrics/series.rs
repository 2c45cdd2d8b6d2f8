//! The series of a breaker.

use crate::support::{Prometheus, fail, succeed};
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[test]
fn reporter_has_auto_traits() {
    fn assert_traits<T: Send + Sync + Unpin + Clone + std::fmt::Debug + 'static>() {}
    assert_traits::<breakerbox::metrics::Reporter>();
    assert_traits::<breakerbox::metrics::ReporterBuilder>();
}

#[test]
fn reporter_builder_rejects_invalid_settings() {
    let registry = BreakerRegistry::new();
    let refused = |builder: breakerbox::metrics::ReporterBuilder| {
        let error = builder.install(&registry).unwrap_err();
        (error.field().to_owned(), error.value().to_owned())
    };
    let builder = breakerbox::metrics::builder;
    let pair = |field: &str, value: &str| (field.to_owned(), value.to_owned());
    assert_eq!(
        refused(builder().label("breaker", "x")),
        pair("label", "\"breaker\"")
    );
    assert_eq!(refused(builder().label("", "x")), pair("label", "\"\""));
    let twice = builder().label("registry", "x").label("registry", "y");
    assert_eq!(refused(twice), pair("label", "\"registry\""));
    assert_eq!(
        refused(builder().idle_timeout(Duration::ZERO)),
        pair("idle_timeout", "0ns")
    );
}

#[test]
fn report_shows_calls_transitions_and_states() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .unwrap();
    let users = registry.breaker("users");
    succeed(&users);
    // The call before the reporter is installed counts as well.
    let reporter = breakerbox::metrics::install(&registry);
    succeed(&users);
    (0..6).for_each(|_| fail(&users));
    drop(registry.breaker("idle").try_acquire());

    let prometheus = Prometheus::new();
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("users", "success"), Some(2.0));
    assert_eq!(page.calls("users", "failure"), Some(5.0));
    assert_eq!(page.calls("users", "refused"), Some(1.0));
    assert_eq!(page.calls("users", "late"), Some(0.0));
    assert_eq!(page.calls("idle", "ignored"), Some(0.0));
    assert_eq!(page.calls("idle", "cancelled"), Some(1.0));
    assert_eq!(page.changes("users", "closed", "open"), Some(1.0));
    for state in [
        "closed",
        "half_open",
        "forced_open",
        "disabled",
        "metrics_only",
    ] {
        assert_eq!(page.state("users", state), Some(0.0), "{state}");
    }
    assert_eq!(page.state("users", "open"), Some(1.0));
    assert_eq!(page.state("idle", "closed"), Some(1.0));
    // Without a rule on the failure rate, there is no series for it.
    assert_eq!(page.rate("users"), None);
    assert_eq!(page.breakers(), BTreeSet::from(["idle", "users"]));

    // The open circuit becomes half-open without a call.
    clock.advance(Duration::from_secs(30));
    let page = prometheus.report(&reporter);
    assert_eq!(
        (
            page.state("users", "open"),
            page.state("users", "half_open")
        ),
        (Some(0.0), Some(1.0))
    );
    assert_eq!(page.changes("users", "open", "half_open"), Some(0.0));
    succeed(&users);
    let page = prometheus.report(&reporter);
    assert_eq!(page.changes("users", "open", "half_open"), Some(1.0));
    assert_eq!(page.changes("users", "half_open", "closed"), Some(1.0));
    assert_eq!(page.state("users", "closed"), Some(1.0));
    // A report changes nothing.
    assert_eq!(prometheus.report(&reporter), page);
}

#[test]
fn failure_rate_is_shown_after_minimum_calls() {
    let rule = TripRule::failure_rate(0.9)
        .over(Window::calls(10))
        .minimum_calls(4);
    let registry = BreakerRegistry::builder()
        .default_preset(CircuitBreaker::builder().trip_when(rule))
        .build()
        .unwrap();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let users = registry.breaker("users");
    (0..3).for_each(|_| succeed(&users));
    assert_eq!(prometheus.report(&reporter).rate("users"), None);
    fail(&users);
    assert_eq!(prometheus.report(&reporter).rate("users"), Some(0.25));
    users.reset();
    assert!(prometheus.report(&reporter).rate("users").unwrap().is_nan());
}

#[test]
fn ramp_up_share_is_shown_for_breakers_with_setting() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .unwrap();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let ramp_up = CircuitBreaker::builder().ramp_up(Duration::from_secs(20));
    let users = registry.register("users", ramp_up).unwrap();
    registry.breaker("orders");
    let share = || prometheus.report(&reporter).ramp_up_share("users");
    assert_eq!(share(), Some(1.0));
    users.half_open();
    assert_eq!(share(), Some(1.0));
    succeed(&users);
    assert_eq!(share(), Some(0.1));
    clock.advance(Duration::from_secs(10));
    assert_eq!(share(), Some(0.55));
    clock.advance(Duration::from_secs(10));
    assert_eq!(share(), Some(1.0));

    users.configure(BreakerBuilder::inherit).unwrap();
    assert_eq!(share(), Some(1.0));
    let page = prometheus.report(&reporter);
    assert_eq!(page.ramp_up_share("orders"), None);
    registry.remove("users");
    assert!(share().is_some_and(f64::is_nan));
}

#[test]
fn joined_calls_and_outlived_trials_are_counted() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .unwrap();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let users = registry.breaker("users");
    users.half_open();
    let slow = users.try_acquire().unwrap();
    clock.advance(Duration::from_secs(30));
    users
        .try_acquire()
        .unwrap()
        .call(|| users.call(|| Ok::<_, String>(())))
        .unwrap();
    let page = prometheus.report(&reporter);
    assert_eq!(page.outlived_trials("users"), Some(1.0));
    assert_eq!(page.calls("users", "joined"), Some(1.0));
    assert_eq!(page.calls("users", "success"), Some(1.0));
    drop(slow);
}

#[test]
fn usual_transitions_start_at_zero() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let users = registry.breaker("users");
    let page = prometheus.report(&reporter);
    for (from, to) in [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "open"),
        ("half_open", "closed"),
    ] {
        assert_eq!(page.changes("users", from, to), Some(0.0), "{from} {to}");
    }
    // Commands are rare, so their transitions get a series when they occur.
    assert_eq!(page.changes("users", "closed", "forced_open"), None);
    users.force_open();
    let page = prometheus.report(&reporter);
    assert_eq!(page.changes("users", "closed", "forced_open"), Some(1.0));
}

#[test]
fn would_trip_is_counted_in_metrics_only_mode() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let users = registry.breaker("users");
    assert_eq!(prometheus.report(&reporter).would_trip("users"), Some(0.0));
    users.metrics_only();
    (0..5).for_each(|_| fail(&users));
    assert_eq!(prometheus.report(&reporter).would_trip("users"), Some(1.0));
}

#[test]
fn series_have_units_and_descriptions() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::builder()
        .label("region", "eu")
        .durations(true)
        .install(&registry)
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        succeed(&registry.breaker("users"));
        reporter.report();
    });
    let mut described = BTreeMap::new();
    let mut durations = Vec::new();
    for (key, unit, description, value) in snapshots.snapshot().into_vec() {
        let (_, key) = key.into_parts();
        assert!(
            key.labels()
                .any(|label| (label.key(), label.value()) == ("region", "eu"))
        );
        described.insert(key.name().to_owned(), (unit, description.is_some()));
        if let DebugValue::Histogram(values) = value {
            assert_eq!(values.len(), 1);
            durations.push(key.name().to_owned());
        }
    }
    let count = Some(metrics::Unit::Count);
    let seconds = Some(metrics::Unit::Seconds);
    let expected = [
        ("breakerbox_call_duration_seconds", (seconds, true)),
        ("breakerbox_calls_total", (count, true)),
        ("breakerbox_outlived_trials_total", (count, true)),
        ("breakerbox_state", (None, true)),
        ("breakerbox_transitions_total", (count, true)),
        ("breakerbox_would_trip_total", (count, true)),
    ];
    assert_eq!(
        described,
        expected
            .map(|(name, unit_and_described)| (name.to_owned(), unit_and_described))
            .into()
    );
    assert_eq!(durations, ["breakerbox_call_duration_seconds"]);
}

#[test]
fn durations_are_recorded_on_request() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .unwrap();
    // Created before the reporter is installed.
    let users = registry.breaker("users");
    let prometheus = Prometheus::new();
    let buckets = PrometheusBuilder::new().set_buckets(&[0.1, 1.0]).unwrap();
    let bucketed = Prometheus::with(buckets);
    let call = |breaker: &CircuitBreaker, failed: bool| {
        let permit = breaker.try_acquire().unwrap();
        clock.advance(Duration::from_millis(500));
        if failed {
            permit.failure();
        } else {
            permit.success();
        }
    };
    metrics::with_local_recorder(&bucketed.recorder, || {
        let plain = breakerbox::metrics::install(&registry);
        call(&users, false);
        plain.report();
        assert!(!bucketed.handle.render().contains("duration"));

        let reporter = breakerbox::metrics::builder()
            .durations(true)
            .install(&registry)
            .unwrap();
        call(&users, false);
        call(&users, true);
        call(&registry.breaker("new"), false);
        users.trip();
        users.reset();
        call(&users, false);
        reporter.report();
        let page = bucketed.page();
        let value = |breaker: &str, outcome: &str, suffix: &str| {
            let series = format!(
                r#"breakerbox_call_duration_seconds_{suffix}{{breaker="{breaker}",outcome="{outcome}"}}"#
            );
            page.0.get(&series).copied()
        };
        assert_eq!(value("users", "success", "count"), Some(2.0));
        assert_eq!(value("users", "success", "sum"), Some(1.0));
        assert_eq!(value("users", "failure", "count"), Some(1.0));
        assert_eq!(value("new", "success", "count"), Some(1.0));
        // No reporter records durations any more.
        drop(reporter);
        call(&users, false);
        assert_eq!(bucketed.page(), page);
    });
    assert!(prometheus.page().0.is_empty());
}

#[test]
fn hostile_name_stays_within_its_label() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    registry.breaker("a\"} 1\nb\\");
    let page = Prometheus::new().report(&reporter);
    assert!(
        page.0
            .keys()
            .all(|series| series.contains(r#"breaker="a\"} 1\nb\\""#)),
        "{page:?}"
    );
}
