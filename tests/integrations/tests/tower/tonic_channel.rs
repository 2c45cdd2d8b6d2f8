//! A guarded tonic channel and a guarded tonic server. An open circuit results in `Code::Unavailable`.

use crate::server::unused_address;
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
use tonic_types::{ErrorDetails, StatusExt};
use tower::{Layer, ServiceBuilder};

/// Responds with the code whose number the request contains, and counts requests. A second number is
/// the delay of a `RetryInfo`, in seconds.
#[derive(Clone, Default)]
struct CodeService(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Health for CodeService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let service = request.into_inner().service;
        let (code, delay) = service.split_once(' ').unwrap_or((&service, ""));
        let code = code.parse().unwrap();
        if let Ok(seconds) = delay.parse() {
            let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(seconds)));
            let code = Code::from_i32(code);
            return Err(Status::with_error_details(code, "later", details));
        }
        match Code::from_i32(code) {
            Code::Ok => Ok(Response::new(HealthCheckResponse { status: 1 })),
            Code::ResourceExhausted => {
                let mut status = Status::resource_exhausted("later");
                let millis = "120000".parse().unwrap();
                status
                    .metadata_mut()
                    .insert("grpc-retry-pushback-ms", millis);
                Err(status)
            }
            code => Err(Status::new(code, "requested code")),
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
    codes: CodeService,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(guard: impl FnOnce(axum::Router) -> axum::Router) -> Self {
        let codes = CodeService::default();
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

fn request(code: Code) -> HealthCheckRequest {
    HealthCheckRequest {
        service: (code as i32).to_string(),
    }
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder().name("health").build().unwrap()
}

#[tokio::test]
async fn statuses_open_circuit_and_refusal_is_unavailable() {
    let server = Server::start(|router| router).await;
    let breaker = breaker();
    let layer = BreakerLayer::new(breaker.clone())
        .classify_response(grpc::judge_response)
        .on_refused(|open, _| Ok(grpc::unavailable(open)));
    let mut client = HealthClient::new(layer.layer(channel(server.address)));

    assert!(client.check(request(Code::Ok)).await.is_ok());
    for code in [
        Code::NotFound,
        Code::InvalidArgument,
        Code::Unimplemented,
        Code::Cancelled,
    ] {
        for _ in 0..5 {
            assert_eq!(client.check(request(code)).await.unwrap_err().code(), code);
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
        assert_eq!(client.check(request(code)).await.unwrap_err().code(), code);
    }
    let calls = server.calls();
    let refused = client.check(request(Code::Ok)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(
        refused.message().starts_with("circuit \"health\" is open"),
        "{refused:?}"
    );
    assert_eq!(server.calls(), calls);

    breaker.half_open();
    assert!(client.check(request(Code::Ok)).await.is_ok());
    assert_eq!(breaker.state(), State::Closed);
    let exhausted = client
        .check(request(Code::ResourceExhausted))
        .await
        .unwrap_err();
    assert_eq!(exhausted.message(), "later");
    assert!(breaker.open_remaining() > Some(Duration::from_secs(110)));
}

#[tokio::test]
async fn retry_info_opens_circuit_for_its_delay() {
    let server = Server::start(|router| router).await;
    for (code, is_trip) in [
        (Code::Unavailable, true),
        (Code::ResourceExhausted, true),
        (Code::Internal, false),
    ] {
        let breaker = breaker();
        let layer = BreakerLayer::new(breaker.clone()).classify_response(grpc::judge_response);
        let mut client = HealthClient::new(layer.layer(channel(server.address)));
        let service = format!("{} 120", code as i32);
        let status = client
            .check(HealthCheckRequest { service })
            .await
            .unwrap_err();
        assert_eq!((status.code(), status.message()), (code, "later"));
        assert_eq!(breaker.snapshot().totals.failure, 1);
        let is_long = breaker.open_remaining() > Some(Duration::from_secs(110));
        assert_eq!(is_long, is_trip, "{code:?}");
    }
}

#[tokio::test]
async fn unreachable_server_opens_circuit() {
    let breaker = breaker();
    let layer =
        BreakerLayer::new(breaker.clone()).on_refused(|open, _| Ok(grpc::unavailable(open)));
    let mut client = HealthClient::new(layer.layer(channel(unused_address().await)));
    for _ in 0..5 {
        let error = client.check(request(Code::Ok)).await.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable);
        assert!(
            error.source().is_some(),
            "not the error of the channel: {error:?}"
        );
    }
    assert_eq!(breaker.state(), State::Open);
    let refused = client.check(request(Code::Ok)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().starts_with("circuit"), "{refused:?}");
}

/// Without `on_refused`, the refusal is an error of the channel, for which tonic has no code. The refusal
/// is the source of the status, unless a layer around the breaker converts it.
#[tokio::test]
async fn refusal_without_on_refused_is_status_source() {
    let breaker = breaker();
    breaker.force_open();
    let channel = channel(unused_address().await);
    let guarded = BreakerLayer::new(breaker.clone()).layer(channel.clone());
    let status = HealthClient::new(guarded)
        .check(request(Code::Ok))
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
        .check(request(Code::Ok))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "circuit \"health\" is forced open");
}

#[tokio::test]
async fn guarded_server_answers_unavailable() {
    let breaker = breaker();
    let layer = BreakerLayer::new(breaker.clone())
        .classify_response(grpc::judge_response)
        .on_refused(|open, _| Ok(grpc::unavailable(open)));
    let server = Server::start(|router| router.layer(layer)).await;
    let mut client = HealthClient::new(channel(server.address));
    for _ in 0..5 {
        let error = client
            .check(request(Code::DeadlineExceeded))
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded);
    }
    let refused = client.check(request(Code::Ok)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(
        refused.message().starts_with("circuit \"health\" is open"),
        "{refused:?}"
    );
    assert_eq!(server.calls(), 5);
}
