//! Bodies from an axum server over HTTP/1.1, read by a guarded client of hyper.

use crate::support::{Fixture, Server};
use ::http::{Request, Response, StatusCode};
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use breakerbox::tower::{BreakerLayer, GuardedBody};
use breakerbox::{BreakerError, State, http};
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::sync::Notify;
use tower::{Layer, ServiceExt};

struct Peers {
    server: Server,
    client: Client<HttpConnector, Body>,
    /// Lets the server go on after the first chunk of a body.
    gate: Arc<Notify>,
    fixture: Fixture,
}

/// Returns `hello`, and an error once the gate is open.
fn broken_off(gate: Arc<Notify>) -> Body {
    let error = async move {
        gate.notified().await;
        Err(io::Error::other("the disk has failed"))
    };
    let hello = stream::iter([Ok(Bytes::from("hello"))]);
    Body::from_stream(hello.chain(stream::once(error)))
}

fn with_trailers() -> Body {
    let trailers = [("checksum".parse().unwrap(), "7".parse().unwrap())];
    let frames = [
        Frame::data(Bytes::from("hello")),
        Frame::trailers(trailers.into_iter().collect()),
    ];
    Body::new(StreamBody::new(stream::iter(
        frames.map(Ok::<_, Infallible>),
    )))
}

impl Peers {
    async fn start() -> Self {
        let gate = Arc::new(Notify::new());
        let (short, chunked, failed) = (gate.clone(), gate.clone(), gate.clone());
        let chunks = || Body::from_stream(stream::iter(["hel", "lo"].map(Ok::<_, Infallible>)));
        let router = Router::new()
            .route("/whole", get(async || "hello"))
            .route("/chunks", get(async move || chunks()))
            .route("/empty", get(async || ""))
            .route(
                "/status/{status}",
                get(async |Path(status)| StatusCode::from_u16(status).unwrap()),
            )
            .route(
                "/short",
                get(async move || ([("content-length", "100")], broken_off(short))),
            )
            .route("/broken-chunks", get(async move || broken_off(chunked)))
            .route(
                "/broken-502",
                get(async move || (StatusCode::BAD_GATEWAY, broken_off(failed))),
            )
            .route(
                "/trailers",
                get(async || ([("trailer", "checksum")], with_trailers())),
            );
        Self {
            server: Server::serve(router).await,
            client: Client::builder(TokioExecutor::new()).build_http(),
            gate,
            fixture: Fixture::with(|builder| builder.failure_threshold(5)),
        }
    }

    async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<GuardedBody<Incoming>>, BreakerError<Error>> {
        let layer = BreakerLayer::new(self.fixture.breaker.clone())
            .classify_response(http::judge_response)
            .until_body_end();
        layer.layer(self.client.clone()).oneshot(request).await
    }

    async fn get(&self, path: &str) -> GuardedBody<Incoming> {
        let response = self.send(self.server.get(path)).await;
        response.unwrap().into_body()
    }

    /// Reads a body whose server breaks off after `hello`.
    async fn read_broken(&self, path: &str) {
        let mut body = self.get(path).await;
        let first = body.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "hello");
        self.gate.notify_one();
        assert!(body.frame().await.unwrap().is_err());
    }
}

#[tokio::test]
async fn broken_bodies_open_circuit_at_threshold() {
    for path in ["/short", "/broken-chunks"] {
        let peers = Peers::start().await;
        let breaker = &peers.fixture.breaker;
        for failures in 1..=5 {
            assert_eq!(breaker.state(), State::Closed);
            peers.read_broken(path).await;
            assert_eq!(breaker.failure_count(), failures);
        }
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(peers.fixture.events(), ["Open"]);
        assert_eq!(peers.fixture.totals(), [0, 5, 0, 0]);
        let last = breaker.last_failure().unwrap();
        assert!(last.starts_with("hyper::Error"), "{last}");
        let refused = peers.send(peers.server.get("/whole")).await;
        assert!(refused.unwrap_err().is_open());
    }
}

#[tokio::test]
async fn complete_bodies_reset_failures() {
    let peers = Peers::start().await;
    for path in ["/whole", "/chunks", "/trailers", "/empty"] {
        peers.read_broken("/short").await;
        assert_eq!(peers.fixture.breaker.failure_count(), 1);
        let body = peers.get(path).await.collect().await.unwrap().to_bytes();
        assert_eq!(body, if path == "/empty" { "" } else { "hello" });
        assert_eq!(peers.fixture.breaker.failure_count(), 0, "{path}");
    }
    assert_eq!(peers.fixture.totals(), [4, 4, 0, 0]);
}

#[tokio::test]
async fn failed_head_with_broken_body_counts_once() {
    let peers = Peers::start().await;
    peers.read_broken("/broken-502").await;
    assert_eq!(peers.fixture.totals(), [0, 1, 0, 0]);
}

#[tokio::test]
async fn body_with_length_ends_with_its_last_byte() {
    let peers = Peers::start().await;
    let mut body = peers.get("/whole").await;
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "hello");
    assert_eq!(peers.fixture.totals(), [1, 0, 0, 0]);
    drop(body);
    assert_eq!(peers.fixture.totals(), [1, 0, 0, 0]);
}

#[tokio::test]
async fn responses_without_body_count_at_head() {
    let peers = Peers::start().await;
    for path in ["/empty", "/status/204", "/status/304"] {
        drop(peers.get(path).await);
    }
    assert_eq!(peers.fixture.totals(), [3, 0, 0, 0]);
    let mut head = peers.server.get("/whole");
    *head.method_mut() = ::http::Method::HEAD;
    let response = peers.send(head).await.unwrap();
    assert_eq!(response.headers()["content-length"], "5");
    drop(response);
    assert_eq!(peers.fixture.totals(), [4, 0, 0, 0]);
}

#[tokio::test]
async fn trailers_of_chunked_body_end_it() {
    let peers = Peers::start().await;
    let mut request = peers.server.get("/trailers");
    let te = "trailers".parse().unwrap();
    request.headers_mut().insert("te", te);
    let mut body = peers.send(request).await.unwrap().into_body();
    let data = body.frame().await.unwrap().unwrap();
    assert_eq!(data.into_data().unwrap(), "hello");
    assert_eq!(peers.fixture.totals(), [0, 0, 0, 0]);
    let trailers = body.frame().await.unwrap().unwrap();
    assert_eq!(trailers.into_trailers().unwrap()["checksum"], "7");
    assert_eq!(peers.fixture.totals(), [1, 0, 0, 0]);
}

#[tokio::test]
async fn bodies_that_client_drops_are_cancelled() {
    let peers = Peers::start().await;
    for _ in 0..6 {
        let mut body = peers.get("/short").await;
        body.frame().await.unwrap().unwrap();
        drop(body);
        drop(peers.get("/whole").await);
    }
    assert_eq!(peers.fixture.totals(), [0, 0, 0, 12]);
    assert_eq!(peers.fixture.events(), [""; 0]);

    peers.fixture.half_open();
    let mut body = peers.get("/short").await;
    body.frame().await.unwrap().unwrap();
    let refused = peers.send(peers.server.get("/whole")).await;
    assert!(refused.unwrap_err().is_open());
    drop(body);
    peers.get("/whole").await.collect().await.unwrap();
    assert_eq!(peers.fixture.breaker.state(), State::Closed);
}
