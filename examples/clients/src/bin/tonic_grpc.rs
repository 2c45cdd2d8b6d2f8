//! A gRPC client: which status codes are failures, a failure inside an `Ok`, and a refusal as a
//! `Status`.
//!
//! A real server reports that it is not serving, is killed, and is started again.
//!
//! ```text
//! cargo run --manifest-path examples/clients/Cargo.toml --bin tonic_grpc
//! ```

use anyhow::ensure;
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox_clients::{Server, print_state_change};
use std::time::Duration;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::HealthCheckResponse;
use tonic_health::pb::health_check_response::ServingStatus as Answer;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::{HealthReporter, HealthService};

struct Grpc;

impl Preset for Grpc {
    const FAILURE_THRESHOLD: u32 = 3;
    const RECOVERY_TIMEOUT: Duration = Duration::from_secs(10);

    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        builder.expected_error_if(|status: &Status| is_outage(status.code()))
    }
}

/// Returns whether the server is down, overloaded or broken. All other codes are answers, such as
/// `NotFound` and `InvalidArgument`.
///
/// tonic reports its own timeouts and broken connections as `Cancelled`. A caller that cancels
/// drops its future, and sees no status.
fn is_outage(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unknown
            | Code::DataLoss
    )
}

struct Health {
    client: HealthClient<Channel>,
    breaker: CircuitBreaker,
}

impl Health {
    async fn check(&self, service: &str) -> Result<Answer, Status> {
        let mut client = self.client.clone();
        let service = service.to_owned();
        let response = client
            .check(HealthCheckRequest { service })
            .guarded_by(&self.breaker)
            .classify(classify)
            .timeout(Duration::from_secs(5))
            .await
            .map_err(into_status)?;
        Ok(response.get_ref().status())
    }

    /// Classified by the breaker's own rules.
    async fn exists(&self, service: &str) -> Result<bool, Status> {
        let mut client = self.client.clone();
        let service = service.to_owned();
        let checked = client
            .check(HealthCheckRequest { service })
            .guarded_by(&self.breaker)
            .await;
        match checked.map_err(into_status) {
            Ok(_) => Ok(true),
            Err(status) if status.code() == Code::NotFound => Ok(false),
            Err(status) => Err(status),
        }
    }
}

/// Classifies a successful answer as a failure if the server reports that it is not serving.
fn classify(result: &Result<Response<HealthCheckResponse>, Status>) -> Outcome {
    match result {
        Ok(response) if response.get_ref().status() == Answer::NotServing => Outcome::Failure,
        Err(status) if is_outage(status.code()) => Outcome::Failure,
        _ => Outcome::Success,
    }
}

/// Returns the call's own status, or one that tells the caller to try again later.
fn into_status(error: BreakerError<Status>) -> Status {
    match error {
        BreakerError::Inner(status) => status,
        BreakerError::TimedOut(error) => Status::deadline_exceeded(error.to_string()),
        BreakerError::Open(open) => Status::unavailable(open.to_string()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .preset_for("grpc:", Grpc::preset())
        .clock(clock.clone())
        .on_change(print_state_change)
        .build()?;
    let mut server = Server::new()?;
    let reporter = HealthReporter::new();
    serve(&mut server, &reporter)?;
    let channel = Endpoint::from_shared(format!("http://{}", server.address()))?.connect_lazy();
    let health = Health {
        client: HealthClient::new(channel),
        breaker: registry.breaker("grpc:health"),
    };

    println!("the server is up");
    ensure!(health.check("").await? == Answer::Serving);
    for _ in 0..10 {
        ensure!(!health.exists("no.such.Service").await?);
    }
    ensure!(
        health.breaker.failure_count() == 0,
        "`NotFound` is an answer"
    );

    println!("the server reports that it is not serving");
    reporter
        .set_service_status("", ServingStatus::NotServing)
        .await;
    for _ in 0..Grpc::FAILURE_THRESHOLD {
        ensure!(health.check("").await? == Answer::NotServing);
    }
    let status = health.check("").await.unwrap_err();
    println!("    {:?}: {}", status.code(), status.message());
    ensure!(status.code() == Code::Unavailable);
    ensure!(health.breaker.state() == State::Open);

    println!("the server is serving again");
    reporter
        .set_service_status("", ServingStatus::Serving)
        .await;
    clock.advance(Grpc::RECOVERY_TIMEOUT);
    ensure!(health.check("").await? == Answer::Serving);
    ensure!(health.breaker.state() == State::Closed);

    println!("the server is killed");
    server.kill().await?;
    for _ in 0..Grpc::FAILURE_THRESHOLD {
        let status = health.exists("").await.unwrap_err();
        println!("    {:?}: {}", status.code(), status.message());
        ensure!(is_outage(status.code()));
    }
    ensure!(health.breaker.state() == State::Open);
    clock.advance(Grpc::RECOVERY_TIMEOUT);
    ensure!(health.exists("").await.is_err(), "the trial should fail");
    ensure!(health.breaker.state() == State::Open);

    println!("the server is started again");
    serve(&mut server, &reporter)?;
    clock.advance(Grpc::RECOVERY_TIMEOUT);
    ensure!(health.exists("").await?);
    ensure!(health.breaker.state() == State::Closed);
    println!("{}", health.breaker.snapshot());
    println!("an open circuit was Unavailable to its callers");
    server.kill().await?;
    Ok(())
}

fn serve(server: &mut Server, reporter: &HealthReporter) -> std::io::Result<()> {
    let service = HealthService::from_health_reporter(reporter.clone());
    let service = tonic_health::pb::health_server::HealthServer::new(service);
    server.start(|listener| {
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener))
    })
}
