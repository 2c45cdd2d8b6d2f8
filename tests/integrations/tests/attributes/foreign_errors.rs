//! `refused` for error types of other crates.

use breakerbox::prelude::*;
use std::io;
use std::time::Duration;
use tonic::{Code, Status};

fn status(error: BreakerError) -> Status {
    match error {
        BreakerError::TimedOut(timeout) => Status::deadline_exceeded(timeout.to_string()),
        BreakerError::Open(open) => Status::unavailable(open.to_string()),
        BreakerError::Inner(never) => match never {},
    }
}

#[circuit(
    name = "tonic-status",
    refused = status,
    fail_if = |status| status.code() == Code::Internal,
    timeout = "1s",
)]
async fn say_hello(delay: Duration) -> Result<&'static str, Status> {
    tokio::time::sleep(delay).await;
    if delay.is_zero() {
        Err(Status::internal("down"))
    } else {
        Ok("hello")
    }
}

#[tokio::test(start_paused = true)]
async fn refused_makes_tonic_status() {
    let soon = Duration::from_millis(1);
    assert_eq!(say_hello(soon).await.unwrap(), "hello");
    let late = say_hello(Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    let failed = say_hello(Duration::ZERO).await.unwrap_err();
    assert_eq!(failed.code(), Code::Internal);
    let breaker = BreakerRegistry::global().breaker("tonic-status");
    assert_eq!(breaker.failure_count(), 2);
    breaker.trip();
    let refused = say_hello(soon).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(
        refused
            .message()
            .starts_with("circuit \"tonic-status\" is open")
    );
}

#[circuit(
    name = "io-error",
    refused = |error| io::Error::new(io::ErrorKind::ConnectionRefused, error)
)]
fn read() -> io::Result<u8> {
    Ok(1)
}

#[test]
fn refused_chooses_kind_of_io_error() {
    assert_eq!(read().unwrap(), 1);
    BreakerRegistry::global().breaker("io-error").trip();
    let error = read().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(is_refusal(&error));
}
