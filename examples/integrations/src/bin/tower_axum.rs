//! Guards routes of an axum server with a breaker, over real TCP.
//!
//! While the database is down, the guarded routes answer 503 with `Retry-After` at once, and other
//! routes still work.
//!
//! ```text
//! cargo run --package breakerbox-examples --bin tower_axum
//! ```

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{http, tower::BreakerLayer};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// The dependency of the guarded routes.
#[derive(Default)]
struct Database {
    is_down: AtomicBool,
    queries: AtomicUsize,
}

impl Database {
    fn query(&self) -> StatusCode {
        self.queries.fetch_add(1, Ordering::SeqCst);
        if self.is_down.load(Ordering::SeqCst) {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::OK
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A manual clock, so that the example does not wait for 30 seconds.
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder().clock(clock.clone()).build()?;
    let database = Arc::new(Database::default());

    let guard = BreakerLayer::named(&registry, "orders")
        .classify_response(http::judge_response)
        .on_refused(|open, _| Ok(http::unavailable(open)));
    let orders = database.clone();
    let router = Router::new()
        .route("/orders", get(async move || orders.query()))
        .route_layer(guard)
        .route("/live", get(async || "alive"));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, router).await });

    let fetch = async |path: &str| {
        let response = reqwest::get(format!("http://{address}{path}")).await?;
        let retry_after = response.headers().get("retry-after");
        let retry_after =
            retry_after.and_then(|retry_after| retry_after.to_str().ok()?.parse().ok());
        println!(
            "{path}: {} {}",
            response.status(),
            match retry_after {
                Some(seconds) => format!("retry after {seconds} s"),
                None => String::new(),
            }
        );
        Ok::<(u16, Option<u64>), reqwest::Error>((response.status().as_u16(), retry_after))
    };

    assert_eq!(fetch("/orders").await?, (200, None));
    database.is_down.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(fetch("/orders").await?, (500, None));
    }
    let queries = database.queries.load(Ordering::SeqCst);
    assert_eq!(fetch("/orders").await?, (503, Some(30)));
    assert_eq!(fetch("/live").await?, (200, None));
    assert_eq!(database.queries.load(Ordering::SeqCst), queries);
    println!("the database was left alone");

    database.is_down.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_secs(30));
    assert_eq!(fetch("/orders").await?, (200, None));
    assert_eq!(registry.breaker("orders").state(), State::Closed);
    println!(
        "after the recovery: {}",
        registry.breaker("orders").snapshot()
    );
    Ok(())
}
