//! The panel behind a proxy that changes the `Host` header, as nginx does unless it is told otherwise.
//!
//! ```text
//! cargo run --package breakerbox-examples --bin panel_behind_proxy -- --check
//! ```
//!
//! The browser is at `https://ops.example.com`, and the panel receives `Host: panel.internal`. The
//! panel is told both names: the first one may send commands, and the second one is answered. In nginx:
//!
//! ```text
//! location /breakers/ {
//!     proxy_pass http://panel.internal:9000/;
//!     proxy_buffering off;       # the panel also says so, by x-accel-buffering
//!     proxy_read_timeout 60s;    # a stream sends something every 15 s
//! }
//! ```

use anyhow::ensure;
use axum::http::StatusCode;
use breakerbox::prelude::*;
use breakerbox_panel::{Actor, Controls, Panel, serve_on};
use reqwest::Client;
use std::net::SocketAddr;
use tokio::net::TcpListener;

const ORDER: &str = r#"{"name":"payments","command":"trip","reason":"INC-7","instance":"web-1"}"#;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let checks = std::env::args().any(|argument| argument == "--check");
    let registry = BreakerRegistry::new();
    registry.breaker("payments");
    let server = Panel::builder()
        .instance("web-1")
        .allowed_hosts(["panel.internal"])
        .origins(["https://ops.example.com"])
        .controls(Controls::TRIP)
        // The proxy has logged the user in, and is the only way to the panel.
        .authorize(|head, _| {
            let user = head.headers.get("x-forwarded-user");
            let user = user.and_then(|user| user.to_str().ok());
            user.map(Actor::named).ok_or(StatusCode::UNAUTHORIZED)
        })
        .server(&registry);
    let port = if checks { 0 } else { 9_000 };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!("the panel waits for its proxy at http://{address}/");
    let server = tokio::spawn(serve_on(listener, server));
    if !checks {
        return Ok(server.await??);
    }
    check(address).await?;
    ensure!(
        registry.breaker("payments").state() == State::Open,
        "not open"
    );
    println!("a command passes the proxy; another origin does not");
    Ok(())
}

/// Sends requests as the proxy would.
async fn check(address: SocketAddr) -> anyhow::Result<()> {
    for (origin, status) in [
        ("https://evil.example", 403),
        ("http://ops.example.com", 403),
        ("https://ops.example.com", 200),
    ] {
        let answer = Client::new()
            .post(format!("http://{address}/api/v1/commands"))
            .header("host", "panel.internal")
            .header("origin", origin)
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-user", "alice")
            .header("content-type", "application/json")
            .header("x-breakerbox-panel", "1")
            .body(ORDER);
        let answer = answer.send().await?;
        ensure!(
            answer.status() == status,
            "{origin}: {}",
            answer.text().await?
        );
    }
    Ok(())
}
