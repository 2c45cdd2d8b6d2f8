//! [`serve`]: the page that Prometheus scrapes.

use breakerbox::BreakerRegistry;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_util::MetricKindMask;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The exporter drops series that were not updated for this long: those of removed breakers.
const IDLE: Duration = Duration::from_secs(300);

/// Installs the exporter, and returns a future that serves `/metrics` for as long as it is polled.
///
/// The handler reports before it renders the page, so the page is up to date. If the exporter
/// serves the page itself, spawn `reporter.report_every(…)` instead.
pub(crate) fn serve(
    listener: TcpListener,
    registry: &BreakerRegistry,
) -> Result<impl Future<Output = ()> + Send + 'static, Error> {
    let prometheus = PrometheusBuilder::new()
        .idle_timeout(MetricKindMask::ALL, Some(IDLE))
        .set_buckets(&[0.005, 0.05, 0.5, 5.0])?
        .install_recorder()?;
    let reporter = breakerbox::metrics::builder()
        .idle_timeout(2 * IDLE)
        .durations(true)
        .install(registry)?;
    Ok(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (reporter, prometheus) = (reporter.clone(), prometheus.clone());
            let answer = move |request: Request<hyper::body::Incoming>| {
                let mut response = Response::new(Full::new(Bytes::new()));
                if request.uri().path() == "/metrics" {
                    reporter.report();
                    // Prometheus 3 refuses a page without its type.
                    let text = hyper::header::HeaderValue::from_static("text/plain; version=0.0.4");
                    response.headers_mut().insert("content-type", text);
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
    })
}
