//! A server sends `Retry-After`, and the circuit of a reqwest client obeys it, over real TCP.
//!
//! ```text
//! cargo run --package breakerbox-examples --bin http_retry_after
//! ```

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use breakerbox::clock::ManualClock;
use breakerbox::{http, prelude::*};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The first response requests two minutes, by the server's own clock. Later requests succeed.
    let requests = Arc::new(AtomicUsize::new(0));
    let served = requests.clone();
    let handler = async move || {
        if served.fetch_add(1, Ordering::SeqCst) > 0 {
            return "ok".into_response();
        }
        let date = ("date", "Fri, 31 Dec 1999 23:59:00 GMT");
        let until = ("retry-after", "Sat, 01 Jan 2000 00:01:00 GMT");
        (StatusCode::SERVICE_UNAVAILABLE, [date, until]).into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let router = Router::new().route("/", get(handler));
    tokio::spawn(async { axum::serve(listener, router).await });

    // A manual clock, so that the example does not wait for two minutes.
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder().clock(clock.clone()).build()?;
    let send_request = async || {
        reqwest::get(&url)
            .with_breaker(&registry, "users-api")
            .classify(|result| {
                result
                    .as_ref()
                    .map_or(Outcome::Failure, |r| http::judge(r.status(), r.headers()))
            })
            .await
    };

    let busy = send_request().await?;
    println!(
        "the server: {}, {:?}",
        busy.status(),
        busy.headers()["retry-after"]
    );
    assert_eq!(busy.status(), 503);

    let refused = send_request().await.unwrap_err();
    println!("the breaker: {refused}");
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(120)));
    assert_eq!(requests.load(Ordering::SeqCst), 1);

    clock.advance(Duration::from_secs(120));
    let response = send_request().await?;
    println!("two minutes later: {}", response.status());
    assert_eq!(response.status(), 200);
    assert_eq!(registry.breaker("users-api").state(), State::Closed);
    Ok(())
}
