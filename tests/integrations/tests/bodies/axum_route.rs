//! Guarded routes of an axum server, whose handlers respond with streams.

use crate::support::{Fixture, Server, totals};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerRegistry, CircuitBreaker, State, http};
use futures_util::{StreamExt, stream};
use std::convert::Infallible;
use std::io;
use tower::ServiceExt;

fn guarded(breaker: &CircuitBreaker) -> Router {
    let layer = BreakerLayer::new(breaker.clone())
        .classify_response(http::judge_response)
        .until_body_end()
        .on_refused(|open, _| Ok(http::unavailable(open)));
    let broken = || {
        let chunks = [Ok("hello"), Err(io::Error::other("the disk has failed"))];
        Body::from_stream(stream::iter(chunks))
    };
    let endless = || {
        let hello = stream::iter([Ok::<_, Infallible>("hello")]);
        Body::from_stream(hello.chain(stream::pending()))
    };
    Router::new()
        .route("/whole", get(async || "hello"))
        .route("/broken", get(async move || broken()))
        .route("/endless", get(async move || endless()))
        .route_layer(layer)
}

fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().pool_max_idle_per_host(0);
    builder.build().unwrap()
}

#[tokio::test]
async fn broken_streams_open_circuit_of_route() {
    let fixture = Fixture::with(|builder| builder.failure_threshold(5));
    let server = Server::serve(guarded(&fixture.breaker)).await;
    let get = async |path: &str| {
        let url = format!("http://{}{path}", server.address);
        client().get(url).send().await
    };
    assert_eq!(get("/whole").await.unwrap().text().await.unwrap(), "hello");
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
    for failures in 1..=5 {
        assert_eq!(fixture.breaker.state(), State::Closed);
        // Depending on what the server has sent before the error, the response or its body fails.
        if let Ok(response) = get("/broken").await {
            assert!(response.bytes().await.is_err());
        }
        assert_eq!(fixture.totals(), [1, failures, 0, 0]);
    }
    let last = fixture.breaker.last_failure().unwrap();
    assert!(last.contains("the disk has failed"), "{last}");
    assert_eq!(fixture.events(), ["Open"]);
    let refused = get("/whole").await.unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.text().await.unwrap(), "");
}

#[tokio::test]
async fn head_request_counts_although_body_is_not_sent() {
    let fixture = Fixture::new();
    let server = Server::serve(guarded(&fixture.breaker)).await;
    for path in ["/whole", "/endless"] {
        let url = format!("http://{}{path}", server.address);
        let response = client().head(url).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!(fixture.totals(), [2, 0, 0, 0]);
}

/// When a client disconnects, the server drops the body.
#[tokio::test]
async fn disconnected_client_frees_slot() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let server = Server::serve(guarded(&breaker)).await;
    breaker.half_open();
    let url = format!("http://{}/endless", server.address);
    let mut response = client().get(url).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "hello");
    assert!(breaker.try_acquire().is_err());
    drop(response);
    breaker.until_ready().await.success();
    assert_eq!(totals(&breaker), [1, 0, 0, 1]);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn keyed_layer_guards_bodies_by_request() {
    let registry = BreakerRegistry::new();
    let path = |request: &axum::extract::Request| request.uri().path().to_owned();
    let layer = BreakerLayer::keyed(&registry, path)
        .until_body_end()
        .on_refused(|open, _| Ok(http::unavailable(open)));
    let whole = get(async || "hello");
    let router: Router = Router::new().route("/{path}", whole).layer(layer);
    let request = ::http::Request::get("/a").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let breaker = registry.get("/a").unwrap();
    assert_eq!(totals(&breaker), [0, 0, 0, 0]);
    axum::body::to_bytes(response.into_body(), 100)
        .await
        .unwrap();
    assert_eq!(totals(&breaker), [1, 0, 0, 0]);
}
