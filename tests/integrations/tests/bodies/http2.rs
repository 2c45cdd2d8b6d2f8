//! Streams of an HTTP/2 connection that the server resets, or closes with a GOAWAY.

use crate::support::{Fixture, Server};
use ::http::{Request, Response};
use axum::body::Body;
use breakerbox::tower::{BreakerLayer, GuardedBody};
use breakerbox::{State, http};
use h2::Reason;
use h2::server::{Connection, SendResponse};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tower::{Layer, ServiceExt};

/// Serves connections. `gate` lets the server go on after the first chunk of a body.
async fn serve(listener: TcpListener, gate: Arc<Notify>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let gate = gate.clone();
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(socket).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                answer(&request, respond, &mut connection, &gate).await;
            }
        });
    }
}

/// Sends `hello`, waits for the gate, and does what the path of the request says.
async fn answer(
    request: &Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    connection: &mut Connection<TcpStream, Bytes>,
    gate: &Notify,
) {
    let path = request.uri().path();
    let mut head = Response::builder();
    if path.starts_with("/grpc") {
        head = head.header("content-type", "application/grpc");
    }
    let mut body = respond
        .send_response(head.body(()).unwrap(), false)
        .unwrap();
    body.send_data("hello".into(), false).unwrap();
    // `accept` also sends what is queued. The client makes no other request on this connection.
    tokio::select! {
        () = gate.notified() => {}
        _ = connection.accept() => return,
    }
    match path {
        "/goaway" => connection.abrupt_shutdown(Reason::INTERNAL_ERROR),
        "/graceful-goaway" => {
            connection.graceful_shutdown();
            body.send_data(" world".into(), true).unwrap();
        }
        "/reset" => body.send_reset(Reason::INTERNAL_ERROR),
        "/grpc-reset-without-error" => body.send_reset(Reason::NO_ERROR),
        "/whole" => body.send_data(" world".into(), true).unwrap(),
        _ => panic!("{path}"),
    }
    // Sends the frames, until the client closes the connection.
    let _ = poll_fn(|cx| connection.poll_closed(cx)).await;
}

struct Peers {
    server: Server,
    gate: Arc<Notify>,
    fixture: Fixture,
}

impl Peers {
    async fn start() -> Self {
        let gate = Arc::new(Notify::new());
        let server_gate = gate.clone();
        Self {
            server: Server::start(|listener| serve(listener, server_gate)).await,
            gate,
            fixture: Fixture::with(|builder| builder.failure_threshold(5)),
        }
    }

    /// Sends a request on a new connection, and reads `hello`.
    async fn get(&self, path: &str) -> GuardedBody<Incoming> {
        let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let layer = BreakerLayer::new(self.fixture.breaker.clone())
            .classify_response(http::grpc::judge_response)
            .until_body_end();
        let response = layer.layer(client).oneshot(self.server.get(path)).await;
        let mut body = response.unwrap().into_body();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "hello");
        self.gate.notify_one();
        body
    }
}

#[tokio::test]
async fn goaways_and_resets_open_circuit_at_threshold() {
    for path in ["/goaway", "/reset"] {
        let peers = Peers::start().await;
        for failures in 1..=5 {
            assert_eq!(peers.fixture.breaker.state(), State::Closed, "{path}");
            let mut body = peers.get(path).await;
            assert!(body.frame().await.unwrap().is_err(), "{path}");
            assert_eq!(peers.fixture.totals(), [0, failures, 0, 0], "{path}");
        }
        assert_eq!(peers.fixture.breaker.state(), State::Open, "{path}");
        assert_eq!(peers.fixture.events(), ["Open"], "{path}");
    }
}

/// hyper reports a reset without an error as the end of the body. Only the missing status shows that
/// a gRPC response was cut off.
#[tokio::test]
async fn grpc_streams_reset_without_error_open_circuit() {
    let peers = Peers::start().await;
    for failures in 1..=5 {
        let mut body = peers.get("/grpc-reset-without-error").await;
        assert!(body.frame().await.is_none());
        assert_eq!(peers.fixture.totals(), [0, failures, 0, 0]);
    }
    assert_eq!(peers.fixture.events(), ["Open"]);
}

#[tokio::test]
async fn body_that_ends_after_goaway_is_success() {
    for path in ["/graceful-goaway", "/whole"] {
        let peers = Peers::start().await;
        let rest = peers.get(path).await.collect().await.unwrap();
        assert_eq!(rest.to_bytes(), " world");
        assert_eq!(peers.fixture.totals(), [1, 0, 0, 0], "{path}");
    }
}

#[tokio::test]
async fn stream_that_client_drops_is_cancelled() {
    let peers = Peers::start().await;
    drop(peers.get("/whole").await);
    assert_eq!(peers.fixture.totals(), [0, 0, 0, 1]);
}
