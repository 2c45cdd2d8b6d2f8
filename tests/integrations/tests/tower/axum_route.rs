//! Guarded routes of an axum server. Their errors are `Infallible`, so failures are statuses, and a
//! refusal must be a response.

use crate::server::serve;
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::get;
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerRegistry, CircuitBreaker, State, http};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn open_circuit_answers_503_with_retry_after() {
    let breaker = CircuitBreaker::builder().name("orders").build().unwrap();
    let handled = Arc::new(AtomicUsize::new(0));
    let count = handled.clone();
    let orders = get(move |Path(status): Path<u16>| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { StatusCode::from_u16(status).unwrap() }
    });
    let layer = BreakerLayer::new(breaker.clone())
        .classify_response(http::judge_response)
        .on_refused(|open, _| Ok(http::unavailable(open)));
    let router = Router::new()
        .route("/orders/{status}", orders)
        .route_layer(layer)
        .route("/live", get(async || "alive"));
    let (address, _server) = serve(router).await;
    let get = async |path: &str| {
        reqwest::get(format!("http://{address}{path}"))
            .await
            .unwrap()
    };

    for _ in 0..5 {
        assert_eq!(get("/orders/500").await.status(), 500);
    }
    let refused = get("/orders/200").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "30");
    assert_eq!(refused.text().await.unwrap(), "");
    assert_eq!(handled.load(Ordering::SeqCst), 5);
    assert_eq!(get("/live").await.text().await.unwrap(), "alive");

    breaker.half_open();
    assert_eq!(get("/orders/200").await.status(), 200);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn tenants_have_own_breakers_and_custom_responses() {
    let registry = BreakerRegistry::new();
    let tenant = |request: &Request<Body>| format!("tenant{}", request.uri().path());
    let preset = CircuitBreaker::builder().failure_threshold(1);
    let layer = BreakerLayer::keyed_with(&registry, tenant, preset)
        .unwrap()
        .classify_response(http::judge_response)
        .on_refused(|open, _| {
            let text = format!("{} is unavailable", open.name());
            Ok(Response::builder()
                .status(429)
                .body(Body::from(text))
                .unwrap())
        });
    let handler = get(async |Path(tenant): Path<String>| match tenant.as_str() {
        "failing" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::OK,
    });
    let router = Router::new().route("/{tenant}", handler).layer(layer);
    let (address, _server) = serve(router).await;
    let get = async |path: &str| {
        reqwest::get(format!("http://{address}{path}"))
            .await
            .unwrap()
    };

    assert_eq!(get("/failing").await.status(), 500);
    let refused = get("/failing").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(
        refused.text().await.unwrap(),
        "tenant/failing is unavailable"
    );
    assert_eq!(get("/healthy").await.status(), 200);
}

/// When a client disconnects, the server drops the response future of the route.
#[tokio::test]
async fn disconnected_client_frees_slot() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let begun = Arc::new(tokio::sync::Notify::new());
    let notify = begun.clone();
    let handler = get(async move |Path(path): Path<String>| {
        if path == "slow" {
            notify.notify_one();
            std::future::pending::<()>().await;
        }
        "fast"
    });
    let layer =
        BreakerLayer::new(breaker.clone()).on_refused(|open, _| Ok(http::unavailable(open)));
    let router = Router::new().route("/{path}", handler).layer(layer);
    let (address, _server) = serve(router).await;
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();

    breaker.half_open();
    let slow = tokio::spawn(client.get(format!("http://{address}/slow")).send());
    begun.notified().await;
    let answer = client
        .get(format!("http://{address}/fast"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    slow.abort();
    // The server drops the future only when it sees the closed connection.
    let trial = breaker.until_ready().await;
    drop(trial);
    assert_eq!(breaker.snapshot().totals.cancelled, 2);
    let answer = client
        .get(format!("http://{address}/fast"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.text().await.unwrap(), "fast");
    assert_eq!(breaker.state(), State::Closed);
}
