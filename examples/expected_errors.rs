//! Classifies errors: as failures, as answers of a healthy dependency, or as ignored.
//!
//! ```text
//! cargo run --example expected_errors
//! ```

use breakerbox::prelude::*;

#[derive(Clone, Debug, thiserror::Error)]
enum ApiError {
    #[error("no connection")]
    Connect,
    #[error("status {0}")]
    Status(u16),
    #[error("shutting down")]
    ShuttingDown,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let breaker = CircuitBreaker::builder()
        .name("api")
        .expected_error_if(|error: &ApiError| {
            matches!(error, ApiError::Connect | ApiError::Status(500..))
        })
        .ignored_error_if(|error: &ApiError| matches!(error, ApiError::ShuttingDown))
        .build()?;
    let fail_with = |error: ApiError| {
        let _ = breaker.call(|| Err::<(), _>(error.clone()));
        println!(
            "after {:<16} {} consecutive failures",
            error.to_string(),
            breaker.failure_count()
        );
        breaker.failure_count()
    };

    assert_eq!(fail_with(ApiError::Connect), 1);
    assert_eq!(fail_with(ApiError::Status(503)), 2);
    // Ignored: the error says nothing about the dependency, and the failure count stays.
    assert_eq!(fail_with(ApiError::ShuttingDown), 2);
    // Unexpected: the dependency answered, so the call counts as a success.
    assert_eq!(fail_with(ApiError::Status(404)), 0);

    // A call site can classify its own results, including `Ok` values.
    let classifier = |result: &Result<u16, ApiError>| match result {
        Ok(500..) | Err(_) => Outcome::Failure,
        Ok(_) => Outcome::Success,
    };
    let status = async { Ok(503) }
        .guarded_by(&breaker)
        .classify(classifier)
        .await?;
    println!(
        "after Ok({status})          {} consecutive failures",
        breaker.failure_count()
    );
    assert_eq!(breaker.failure_count(), 1);
    Ok(())
}
