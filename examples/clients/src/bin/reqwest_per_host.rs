//! An HTTP client with one circuit for each host: an outage of one host does not affect the others.
//!
//! One of two real servers is killed and started again, and the other is overloaded for a while.
//!
//! ```text
//! cargo run --manifest-path examples/clients/Cargo.toml --bin reqwest_per_host
//! ```

use anyhow::ensure;
use axum::Router;
use axum::extract::State as Shared;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response as Answer};
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox_clients::{Server, print_state_change};
use reqwest::{Client, Response, StatusCode, Url};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

struct HttpHost;

impl Preset for HttpHost {
    const FAILURE_THRESHOLD: u32 = 3;
    const RECOVERY_TIMEOUT: Duration = Duration::from_secs(10);
}

/// The client of the application.
struct WebClient {
    http: Client,
    registry: BreakerRegistry,
}

impl WebClient {
    async fn get(&self, url: Url) -> Result<Response, BreakerError<reqwest::Error>> {
        let host = format!("http:{}", url.authority());
        self.http
            .get(url)
            .send()
            .with_breaker(&self.registry, host)
            .classify(classify)
            .await
    }
}

/// Classifies the whole result, because reqwest returns `Ok` for every status.
///
/// An error in the body comes later, and is not seen here. If such errors matter, read the body
/// inside the guarded future.
fn classify(result: &reqwest::Result<Response>) -> Outcome {
    let response = match result {
        Ok(response) => response,
        // Nothing was sent.
        Err(error) if error.is_builder() => return Outcome::Ignored,
        Err(_) => return Outcome::Failure,
    };
    let status = response.status();
    let may_request_delay = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ]
    .contains(&status);
    match retry_after(response) {
        Some(time) if may_request_delay => Outcome::TripFor(time),
        _ if status.is_server_error() => Outcome::Failure,
        _ => Outcome::Success,
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A manual clock, so that the example does not wait. By default, a registry uses the system
    // clock.
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .preset_for("http:", HttpHost::preset())
        .clock(clock.clone())
        .on_change(print_state_change)
        .build()?;
    let http = Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()?;
    let web = WebClient { http, registry };
    let (mut first, mut second) = (Host::start()?, Host::start()?);

    println!("both hosts are up");
    for host in [&first, &second] {
        ensure!(web.get(host.url()?).await?.status() == StatusCode::OK);
    }

    println!("one host is killed");
    first.server.kill().await?;
    for _ in 0..HttpHost::FAILURE_THRESHOLD {
        let error = web.get(first.url()?).await.unwrap_err();
        ensure!(error.inner().is_some(), "the request should have been sent");
    }
    let error = web.get(first.url()?).await.unwrap_err();
    println!("    {error}");
    ensure!(error.is_open(), "the circuit should be open");
    ensure!(web.get(second.url()?).await?.status() == StatusCode::OK);

    println!("the host is started again, and the recovery timeout elapses");
    first.serve()?;
    clock.advance(HttpHost::RECOVERY_TIMEOUT);
    ensure!(web.get(first.url()?).await?.status() == StatusCode::OK);
    ensure!(
        web.registry.all_closed(),
        "a trial should have closed the circuit"
    );

    println!("the other host is overloaded, and requests a pause of 90 seconds");
    second.overloaded.store(true, Relaxed);
    let answer = web.get(second.url()?).await?;
    ensure!(answer.status() == StatusCode::SERVICE_UNAVAILABLE);
    let requests = second.requests.load(Relaxed);
    let error = web.get(second.url()?).await.unwrap_err();
    println!("    {error}");
    ensure!(error.retry_after() == Some(Duration::from_secs(90)));
    ensure!(
        second.requests.load(Relaxed) == requests,
        "a refused call was sent"
    );
    ensure!(web.get(first.url()?).await?.status() == StatusCode::OK);

    second.overloaded.store(false, Relaxed);
    clock.advance(Duration::from_secs(90));
    ensure!(web.get(second.url()?).await?.status() == StatusCode::OK);
    ensure!(web.registry.all_closed());
    println!("{}", web.registry);
    println!("each host had a circuit of its own");
    second.server.kill().await?;
    first.server.kill().await?;
    Ok(())
}

struct Host {
    server: Server,
    overloaded: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
}

impl Host {
    fn start() -> io::Result<Self> {
        let mut host = Self {
            server: Server::new()?,
            overloaded: Arc::default(),
            requests: Arc::default(),
        };
        host.serve()?;
        Ok(host)
    }

    fn serve(&mut self) -> io::Result<()> {
        let state = (Arc::clone(&self.overloaded), Arc::clone(&self.requests));
        let app = Router::new().fallback(answer).with_state(state);
        self.server
            .start(|listener| async { axum::serve(listener, app).await })
    }

    fn url(&self) -> anyhow::Result<Url> {
        Ok(format!("http://{}/", self.server.address()).parse()?)
    }
}

async fn answer(
    Shared((overloaded, requests)): Shared<(Arc<AtomicBool>, Arc<AtomicUsize>)>,
) -> Answer {
    requests.fetch_add(1, Relaxed);
    if overloaded.load(Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "90")]).into_response()
    } else {
        "hello".into_response()
    }
}
