//! A guarded tonic channel, whose server sends messages before a status.

use crate::support::{Fixture, Server};
use breakerbox::http::grpc;
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerExt, CircuitBreaker, State};
use futures_util::stream;
use futures_util::stream::{BoxStream, StreamExt};
use std::time::Duration;
use tonic::service::Routes;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_types::{ErrorDetails, StatusExt};
use tower::Layer;

/// Streams one message, and ends as the request says.
struct OneMessage;

type Item = Result<HealthCheckResponse, Status>;

#[async_trait::async_trait]
impl Health for OneMessage {
    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: 1 }))
    }

    type WatchStream = BoxStream<'static, Item>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let message = stream::iter([Ok(HealthCheckResponse { status: 1 })]);
        let end: Self::WatchStream = match request.into_inner().service.as_str() {
            "end" => stream::empty().boxed(),
            "never" => stream::pending().boxed(),
            "later" => {
                let mut status = Status::unavailable("restarting");
                let millis = "120000".parse().unwrap();
                let metadata = status.metadata_mut();
                metadata.insert("grpc-retry-pushback-ms", millis);
                stream::iter([Err(status)]).boxed()
            }
            "details" => stream::iter([Err(with_retry_info())]).boxed(),
            "details-at-once" => return Err(with_retry_info()),
            "not-found" => stream::iter([Err(Status::not_found("deleted"))]).boxed(),
            "unavailable" => stream::iter([Err(Status::unavailable("restarting"))]).boxed(),
            "at-once" => return Err(Status::unavailable("restarting")),
            other => panic!("{other}"),
        };
        Ok(Response::new(message.chain(end).boxed()))
    }
}

/// A status with a `RetryInfo` and other details.
fn with_retry_info() -> Status {
    let mut details = ErrorDetails::with_debug_info(["main".to_owned()], "overloaded");
    details.set_retry_info(Some(Duration::from_millis(90_500)));
    Status::with_error_details(Code::Unavailable, "restarting", details)
}

fn router() -> axum::Router {
    let routes = Routes::new(HealthServer::new(OneMessage));
    routes.prepare().into_axum_router()
}

async fn start() -> Server {
    Server::serve(router()).await
}

/// Reads a guarded stream to its end. Returns the number of messages, and the status.
async fn watch(server: &Server, breaker: &CircuitBreaker, end: &str) -> (usize, Code) {
    let layer = BreakerLayer::new(breaker.clone())
        .classify_response(grpc::judge_response)
        .until_body_end()
        .on_refused(|open, _| Ok(grpc::unavailable(open)));
    let address = format!("http://{}", server.address);
    let channel = Endpoint::from_shared(address).unwrap().connect_lazy();
    let mut client = HealthClient::new(layer.layer(channel));
    let service = end.to_owned();
    let mut messages = match client.watch(HealthCheckRequest { service }).await {
        Ok(response) => response.into_inner(),
        Err(status) => return (0, status.code()),
    };
    let mut count = 0;
    loop {
        match messages.message().await {
            Ok(Some(_)) if end == "never" => return (1, Code::Ok),
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, Code::Ok),
            Err(status) => return (count, status.code()),
        }
    }
}

#[tokio::test]
async fn statuses_after_message_open_circuit_at_threshold() {
    let server = start().await;
    let fixture = Fixture::with(|builder| builder.failure_threshold(5));
    for failures in 1..=5 {
        assert_eq!(fixture.breaker.state(), State::Closed);
        let end = watch(&server, &fixture.breaker, "unavailable").await;
        assert_eq!(end, (1, Code::Unavailable));
        assert_eq!(fixture.totals(), [0, failures, 0, 0]);
    }
    assert_eq!(fixture.breaker.state(), State::Open);
    assert_eq!(fixture.events(), ["Open"]);
    let refused = watch(&server, &fixture.breaker, "end").await;
    assert_eq!(refused, (0, Code::Unavailable));
    assert_eq!(fixture.breaker.snapshot().totals.refused, 1);
}

#[tokio::test]
async fn status_in_head_counts_once() {
    let server = start().await;
    let fixture = Fixture::new();
    let end = watch(&server, &fixture.breaker, "at-once").await;
    assert_eq!(end, (0, Code::Unavailable));
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);
}

#[tokio::test]
async fn other_ends_keep_circuit_closed() {
    let server = start().await;
    let fixture = Fixture::new();
    assert_eq!(watch(&server, &fixture.breaker, "end").await, (1, Code::Ok));
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
    let end = watch(&server, &fixture.breaker, "not-found").await;
    assert_eq!(end, (1, Code::NotFound));
    assert_eq!(fixture.totals(), [2, 0, 0, 0]);
    assert_eq!(
        watch(&server, &fixture.breaker, "never").await,
        (1, Code::Ok)
    );
    assert_eq!(fixture.totals(), [2, 0, 0, 1]);
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[tokio::test]
async fn retry_delay_after_message_opens_circuit_for_that_time() {
    let server = start().await;
    let fixture = Fixture::new();
    watch(&server, &fixture.breaker, "later").await;
    let remaining = fixture.breaker.open_remaining();
    assert_eq!(remaining, Some(Duration::from_secs(120)));
}

#[tokio::test]
async fn retry_info_of_server_opens_circuit_for_its_delay() {
    let server = start().await;
    for (end, messages) in [("details", 1), ("details-at-once", 0)] {
        let fixture = Fixture::new();
        let seen = watch(&server, &fixture.breaker, end).await;
        assert_eq!(seen, (messages, Code::Unavailable));
        assert_eq!(fixture.totals(), [0, 1, 0, 0]);
        let remaining = fixture.breaker.open_remaining();
        assert_eq!(remaining, Some(Duration::from_millis(90_500)), "{end}");
    }
}

/// Without a layer, a rule reads the delay from the error of the client.
#[tokio::test]
async fn rule_reads_retry_info_from_status() {
    let server = start().await;
    let fixture = Fixture::with(|builder| {
        builder.trip_for_if(|status: &Status| status.get_details_retry_info()?.retry_delay)
    });
    let address = format!("http://{}", server.address);
    let channel = Endpoint::from_shared(address).unwrap().connect_lazy();
    let mut client = HealthClient::new(channel);
    for (end, remaining) in [
        ("at-once", None),
        ("details-at-once", Some(Duration::from_millis(90_500))),
    ] {
        let service = end.to_owned();
        let call = client.watch(HealthCheckRequest { service });
        assert!(call.guarded_by(&fixture.breaker).await.is_err());
        assert_eq!(fixture.breaker.open_remaining(), remaining, "{end}");
    }
}

#[tokio::test]
async fn unary_call_is_success_at_its_trailers() {
    let server = start().await;
    let fixture = Fixture::new();
    let layer = BreakerLayer::new(fixture.breaker.clone()).until_body_end();
    let address = format!("http://{}", server.address);
    let channel = Endpoint::from_shared(address).unwrap().connect_lazy();
    let mut client = HealthClient::new(layer.layer(channel));
    client.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}

#[tokio::test]
async fn guarded_server_counts_trailers() {
    let fixture = Fixture::new();
    let layer = BreakerLayer::new(fixture.breaker.clone())
        .classify_response(grpc::judge_response)
        .until_body_end()
        .on_refused(|open, _| Ok(grpc::unavailable(open)));
    let server = Server::serve(router().layer(layer)).await;
    let other = CircuitBreaker::builder().build().unwrap();
    for (end, expected) in [
        ("end", [1, 0, 0, 0]),
        ("unavailable", [1, 1, 0, 0]),
        ("at-once", [1, 2, 0, 0]),
    ] {
        watch(&server, &other, end).await;
        assert_eq!(fixture.totals(), expected);
    }
    assert_eq!(fixture.events(), ["Open"]);
}
