//! Recorders that are installed late, expire series, panic, or are scraped over HTTP.

use crate::support::{Prometheus, fail, succeed};
use breakerbox::prelude::*;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_util::MetricKindMask;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The idle timeout uses the wall clock of the exporter, so the test polls until the series end.
#[test]
fn idle_timeout_ends_series_of_removed_breaker() {
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
            succeed(&registry.breaker(name));
            registry.breaker(name).trip();
        }
    });
    let page = prometheus.report(&reporter);
    assert_eq!(page.breakers(), BTreeSet::from(["leaves", "stays"]));
    registry.remove("leaves");
    let began = Instant::now();
    loop {
        let page = prometheus.report(&reporter);
        // Reports alone keep the series of an idle breaker.
        assert_eq!(page.calls("stays", "success"), Some(1.0));
        assert_eq!(page.changes("stays", "closed", "open"), Some(1.0));
        assert_eq!(page.state("stays", "open"), Some(1.0));
        if page.breakers() == BTreeSet::from(["stays"]) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{page:?}");
        std::thread::yield_now();
    }
    // A new breaker of the same name continues from the reported counters.
    succeed(&registry.breaker("leaves"));
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("leaves", "success"), Some(2.0));
}

#[test]
fn late_recorders_receive_all_calls() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::builder()
        .durations(true)
        .install(&registry)
        .unwrap();
    succeed(&registry.breaker("users"));
    reporter.report();
    succeed(&registry.breaker("users"));
    let (first, second) = (Prometheus::new(), Prometheus::new());
    assert_eq!(first.report(&reporter).calls("users", "success"), Some(2.0));
    // Each recorder receives every call.
    assert_eq!(
        second.report(&reporter).calls("users", "success"),
        Some(2.0)
    );
}

/// The next report includes what a report could not show because the recorder panicked.
#[test]
fn report_after_recorder_panic_catches_up() {
    struct PanickingRecorder;
    impl metrics::Recorder for PanickingRecorder {
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
            panic!("deliberate panic")
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
    let report_and_panic = || {
        let report = || metrics::with_local_recorder(&PanickingRecorder, || reporter.report());
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(report)).is_err());
    };
    fail(&registry.breaker("users"));
    prometheus.report(&reporter);
    fail(&registry.breaker("users"));
    report_and_panic();
    registry.remove("users");
    report_and_panic();
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("users", "failure"), Some(2.0));
    assert_eq!(page.state("users", "closed"), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn periodic_reports_end_with_registry() {
    let prometheus = Prometheus::new();
    let handle = prometheus.handle.clone();
    // Each breaker has one series for each of the six states.
    let breakers = move || handle.render().matches("breakerbox_state{").count() / 6;
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    let _local = metrics::set_default_local_recorder(&prometheus.recorder);
    let task = tokio::spawn(reporter.report_every(Duration::from_secs(5)));
    registry.breaker("first");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(breakers(), 1);
    registry.breaker("second");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(breakers(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(breakers(), 2);
    drop(registry);
    task.await.unwrap();
}

/// Scrapes the page of the exporter over HTTP, while a task reports periodically.
#[tokio::test]
async fn http_scrape_shows_periodic_reports() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    // The exporter does not report its port. It therefore gets a port that was free before, and
    // another one if that port has been taken since.
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
        .expect("the state appears on the page");
    reports.abort();
    server.abort();
}
