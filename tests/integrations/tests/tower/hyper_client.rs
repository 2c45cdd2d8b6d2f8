//! The pooled client of hyper as a guarded service.

use crate::server::{Server, unused_address};
use breakerbox::tower::{Breaker, BreakerLayer};
use breakerbox::{BreakerError, BreakerRegistry, http as breaker_http};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, ServiceExt};

type Body = Empty<Bytes>;

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::new()).unwrap()
}

fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

#[tokio::test]
async fn statuses_and_connection_errors_open_circuits() {
    let server = Server::start().await;
    let registry = BreakerRegistry::new();
    let layer = BreakerLayer::keyed(&registry, |request: &Request<Body>| {
        request.uri().authority().unwrap().clone()
    })
    .classify_response(breaker_http::judge_response);
    let service = layer.layer(client());

    for _ in 0..5 {
        let answer = service
            .clone()
            .oneshot(get(&server.url("/status/502")))
            .await;
        let body = answer.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "hello");
    }
    let refused = service
        .clone()
        .oneshot(get(&server.url("/status/200")))
        .await;
    assert!(refused.unwrap_err().is_open());
    assert_eq!(server.requests(), 5);

    let unused = unused_address().await;
    for _ in 0..5 {
        let answer = service
            .clone()
            .oneshot(get(&format!("http://{unused}/")))
            .await;
        let Err(BreakerError::Inner(error)) = answer else {
            panic!("{answer:?}");
        };
        assert!(error.is_connect());
    }
    assert_eq!(registry.open_breakers().len(), 2);
    assert!(registry.get(unused.to_string()).is_some());
}

/// The type of a guarded client can be the type of a field.
#[tokio::test]
async fn guarded_client_type_can_be_named() {
    struct Users {
        client: Breaker<Client<HttpConnector, Body>>,
    }
    let server = Server::start().await;
    let registry = BreakerRegistry::new();
    let users = Users {
        client: BreakerLayer::named(&registry, "users-api").layer(client()),
    };
    let answer = users
        .client
        .clone()
        .oneshot(get(&server.url("/status/200")))
        .await;
    assert_eq!(answer.unwrap().status(), 200);
}
