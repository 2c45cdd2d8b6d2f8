//! Fails over between three providers of the same service, over real TCP. The first one streams its answer
//! and dies in the middle.
//!
//! ```text
//! cargo run --package breakerbox-examples --bin several_providers
//! ```

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::presets::FailFast;
use futures_util::{StreamExt as _, stream};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

const ANSWER: [&str; 4] = ["a circuit ", "breaker ", "refuses ", "calls"];

/// What a provider does with a request.
#[derive(Clone, Copy)]
enum Fault {
    DiesInStream,
    Answers500,
    None,
}

/// A provider, with its server on this machine.
struct Provider {
    name: &'static str,
    url: String,
    requests: Arc<AtomicUsize>,
    is_repaired: Arc<AtomicBool>,
}

impl Provider {
    async fn start(name: &'static str, fault: Fault) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let (requests, is_repaired) = (Arc::<AtomicUsize>::default(), Arc::default());
        let (served, repaired) = (requests.clone(), Arc::<AtomicBool>::clone(&is_repaired));
        let handler = async move || {
            served.fetch_add(1, Ordering::SeqCst);
            match fault {
                _ if repaired.load(Ordering::SeqCst) => stream_answer(ANSWER.len()),
                Fault::None => stream_answer(ANSWER.len()),
                Fault::DiesInStream => stream_answer(2),
                Fault::Answers500 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        };
        let router = Router::new().route("/", get(handler));
        tokio::spawn(async { axum::serve(listener, router).await });
        Ok(Self {
            name,
            url,
            requests,
            is_repaired,
        })
    }

    /// Reads the whole stream. An error in the middle of the stream is an error of the call.
    async fn complete(&self) -> anyhow::Result<String> {
        let mut response = reqwest::get(&self.url).await?.error_for_status()?;
        let mut text = String::new();
        loop {
            let broken = || format!("the stream broke off after {text:?}");
            match response.chunk().await.with_context(broken)? {
                Some(chunk) => text += &String::from_utf8_lossy(&chunk),
                None => return Ok(text),
            }
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Streams the first chunks of the answer, and closes the connection if that is not all of it.
fn stream_answer(chunks: usize) -> Response {
    let whole = chunks == ANSWER.len();
    let chunks = ANSWER.into_iter().take(chunks).map(Ok);
    let end = (!whole).then(|| Err(io::Error::from(io::ErrorKind::ConnectionReset)));
    let chunks = stream::iter(chunks.chain(end)).then(async |chunk| {
        // The server sends the earlier chunks while it waits for the next one.
        tokio::task::yield_now().await;
        chunk
    });
    Body::from_stream(chunks).into_response()
}

/// Returns the name of the first provider that completes its answer, and the answer.
///
/// A provider with an open circuit is not called. After a failed call, the choice goes on with the providers
/// behind it. If none of them is left, the error of the last call says more than the refusals.
async fn complete(
    registry: &BreakerRegistry,
    providers: &[Provider],
) -> anyhow::Result<(&'static str, String)> {
    let mut rest = providers;
    let mut failure: Option<anyhow::Error> = None;
    loop {
        let (index, permit) = match registry.first_ready(rest.iter().map(|p| p.name)) {
            Ok(chosen) => chosen,
            Err(all) => return Err(failure.unwrap_or_else(|| all.into())),
        };
        let provider = &rest[index];
        rest = &rest[index + 1..];
        match permit.run(provider.complete()).await {
            Ok(text) => return Ok((provider.name, text)),
            Err(error) => failure = Some(error),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let clock = ManualClock::new();
    // The next provider is the fallback, so a refusal costs little.
    let registry = BreakerRegistry::builder()
        .default_preset(FailFast::preset())
        .clock(clock.clone())
        .build()?;
    let providers = [
        Provider::start("eu", Fault::DiesInStream).await?,
        Provider::start("us", Fault::Answers500).await?,
        Provider::start("asia", Fault::None).await?,
    ];
    let requests = || providers.each_ref().map(Provider::requests);

    // Until the circuits of the first two open, each prompt tries all three.
    for _ in 0..5 {
        let (name, text) = complete(&registry, &providers).await?;
        assert_eq!(
            (name, text.as_str()),
            ("asia", "a circuit breaker refuses calls")
        );
    }
    assert_eq!(requests(), [5, 5, 5]);
    let eu = registry.breaker("eu");
    let failure = eu.last_failure().context("eu has failed")?;
    println!("eu is {}: {failure}", eu.state());
    assert!(failure.starts_with("the stream broke off after \"a circuit breaker \""));
    assert_eq!(eu.state(), State::Open);

    // Now only the third is called, and its answer comes at once.
    for _ in 0..10 {
        assert_eq!(complete(&registry, &providers).await?.0, "asia");
    }
    assert_eq!(requests(), [5, 5, 15]);
    println!("asia answered 10 prompts without a call to eu or us");
    // Passing over a circuit counts nothing.
    assert_eq!(eu.snapshot().totals.refused, 0);

    // The preferred provider comes back: one call is its trial, and closes its circuit.
    providers[0].is_repaired.store(true, Ordering::SeqCst);
    clock.advance(Duration::from_secs(1));
    assert_eq!(complete(&registry, &providers).await?.0, "eu");
    assert_eq!(eu.state(), State::Closed);
    println!("eu answers again");

    for provider in &providers {
        registry
            .breaker(provider.name)
            .trip_for(Duration::from_secs(60));
    }
    let error = complete(&registry, &providers).await.unwrap_err();
    println!("{error}");
    let all = error.downcast::<AllOpen>()?;
    assert_eq!(all.retry_after(), Some(Duration::from_secs(60)));
    Ok(())
}
