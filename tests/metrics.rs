//! The integration with the `metrics` facade, against real recorders.
#![cfg(all(feature = "metrics", not(loom)))]
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::metrics::Reporter;
use breakerbox::prelude::*;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// A Prometheus exporter of its own, as a process would have one.
struct Prometheus {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Prometheus {
    fn new() -> Self {
        Self::with(PrometheusBuilder::new())
    }

    fn with(builder: PrometheusBuilder) -> Self {
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        Self { recorder, handle }
    }

    fn report(&self, reporter: &Reporter) -> Page {
        metrics::with_local_recorder(&self.recorder, || reporter.report());
        self.page()
    }

    fn page(&self) -> Page {
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

/// Series and their values.
#[derive(Debug, PartialEq)]
struct Page(BTreeMap<String, f64>);

impl Page {
    fn calls(&self, breaker: &str, outcome: &str) -> Option<f64> {
        let series =
            format!(r#"breakerbox_calls_total{{breaker="{breaker}",outcome="{outcome}"}}"#);
        self.0.get(&series).copied()
    }

    fn state(&self, breaker: &str, state: &str) -> Option<f64> {
        let series = format!(r#"breakerbox_state{{breaker="{breaker}",state="{state}"}}"#);
        self.0.get(&series).copied()
    }

    fn changes(&self, breaker: &str, from: &str, to: &str) -> Option<f64> {
        let series = format!(
            r#"breakerbox_transitions_total{{breaker="{breaker}",from="{from}",to="{to}"}}"#
        );
        self.0.get(&series).copied()
    }

    fn rate(&self, breaker: &str) -> Option<f64> {
        let series = format!(r#"breakerbox_failure_rate{{breaker="{breaker}"}}"#);
        self.0.get(&series).copied()
    }

    fn total(&self, outcome: &str) -> f64 {
        let ours = format!(r#"outcome="{outcome}""#);
        let calls = self.0.iter().filter(|(series, _)| {
            series.starts_with("breakerbox_calls_total") && series.contains(&ours)
        });
        calls.map(|(_, value)| value).sum()
    }

    fn breakers(&self) -> BTreeSet<&str> {
        let names = self.0.keys().map(|series| {
            let (_, rest) = series.split_once("breaker=\"").unwrap();
            rest.split_once('"').unwrap().0
        });
        names.collect()
    }
}

fn fails(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

fn succeeds(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Ok::<_, ()>(()));
}

fn with_capacity(capacity: usize) -> BreakerRegistry {
    BreakerRegistry::builder()
        .capacity(capacity)
        .build()
        .unwrap()
}

#[test]
fn calls_changes_and_states_are_shown() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .unwrap();
    let users = registry.breaker("users");
    succeeds(&users);
    // Before anybody was there to report.
    let reporter = breakerbox::metrics::install(&registry);
    succeeds(&users);
    (0..6).for_each(|_| fails(&users));
    drop(registry.breaker("idle").acquire());

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
        "half-open",
        "forced-open",
        "disabled",
        "metrics-only",
    ] {
        assert_eq!(page.state("users", state), Some(0.0), "{state}");
    }
    assert_eq!(page.state("users", "open"), Some(1.0));
    assert_eq!(page.state("idle", "closed"), Some(1.0));
    // Nothing is shown of a rule that nobody set.
    assert_eq!(page.rate("users"), None);
    assert_eq!(page.breakers(), BTreeSet::from(["idle", "users"]));

    // By time alone.
    clock.advance(Duration::from_secs(30));
    let page = prometheus.report(&reporter);
    assert_eq!(
        (
            page.state("users", "open"),
            page.state("users", "half-open")
        ),
        (Some(0.0), Some(1.0))
    );
    assert_eq!(page.changes("users", "open", "half-open"), None);
    succeeds(&users);
    let page = prometheus.report(&reporter);
    assert_eq!(page.changes("users", "open", "half-open"), Some(1.0));
    assert_eq!(page.changes("users", "half-open", "closed"), Some(1.0));
    assert_eq!(page.state("users", "closed"), Some(1.0));
    // A report changes nothing.
    assert_eq!(prometheus.report(&reporter), page);
}

#[test]
fn a_failure_rate_is_shown_from_its_minimum_of_calls_on() {
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
    (0..3).for_each(|_| succeeds(&users));
    assert_eq!(prometheus.report(&reporter).rate("users"), None);
    fails(&users);
    assert_eq!(prometheus.report(&reporter).rate("users"), Some(0.25));
    users.reset();
    assert!(prometheus.report(&reporter).rate("users").unwrap().is_nan());
}

#[test]
fn names_and_units_are_described() {
    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::builder()
        .label("region", "eu")
        .durations(true)
        .install(&registry);
    metrics::with_local_recorder(&recorder, || {
        succeeds(&registry.breaker("users"));
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
        ("breakerbox_state", (None, true)),
    ];
    assert_eq!(
        described,
        expected.map(|(name, is)| (name.to_owned(), is)).into()
    );
    assert_eq!(durations, ["breakerbox_call_duration_seconds"]);
}

#[test]
fn a_name_that_comes_back_goes_on_where_it_was() {
    let registry = with_capacity(1);
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let mut before = 0.0;
    for round in 1..=5_u32 {
        (0..3).for_each(|_| succeeds(&registry.breaker("users")));
        if round % 2 == 1 {
            let seen = prometheus
                .report(&reporter)
                .calls("users", "success")
                .unwrap();
            assert!(seen > before);
            before = seen;
        }
        succeeds(&registry.breaker("users"));
        // Evicts it, and is evicted itself by the next round.
        fails(&registry.breaker("other"));
        assert!(registry.get("users").is_none());
        if round % 2 == 0 {
            prometheus.report(&reporter);
        }
    }
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("users", "success"), Some(20.0));
    assert_eq!(page.state("users", "closed"), Some(0.0), "it is not there");
    // Those that came and went between two reports are under no name of their own.
    assert_eq!(page.total("failure"), 5.0);
}

#[test]
fn a_breaker_that_was_removed_ends_and_is_counted_no_more() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let old = registry.breaker("users");
    fails(&old);
    prometheus.report(&reporter);
    old.force_open();
    registry.remove("users");
    fails(&old);
    let page = prometheus.report(&reporter);
    assert_eq!(page.changes("users", "closed", "forced-open"), Some(1.0));
    assert_eq!(page.calls("users", "refused"), Some(0.0));
    assert_eq!(page.state("users", "forced-open"), Some(0.0));

    // Its successor is another breaker under the same name.
    fails(&registry.breaker("users"));
    fails(&old);
    let page = prometheus.report(&reporter);
    assert_eq!(
        (
            page.calls("users", "failure"),
            page.calls("users", "refused")
        ),
        (Some(2.0), Some(0.0))
    );
    assert_eq!(
        (
            page.state("users", "closed"),
            page.state("users", "forced-open")
        ),
        (Some(1.0), Some(0.0))
    );
}

/// The only wall clock here is the exporter's: it is asked until it says so.
#[test]
fn the_series_of_a_breaker_that_left_end_in_an_exporter_with_an_idle_timeout() {
    let idle = Duration::from_millis(20);
    let builder = PrometheusBuilder::new().idle_timeout(MetricKindMask::ALL, Some(idle));
    let prometheus = Prometheus::with(builder);
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::builder()
        .durations(true)
        .install(&registry);
    metrics::with_local_recorder(&prometheus.recorder, || {
        for name in ["stays", "leaves"] {
            succeeds(&registry.breaker(name));
            registry.breaker(name).trip();
        }
    });
    let page = prometheus.report(&reporter);
    assert_eq!(page.breakers(), BTreeSet::from(["leaves", "stays"]));
    registry.remove("leaves");
    let began = Instant::now();
    loop {
        let page = prometheus.report(&reporter);
        // Not touched but by reports, it is there all the time.
        assert_eq!(page.calls("stays", "success"), Some(1.0));
        assert_eq!(page.changes("stays", "closed", "open"), Some(1.0));
        assert_eq!(page.state("stays", "open"), Some(1.0));
        if page.breakers() == BTreeSet::from(["stays"]) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{page:?}");
        std::thread::yield_now();
    }
    // The name comes back, with all that it ever counted.
    succeeds(&registry.breaker("leaves"));
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("leaves", "success"), Some(2.0));
}

#[test]
fn hostile_names_make_no_more_series_than_the_registry_can_bear() {
    let registry = with_capacity(10);
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let mut held = Vec::new();
    for number in 0..2_000 {
        let breaker = registry.breaker(format!("host-{number}"));
        succeeds(&breaker);
        if number < 3 {
            held.push(breaker);
        }
        if number % 3 == 0 {
            prometheus.report(&reporter);
        }
    }
    let page = prometheus.report(&reporter);
    let breakers = page.breakers();
    assert!(breakers.len() <= 2 * 10 + 1, "{breakers:?}");
    assert!(breakers.contains("host-0") && breakers.contains(""));
    // None is lost.
    assert_eq!(page.total("success"), 2_000.0);
}

#[test]
fn names_are_forgotten_after_the_idle_timeout() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .capacity(1)
        .clock(clock.clone())
        .build()
        .unwrap();
    let idle = Duration::from_secs(60);
    let reporter = breakerbox::metrics::builder()
        .idle_timeout(idle)
        .install(&registry);
    let prometheus = Prometheus::new();
    for name in ["a", "b", "c", "d"] {
        succeeds(&registry.breaker(name));
        prometheus.report(&reporter);
    }
    assert_eq!(prometheus.page().breakers(), BTreeSet::from(["", "a", "b"]));
    clock.advance(idle);
    let page = prometheus.report(&reporter);
    assert_eq!(
        page.state("d", "closed"),
        Some(1.0),
        "there is room for it now"
    );
}

#[test]
fn a_breaker_that_is_not_kept_has_no_series() {
    let registry = with_capacity(1);
    let reporter = breakerbox::metrics::builder()
        .durations(true)
        .install(&registry);
    let prometheus = Prometheus::new();
    metrics::with_local_recorder(&prometheus.recorder, || {
        let _held = registry.breaker("kept");
        let long = "x".repeat(1_000);
        for name in ["", "no room", &long] {
            let stranger = registry.breaker(name);
            stranger.force_open();
            fails(&stranger);
            stranger.reset();
            fails(&stranger);
        }
    });
    assert_eq!(
        prometheus.report(&reporter).breakers(),
        BTreeSet::from(["", "kept"])
    );
    // Their calls took time, but they have no totals.
    assert_eq!(prometheus.page().total("failure"), 0.0);
}

#[test]
fn a_recorder_may_come_late_or_never() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::builder()
        .durations(true)
        .install(&registry);
    succeeds(&registry.breaker("users"));
    reporter.report();
    succeeds(&registry.breaker("users"));
    let (first, second) = (Prometheus::new(), Prometheus::new());
    assert_eq!(first.report(&reporter).calls("users", "success"), Some(2.0));
    // Each recorder gets everything.
    assert_eq!(
        second.report(&reporter).calls("users", "success"),
        Some(2.0)
    );
}

#[test]
fn two_registries_are_told_apart_by_a_label() {
    let prometheus = Prometheus::new();
    let registries = [BreakerRegistry::new(), BreakerRegistry::new()];
    let reporters: Vec<_> = ["in", "out"]
        .iter()
        .zip(&registries)
        .map(|(label, registry)| {
            breakerbox::metrics::builder()
                .label("registry", *label)
                .install(registry)
        })
        .collect();
    succeeds(&registries[0].breaker("users"));
    registries[1].breaker("users").trip();
    let page = reporters
        .iter()
        .map(|reporter| prometheus.report(reporter))
        .last()
        .unwrap();
    let series = r#"breakerbox_calls_total{breaker="users",outcome="success",registry="in"}"#;
    assert_eq!(page.0.get(series), Some(&1.0));
    let series = r#"breakerbox_state{breaker="users",state="open",registry="out"}"#;
    assert_eq!(page.0.get(series), Some(&1.0));
    let series = r#"breakerbox_state{breaker="users",state="open",registry="in"}"#;
    assert_eq!(page.0.get(series), Some(&0.0));
}

#[test]
fn a_hostile_name_stays_within_its_label() {
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

#[test]
fn durations_are_recorded_when_asked_for() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .unwrap();
    // One that was there before.
    let users = registry.breaker("users");
    let prometheus = Prometheus::new();
    let buckets = PrometheusBuilder::new().set_buckets(&[0.1, 1.0]).unwrap();
    let bucketed = Prometheus::with(buckets);
    let call = |breaker: &CircuitBreaker, failed: bool| {
        let permit = breaker.acquire().unwrap();
        clock.advance(Duration::from_millis(500));
        if failed {
            permit.failure()
        } else {
            permit.success()
        }
    };
    metrics::with_local_recorder(&bucketed.recorder, || {
        let plain = breakerbox::metrics::install(&registry);
        call(&users, false);
        plain.report();
        assert!(!bucketed.handle.render().contains("duration"));

        let reporter = breakerbox::metrics::builder()
            .durations(true)
            .install(&registry);
        call(&users, false);
        call(&users, true);
        call(&registry.breaker("new"), false);
        users.trip();
        users.reset();
        call(&users, false);
        reporter.report();
        let page = bucketed.page();
        let of = |breaker: &str, outcome: &str, what: &str| {
            let series = format!(
                r#"breakerbox_call_duration_seconds_{what}{{breaker="{breaker}",outcome="{outcome}"}}"#
            );
            page.0.get(&series).copied()
        };
        assert_eq!(of("users", "success", "count"), Some(2.0));
        assert_eq!(of("users", "success", "sum"), Some(1.0));
        assert_eq!(of("users", "failure", "count"), Some(1.0));
        assert_eq!(of("new", "success", "count"), Some(1.0));
        // Nobody asks any more.
        drop(reporter);
        call(&users, false);
        assert_eq!(bucketed.page(), page);
    });
    assert!(prometheus.page().0.is_empty());
}

/// A recorder that panics is somebody else's bug; what one report could not show, the next one does.
#[test]
fn a_report_that_failed_is_made_up_for() {
    struct Broken;
    impl metrics::Recorder for Broken {
        fn describe_counter(
            &self,
            _: metrics::KeyName,
            _: Option<metrics::Unit>,
            _: metrics::SharedString,
        ) {
        }
        fn describe_gauge(
            &self,
            _: metrics::KeyName,
            _: Option<metrics::Unit>,
            _: metrics::SharedString,
        ) {
        }
        fn describe_histogram(
            &self,
            _: metrics::KeyName,
            _: Option<metrics::Unit>,
            _: metrics::SharedString,
        ) {
        }
        fn register_counter(
            &self,
            _: &metrics::Key,
            _: &metrics::Metadata<'_>,
        ) -> metrics::Counter {
            panic!("a recorder that has broken")
        }
        fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
            metrics::Gauge::noop()
        }
        fn register_histogram(
            &self,
            _: &metrics::Key,
            _: &metrics::Metadata<'_>,
        ) -> metrics::Histogram {
            metrics::Histogram::noop()
        }
    }
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    fails(&registry.breaker("users"));
    prometheus.report(&reporter);
    fails(&registry.breaker("users"));
    registry.remove("users");
    let report = || metrics::with_local_recorder(&Broken, || reporter.report());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(report)).is_err());
    assert_eq!(
        prometheus.report(&reporter).calls("users", "failure"),
        Some(2.0)
    );
}

#[test]
fn what_a_registry_counted_last_is_shown_when_it_has_gone() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    fails(&registry.breaker("users"));
    prometheus.report(&reporter);
    fails(&registry.breaker("users"));
    drop(registry);
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("users", "failure"), Some(2.0));
    assert_eq!(page.state("users", "closed"), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn reports_go_on_for_as_long_as_the_registry_does() {
    let prometheus = Prometheus::new();
    let handle = prometheus.handle.clone();
    let shown = move || handle.render().matches("breakerbox_state{").count() / 6;
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    let _local = metrics::set_default_local_recorder(&prometheus.recorder);
    let task = tokio::spawn(reporter.report_every(Duration::from_secs(5)));
    registry.breaker("first");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shown(), 1);
    registry.breaker("second");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(shown(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(shown(), 2);
    drop(registry);
    task.await.unwrap();
}

/// Calls, evictions and reports on all sides: no call is lost, none counted twice, and no counter ever
/// goes back.
#[test]
fn nothing_is_lost_while_breakers_come_and_go() {
    const THREADS: u32 = 4;
    const EACH: u32 = 4_000;
    let (strangers, evicted) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
    let count = (strangers.clone(), evicted.clone());
    let registry = BreakerRegistry::builder()
        .capacity(4)
        .on_event(move |event| match event {
            Event::NotKept { .. } => drop(count.0.fetch_add(1, Ordering::Relaxed)),
            Event::BreakerEvicted { .. } => drop(count.1.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        })
        .build()
        .unwrap();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let over = AtomicBool::new(false);
    let barrier = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (1..=THREADS)
            .map(|thread| {
                let (registry, barrier) = (&registry, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for number in 0..EACH {
                        let name = format!("name-{}", (number * thread) % 13);
                        succeeds(&registry.breaker(name));
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            let (over, reporter, prometheus) = (&over, &reporter, &prometheus);
            scope.spawn(move || {
                let mut before = Page(BTreeMap::new());
                while !over.load(Ordering::Relaxed) {
                    let page = prometheus.report(reporter);
                    for (series, value) in &before.0 {
                        if series.contains("_total") {
                            assert!(page.0[series] >= *value, "{series}");
                        }
                    }
                    before = page;
                }
            });
        }
        for caller in callers {
            caller.join().unwrap();
        }
        over.store(true, Ordering::Relaxed);
    });
    let page = prometheus.report(&reporter);
    assert!(
        evicted.load(Ordering::Relaxed) > 100,
        "they did come and go"
    );
    let counted = THREADS * EACH - strangers.load(Ordering::Relaxed);
    assert_eq!(page.total("success"), f64::from(counted));
    assert!(page.breakers().len() <= 2 * 4 + 1);
}

/// The exporter's own page, over HTTP, kept fresh by a task.
#[tokio::test]
async fn the_page_of_the_exporter_is_kept_fresh() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    // The exporter does not tell its port, so it is given one that was free just now.
    let (recorder, server, address) = loop {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let builder = PrometheusBuilder::new().with_http_listener(address);
        if let Ok((recorder, server)) = builder.build() {
            break (recorder, server, address);
        }
    };
    let server = tokio::spawn(server);
    let _local = metrics::set_default_local_recorder(&recorder);
    let registry = BreakerRegistry::new();
    registry.breaker("users").trip();
    let reporter = breakerbox::metrics::install(&registry);
    let reports = tokio::spawn(reporter.report_every(Duration::from_millis(1)));
    let line = r#"breakerbox_state{breaker="users",state="open"} 1"#;
    let scrapes = async {
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request =
                format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            if answer.lines().any(|other| other == line) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), scrapes)
        .await
        .expect("it is shown");
    reports.abort();
    server.abort();
}
