//! Retries around a circuit: one caller stops at a refusal, another waits for `retry_after`.
//!
//! A real HTTP server is killed, and started again during the retries.
//!
//! ```text
//! cargo run --manifest-path examples/clients/Cargo.toml --bin backon_retries
//! ```

use anyhow::{Context, ensure};
use axum::Router;
use backon::{ExponentialBuilder, Retryable};
use breakerbox::prelude::*;
use breakerbox_clients::{Server, print_state_change};
use reqwest::Client;
use std::io;
use std::time::Duration;

type FetchResult = Result<String, BreakerError<reqwest::Error>>;

/// A client whose attempts are separate calls of its circuit.
struct Reports {
    http: Client,
    url: String,
    breaker: CircuitBreaker,
}

impl Reports {
    async fn fetch(&self) -> FetchResult {
        let request = self.http.get(&self.url);
        async { request.send().await?.error_for_status()?.text().await }
            .guarded_by(&self.breaker)
            .await
    }

    /// For an interactive caller: a refusal ends the retries.
    async fn fetch_interactive(&self) -> FetchResult {
        let attempt = || self.fetch();
        attempt
            .retry(backoff())
            .when(|error| !error.is_open())
            .await
    }

    /// For a background job: after a refusal, the next attempt waits for `retry_after`. The pause
    /// is `None` after the last attempt, and stays `None`.
    async fn fetch_in_background(&self) -> FetchResult {
        let attempt = || self.fetch();
        attempt
            .retry(backoff())
            .adjust(|error, pause| pause.map(|pause| error.retry_after().unwrap_or(pause)))
            .await
    }
}

fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(1))
        .with_max_delay(Duration::from_millis(20))
        .with_max_times(100)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let registry = BreakerRegistry::builder()
        .on_change(print_state_change)
        .build()?;
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

    println!("the server is up");
    ensure!(reports.fetch_interactive().await? == "report");

    println!("the server is killed, and the interactive caller is refused at once");
    server.kill().await?;
    let error = reports.fetch_interactive().await.unwrap_err();
    println!("    {error}");
    let totals = reports.breaker.snapshot().totals;
    ensure!(error.is_open(), "the circuit should have ended the retries");
    ensure!(
        totals.failure == 5,
        "five attempts fail, and open the circuit"
    );
    ensure!(totals.refused == 1, "a refusal was retried");

    println!("the background job waits until the circuit admits calls");
    reports
        .breaker
        .configure(|settings| settings.recovery_timeout(Duration::from_millis(200)))?;
    reports.breaker.reset();
    let mut events = registry.subscribe();
    let (report, received) = tokio::join!(reports.fetch_in_background(), async {
        // Restart the server after two failed trials.
        let mut received = Vec::new();
        while received
            .iter()
            .filter(|event| is_failed_trial(event))
            .count()
            < 2
        {
            received.push(events.recv().await.context("the stream ended")?);
        }
        println!("the server is started again");
        serve(&mut server)?;
        anyhow::Ok(received)
    });
    ensure!(report? == "report");
    let mut received = received?;
    received.extend(std::iter::from_fn(|| events.try_next()));

    ensure!(reports.breaker.state() == State::Closed);
    let refused = received.iter().filter(|event| is_refusal(event)).count();
    println!("    refused {refused} times");
    ensure!(refused >= 1, "no attempt was refused");
    let calls: Vec<_> = received.iter().filter(|event| is_call(event)).collect();
    ensure!(
        !calls
            .windows(2)
            .any(|pair| pair.iter().all(|event| is_refusal(event))),
        "an attempt did not wait for `retry_after`"
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
