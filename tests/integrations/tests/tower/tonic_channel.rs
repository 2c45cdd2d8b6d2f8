//! A tonic channel and a tonic server over HTTP/2: an open circuit is `Code::Unavailable`.

use crate::server::nobody;
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerError, CircuitBreaker, State, http::grpc};
use futures_util::stream;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::{Layer, ServiceBuilder};

/// Answers with the code that is asked for, by number, and counts.
#[derive(Clone, Default)]
struct Codes(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Health for Codes {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let code = request.into_inner().service.parse().unwrap();
        match Code::from_i32(code) {
            Code::Ok => Ok(Response::new(HealthCheckResponse { status: 1 })),
            Code::ResourceExhausted => {
                let mut status = Status::resource_exhausted("later");
                let later = "120000".parse().unwrap();
                status
                    .metadata_mut()
                    .insert("grpc-retry-pushback-ms", later);
                Err(status)
            }
            code => Err(Status::new(code, "as asked")),
        }
    }

    type WatchStream = stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(stream::empty()))
    }
}

struct Server {
    address: SocketAddr,
    codes: Codes,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(guard: impl FnOnce(axum::Router) -> axum::Router) -> Self {
        let codes = Codes::default();
        let health = Routes::new(HealthServer::new(codes.clone()));
        let router = guard(health.prepare().into_axum_router());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            codes,
            task,
        }
    }

    fn calls(&self) -> usize {
        self.codes.0.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy()
}

fn asking_for(code: Code) -> HealthCheckRequest {
    HealthCheckRequest {
        service: (code as i32).to_string(),
    }
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder().name("health").build().unwrap()
}

#[tokio::test]
async fn statuses_open_the_circuit_and_callers_see_unavailable() {
    let server = Server::start(|router| router).await;
    let breaker = breaker();
    let layer = BreakerLayer::new(breaker.clone())
        .classify_response(grpc::judge_response)
        .on_refused(|open| Ok(grpc::unavailable(open)));
    let mut client = HealthClient::new(layer.layer(channel(server.address)));

    assert!(client.check(asking_for(Code::Ok)).await.is_ok());
    for code in [
        Code::NotFound,
        Code::InvalidArgument,
        Code::Unimplemented,
        Code::Cancelled,
    ] {
        for _ in 0..5 {
            assert_eq!(
                client.check(asking_for(code)).await.unwrap_err().code(),
                code
            );
        }
        assert_eq!(breaker.failure_count(), 0, "{code:?}");
    }
    for code in [
        Code::Internal,
        Code::Unavailable,
        Code::Unknown,
        Code::DataLoss,
        Code::Internal,
    ] {
        assert_eq!(
            client.check(asking_for(code)).await.unwrap_err().code(),
            code
        );
    }
    let asked = server.calls();
    let refused = client.check(asking_for(Code::Ok)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(
        refused.message().starts_with("circuit \"health\" is open"),
        "{refused:?}"
    );
    assert_eq!(server.calls(), asked);

    breaker.half_open();
    assert!(client.check(asking_for(Code::Ok)).await.is_ok());
    assert_eq!(breaker.state(), State::Closed);
    let exhausted = client
        .check(asking_for(Code::ResourceExhausted))
        .await
        .unwrap_err();
    assert_eq!(exhausted.message(), "later");
    assert!(breaker.open_remaining() > Some(Duration::from_secs(110)));
}

#[tokio::test]
async fn a_server_that_is_not_there_opens_the_circuit() {
    let breaker = breaker();
    let layer = BreakerLayer::new(breaker.clone()).on_refused(|open| Ok(grpc::unavailable(open)));
    let mut client = HealthClient::new(layer.layer(channel(nobody().await)));
    for _ in 0..5 {
        let error = client.check(asking_for(Code::Ok)).await.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable);
        assert!(
            error.source().is_some(),
            "the channel's own error: {error:?}"
        );
    }
    assert_eq!(breaker.state(), State::Open);
    let refused = client.check(asking_for(Code::Ok)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().starts_with("circuit"), "{refused:?}");
}

/// Without an answer of ours the refusal is an error of the channel, for which tonic knows no code; it
/// is found as the source, or turned into a status by a layer around the breaker.
#[tokio::test]
async fn a_refusal_that_nobody_answers_is_the_source_of_the_status() {
    let breaker = breaker();
    breaker.force_open();
    let channel = channel(nobody().await);
    let guarded = BreakerLayer::new(breaker.clone()).layer(channel.clone());
    let status = HealthClient::new(guarded)
        .check(asking_for(Code::Ok))
        .await
        .unwrap_err();
    let source = status.source().unwrap();
    let error = source.downcast_ref::<BreakerError<tonic::transport::Error>>();
    assert!(error.is_some_and(BreakerError::is_open), "{status:?}");

    let guarded = ServiceBuilder::new()
        .map_err(|error: BreakerError<tonic::transport::Error>| match error {
            BreakerError::Open(open) => Status::unavailable(open.to_string()),
            error => Status::from_error(error.into()),
        })
        .layer(BreakerLayer::new(breaker.clone()))
        .service(channel);
    let status = HealthClient::new(guarded)
        .check(asking_for(Code::Ok))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "circuit \"health\" is forced open");
}

#[tokio::test]
async fn a_guarded_server_answers_unavailable() {
    let breaker = breaker();
    let layer = BreakerLayer::new(breaker.clone())
        .classify_response(grpc::judge_response)
        .on_refused(|open| Ok(grpc::unavailable(open)));
    let server = Server::start(|router| router.layer(layer)).await;
    let mut client = HealthClient::new(channel(server.address));
    for _ in 0..5 {
        let error = client
            .check(asking_for(Code::DeadlineExceeded))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded);
    }
    let refused = client.check(asking_for(Code::Ok)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(
        refused.message().starts_with("circuit \"health\" is open"),
        "{refused:?}"
    );
    assert_eq!(server.calls(), 5);
}
