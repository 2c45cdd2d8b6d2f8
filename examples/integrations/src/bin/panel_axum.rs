//! The panel in an axum application, whose middleware decides who is allowed.
//!
//! ```text
//! cargo run --package breakerbox-examples --bin panel_axum              # until ctrl-c
//! cargo run --package breakerbox-examples --bin panel_axum -- --check   # tries both users, and ends
//! ```
//!
//! Log in as `alice` or `bob`, with the password `secret`. Both see the breakers, and alice also gives
//! commands. A program behind a proxy that logs users in would read their names from a header of the
//! proxy instead; `from_proxy` shows how.

use anyhow::ensure;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use breakerbox::prelude::*;
use breakerbox_panel::{Action, Actor, Controls, Panel};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// The user of a request, left in its extensions by the middleware.
#[derive(Clone)]
struct User(String);

/// Finds the user by basic authentication. A real program compares a hash of the password, and may
/// wait for a database here, which `authorize` must not do.
fn from_password(headers: &HeaderMap) -> Option<User> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let is_known = matches!(user, "alice" | "bob") && password == "secret";
    is_known.then(|| User(user.to_owned()))
}

/// Finds the user in the header of a proxy that logs users in. Only for a program that is reached
/// through this proxy alone: every other client can send the header, too.
#[allow(dead_code)]
fn from_proxy(headers: &HeaderMap) -> Option<User> {
    let user = headers.get("x-forwarded-user")?.to_str().ok()?;
    Some(User(user.to_owned()))
}

async fn login(mut request: Request, next: Next) -> Response {
    let Some(user) = from_password(request.headers()) else {
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"breakers\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    };
    request.extensions_mut().insert(user);
    next.run(request).await
}

fn panel(registry: &BreakerRegistry) -> anyhow::Result<Panel> {
    let panel = Panel::builder()
        .instance("shop-1")
        .controls(Controls::TRIP | Controls::HALF_OPEN | Controls::RESET)
        .authorize(|head, action| {
            let user = head.extensions.get::<User>();
            let User(user) = user.ok_or(StatusCode::UNAUTHORIZED)?;
            match action {
                Action::Command { .. } if user != "alice" => Err(StatusCode::FORBIDDEN),
                _ => Ok(Actor::named(user)),
            }
        });
    Ok(panel.build(registry)?)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let checks = std::env::args().any(|argument| argument == "--check");
    let registry = BreakerRegistry::new();
    registry.breaker("payments");
    let breakers = Router::new()
        .nest_service("/breakers", panel(&registry)?)
        .layer(from_fn(login));
    let app = Router::new()
        .route("/", get(|| async { "the shop" }))
        .merge(breakers);
    let port = if checks { 0 } else { 9_000 };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!("the panel is at http://{address}/breakers");
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    if checks {
        return check(address, &registry).await;
    }
    Ok(server.await??)
}

async fn check(address: SocketAddr, registry: &BreakerRegistry) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let base = format!("http://{address}/breakers");
    let basic = |user: &str| format!("Basic {}", STANDARD.encode(format!("{user}:secret")));
    ensure!(client.get(&base).send().await?.status() == 401, "no login");
    for (user, status) in [("bob", 403), ("alice", 200)] {
        let rows = client.get(format!("{base}/api/v1/breakers"));
        let rows = rows
            .header("authorization", basic(user))
            .send()
            .await?
            .text()
            .await?;
        ensure!(rows.contains(&format!(r#""actor":"{user}""#)), "{rows}");
        ensure!(
            rows.contains(r#""controls":[]"#) == (user == "bob"),
            "{rows}"
        );
        let order = r#"{"name":"payments","command":"trip","reason":"INC-7","instance":"shop-1"}"#;
        let answer = client
            .post(format!("{base}/api/v1/commands"))
            .header("authorization", basic(user))
            .header("content-type", "application/json")
            .header("x-breakerbox-panel", "1")
            .body(order);
        let answer = answer.send().await?;
        ensure!(
            answer.status() == status,
            "{user}: {}",
            answer.text().await?
        );
    }
    ensure!(
        registry.breaker("payments").state() == State::Open,
        "not open"
    );
    println!("alice trips payments; bob only reads");
    Ok(())
}
