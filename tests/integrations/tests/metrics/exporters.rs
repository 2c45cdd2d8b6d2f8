//! Recorders and exporters as they are: late, idle, broken, over HTTP.

use crate::support::{Prometheus, fails, succeeds};
use breakerbox::prelude::*;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_util::MetricKindMask;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The only wall clock here is the exporter's: it is asked until it says so.
#[test]
fn the_series_of_a_breaker_that_left_end_in_an_exporter_with_an_idle_timeout() {
    let idle = Duration::from_millis(20);
    let builder = PrometheusBuilder::new().idle_timeout(MetricKindMask::ALL, Some(idle));
    let prometheus = Prometheus::with(builder);
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::builder()
        .durations(true)
        .install(&registry)
        .unwrap();
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
    // The name comes back, and continues from its reported counters.
    succeeds(&registry.breaker("leaves"));
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("leaves", "success"), Some(2.0));
}

#[test]
fn a_recorder_may_come_late_or_never() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::builder()
        .durations(true)
        .install(&registry)
        .unwrap();
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
    let report_to_broken = || {
        let report = || metrics::with_local_recorder(&Broken, || reporter.report());
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(report)).is_err());
    };
    fails(&registry.breaker("users"));
    prometheus.report(&reporter);
    fails(&registry.breaker("users"));
    report_to_broken();
    registry.remove("users");
    report_to_broken();
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
