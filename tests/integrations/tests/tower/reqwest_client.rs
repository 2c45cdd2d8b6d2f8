//! `reqwest::Client` as a guarded service.

use crate::server::{Server, unused_address};
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerError, BreakerRegistry, CircuitBreaker, State, http};
use reqwest::{Client, Request, Response, Url};
use std::time::Duration;
use tower::{Service, ServiceBuilder, ServiceExt};

fn host(request: &Request) -> String {
    format!("http:{}", request.url().authority())
}

fn get(client: &Client, url: &str) -> Request {
    client.get(url.parse::<Url>().unwrap()).build().unwrap()
}

#[tokio::test]
async fn statuses_open_circuit_of_host() {
    let (failing, healthy) = (Server::start().await, Server::start().await);
    let registry = BreakerRegistry::new();
    let client = Client::new();
    let service = ServiceBuilder::new()
        .layer(
            BreakerLayer::keyed(&registry, host).classify_response(|answer: &Response| {
                http::judge(answer.status(), answer.headers())
            }),
        )
        .service(client.clone());

    for _ in 0..5 {
        let request = get(&client, &failing.url("/status/500"));
        assert_eq!(
            service.clone().oneshot(request).await.unwrap().status(),
            500
        );
    }
    let request = get(&client, &failing.url("/status/200"));
    let error = service.clone().oneshot(request).await.unwrap_err();
    assert!(error.is_open());
    assert_eq!(failing.requests(), 5);

    let request = get(&client, &healthy.url("/status/200"));
    let answer = service.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "hello");
    assert_eq!(registry.open_breakers().len(), 1);
}

#[tokio::test]
async fn retry_after_header_opens_circuit() {
    let server = Server::start().await;
    let breaker = CircuitBreaker::builder().build().unwrap();
    let client = Client::new();
    let mut service = ServiceBuilder::new()
        .layer(
            BreakerLayer::new(breaker.clone()).classify_response(|answer: &Response| {
                http::judge(answer.status(), answer.headers())
            }),
        )
        .service(client.clone());
    let request = get(&client, &server.url("/busy"));
    assert_eq!(
        service
            .ready()
            .await
            .unwrap()
            .call(request)
            .await
            .unwrap()
            .status(),
        503
    );
    assert!(breaker.open_remaining() > Some(Duration::from_secs(110)));
}

#[tokio::test]
async fn connection_errors_open_and_recovery_closes() {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(2)
        .expected_error_if::<reqwest::Error>(reqwest::Error::is_connect)
        .build()
        .unwrap();
    let client = Client::new();
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::new(breaker.clone()))
        .service(client.clone());
    let unused = format!("http://{}/", unused_address().await);
    for _ in 0..2 {
        let error = service
            .clone()
            .oneshot(get(&client, &unused))
            .await
            .unwrap_err();
        assert!(matches!(error, BreakerError::Inner(error) if error.is_connect()));
    }
    let error = service
        .clone()
        .oneshot(get(&client, &unused))
        .await
        .unwrap_err();
    assert!(error.is_open());

    let server = Server::start().await;
    breaker.half_open();
    let request = get(&client, &server.url("/status/200"));
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
    assert_eq!(breaker.state(), State::Closed);
}
