//! Serves liveness, readiness and health over HTTP, for orchestrators and for people.
//!
//! ```sh
//! cargo run --package breakerbox-examples --bin health
//! ```

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use breakerbox::prelude::BreakerRegistry;
use breakerbox::{CircuitBreaker, Health};
use std::error::Error;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The breakers that every request depends on. Payments and search have fallbacks.
const REQUIRED: &[&str] = &["ledger"];

/// For people and dashboards: always 200, with the status in the body.
async fn health(State(registry): State<BreakerRegistry>) -> Json<Health> {
    Json(registry.health(REQUIRED))
}

/// For a load balancer: 503 only if a dependency of *every* request is down.
async fn ready(State(registry): State<BreakerRegistry>) -> (StatusCode, String) {
    let health = registry.health(REQUIRED);
    let status = if health.is_unhealthy() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (status, health.to_string())
}

/// For the supervisor that restarts the process. No breaker is consulted, because a restart does
/// not repair a dependency.
async fn live() -> &'static str {
    "alive"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let registry = BreakerRegistry::new();
    for name in ["ledger", "payments", "search"] {
        registry.register(name, CircuitBreaker::builder())?;
    }
    let app = Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/live", get(live))
        .with_state(registry.clone());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let steps: [(&str, &dyn Fn(), u16); 4] = [
        ("all dependencies work", &|| {}, 200),
        (
            "payments fail",
            &|| registry.breaker("payments").trip(),
            200,
        ),
        (
            "the ledger fails",
            &|| registry.breaker("ledger").trip(),
            503,
        ),
        (
            "the ledger recovers",
            &|| registry.breaker("ledger").half_open(),
            200,
        ),
    ];
    for (step, apply, expected) in steps {
        apply();
        let (status, report) = fetch(address, "/ready").await?;
        println!("{step}: {status} {}", report.replace('\n', "\n    "));
        if status != expected {
            return Err(format!("readiness is {status}, not {expected}").into());
        }
        if fetch(address, "/live").await?.0 != 200 {
            return Err("liveness depends on a breaker".into());
        }
    }
    let (_, json) = fetch(address, "/health").await?;
    println!("\n{json}");
    let json: serde_json::Value = serde_json::from_str(&json)?;
    if json["status"] != "degraded" || json["impaired"][0]["breaker"] != "ledger" {
        return Err("the health in JSON is wrong".into());
    }
    server.abort();
    Ok(())
}

/// Sends `GET path`, and returns the status and the body.
async fn fetch(address: SocketAddr, path: &str) -> Result<(u16, String), Box<dyn Error>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("not an HTTP response")?;
    let status = head.split(' ').nth(1).ok_or("no status")?;
    Ok((status.parse()?, body.to_owned()))
}
