//! Serves the metrics of breakers as a Prometheus page, scrapes the page, and checks it.
//!
//! The handler reports before it renders the page, so the page is up to date. If the exporter
//! serves the page itself, spawn `reporter.report_every(…)` instead.
//!
//! ```sh
//! cargo run --package breakerbox-examples --bin prometheus
//! ```

use breakerbox::metrics::Reporter;
use breakerbox::prelude::*;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The exporter drops series that were not updated for this long: those of removed breakers.
const IDLE: Duration = Duration::from_secs(300);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let prometheus = PrometheusBuilder::new()
        .idle_timeout(MetricKindMask::ALL, Some(IDLE))
        .set_buckets(&[0.005, 0.05, 0.5, 5.0])?
        .install_recorder()?;
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::builder()
        .idle_timeout(2 * IDLE)
        .durations(true)
        .install(&registry)?;
    let address = serve(reporter, prometheus).await?;

    // One dependency works, one is down, and one was switched off by a command.
    for number in 0..20 {
        let answer = async || -> Result<u32, Infallible> { Ok(number) };
        answer().with_breaker(&registry, "catalogue").await?;
        let down = async || -> Result<u32, &'static str> { Err("connection refused") };
        let _ = down().with_breaker(&registry, "payments").await;
    }
    registry.breaker("mail").because("INC-123").force_open();

    let page = scrape(address).await?;
    for line in page.lines().filter(|line| line.starts_with("breakerbox_")) {
        // The gauges of the other states are on the page too, with the value 0.
        if !line.ends_with(" 0") {
            println!("{line}");
        }
    }
    let expected = [
        r#"breakerbox_calls_total{breaker="catalogue",outcome="success"} 20"#,
        r#"breakerbox_calls_total{breaker="payments",outcome="failure"} 5"#,
        r#"breakerbox_calls_total{breaker="payments",outcome="refused"} 15"#,
        r#"breakerbox_transitions_total{breaker="payments",from="closed",to="open"} 1"#,
        r#"breakerbox_state{breaker="payments",state="open"} 1"#,
        r#"breakerbox_state{breaker="payments",state="closed"} 0"#,
        r#"breakerbox_state{breaker="mail",state="forced_open"} 1"#,
        r#"breakerbox_call_duration_seconds_count{breaker="catalogue",outcome="success"} 20"#,
    ];
    for line in expected {
        if !page.lines().any(|other| other == line) {
            return Err(format!("not on the page: {line}\n{page}").into());
        }
    }
    println!(
        "{} series on the page",
        page.lines()
            .filter(|line| line.starts_with("breakerbox_"))
            .count()
    );
    Ok(())
}

/// Serves `/metrics` on a free local port, until the process ends.
async fn serve(reporter: Reporter, prometheus: PrometheusHandle) -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (reporter, prometheus) = (reporter.clone(), prometheus.clone());
            let answer = move |request: Request<hyper::body::Incoming>| {
                let mut response = Response::new(Full::new(Bytes::new()));
                if request.uri().path() == "/metrics" {
                    reporter.report();
                    *response.body_mut() = Full::new(prometheus.render().into());
                } else {
                    *response.status_mut() = StatusCode::NOT_FOUND;
                }
                std::future::ready(Ok::<_, Infallible>(response))
            };
            tokio::spawn(async move {
                let service = hyper::service::service_fn(answer);
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                if let Err(error) = served.await {
                    eprintln!("a scrape failed: {error}");
                }
            });
        }
    });
    Ok(address)
}

/// Sends a plain GET request, as a scraper does.
async fn scrape(address: SocketAddr) -> Result<String, Error> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("not an HTTP response")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("the answer was {head}").into());
    }
    Ok(body.to_owned())
}
