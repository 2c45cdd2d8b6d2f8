//! Retries around a circuit: one caller gives up as soon as it is refused, another comes back when
//! the circuit says so.
//!
//! A real HTTP server that dies, and is started again while somebody still tries.
//!
//! ```text
//! cargo run --manifest-path examples/clients/Cargo.toml --bin backon_retries
//! ```

use anyhow::{Context, ensure};
use axum::Router;
use backon::{ExponentialBuilder, Retryable};
use breakerbox::prelude::*;
use breakerbox_clients::{Server, tell};
use reqwest::Client;
use std::io;
use std::time::Duration;

type Fetched = Result<String, BreakerError<reqwest::Error>>;

/// Each attempt is a call of its own to the circuit.
struct Reports {
    http: Client,
    url: String,
    breaker: CircuitBreaker,
}

impl Reports {
    async fn fetch(&self) -> Fetched {
        let request = self.http.get(&self.url);
        async { request.send().await?.error_for_status()?.text().await }
            .guarded_by(&self.breaker)
            .await
    }

    /// Somebody waits for the answer: a refusal is the end of it.
    async fn fetch_now(&self) -> Fetched {
        let attempt = || self.fetch();
        attempt.retry(pauses()).when(|error| !error.is_open()).await
    }

    /// Nobody waits: refused, it comes back when a call may pass. No pause is left after the last of the
    /// attempts, refused or not.
    async fn fetch_some_time(&self) -> Fetched {
        let attempt = || self.fetch();
        attempt
            .retry(pauses())
            .adjust(|error, pause| pause.map(|pause| error.retry_after().unwrap_or(pause)))
            .await
    }
}

fn pauses() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(1))
        .with_max_delay(Duration::from_millis(20))
        .with_max_times(100)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let registry = BreakerRegistry::builder().on_change(tell).build()?;
    let mut server = Server::new()?;
    serve(&mut server)?;
    let http = Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()?;
    let reports = Reports {
        http,
        url: format!("http://{}/", server.address()),
        breaker: registry.breaker("reports"),
    };

    println!("the server is well");
    ensure!(reports.fetch_now().await? == "report");

    println!("it dies; who has no time is told at once");
    server.kill().await?;
    let error = reports.fetch_now().await.unwrap_err();
    println!("    {error}");
    let totals = reports.breaker.snapshot().totals;
    ensure!(error.is_open(), "the circuit should have ended the retries");
    ensure!(
        totals.failure == 5,
        "each attempt counts, and the fifth opens"
    );
    ensure!(totals.refused == 1, "a refusal was retried");

    println!("who has time comes back when the circuit says so");
    reports
        .breaker
        .configure(|settings| settings.recovery_timeout(Duration::from_millis(200)))?;
    reports.breaker.reset();
    let mut events = registry.subscribe();
    let (report, seen) = tokio::join!(reports.fetch_some_time(), async {
        // Started again once two trials have failed.
        let mut seen = Vec::new();
        while seen.iter().filter(|event| is_failed_trial(event)).count() < 2 {
            seen.push(events.recv().await.context("the stream ended")?);
        }
        println!("it is started again");
        serve(&mut server)?;
        anyhow::Ok(seen)
    });
    ensure!(report? == "report");
    let mut seen = seen?;
    seen.extend(std::iter::from_fn(|| events.try_next()));

    ensure!(reports.breaker.state() == State::Closed);
    let refused = seen.iter().filter(|event| is_refusal(event)).count();
    println!("    refused {refused} times on the way");
    ensure!(refused >= 1, "it was never refused");
    let calls: Vec<_> = seen.iter().filter(|event| is_call(event)).collect();
    ensure!(
        !calls
            .windows(2)
            .any(|two| two.iter().all(|event| is_refusal(event))),
        "it came back before its time"
    );
    println!("no refusal was followed by another");
    server.kill().await?;
    Ok(())
}

fn is_failed_trial(event: &Event) -> bool {
    matches!(
        event,
        Event::StateChanged {
            from: State::HalfOpen,
            to: State::Open,
            ..
        }
    )
}

fn is_refusal(event: &Event) -> bool {
    matches!(event, Event::Refused { .. })
}

fn is_call(event: &Event) -> bool {
    matches!(event, Event::Recorded { .. }) || is_refusal(event)
}

fn serve(server: &mut Server) -> io::Result<()> {
    let app = Router::new().fallback(|| async { "report" });
    server.start(|listener| async { axum::serve(listener, app).await })
}
