//! The functions of the other `circuit` cases, written as their messages suggest.

use breakerbox::prelude::*;

#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error(transparent)]
    Circuit(#[from] breakerbox::BreakerError),
}

#[circuit(name = "users-api", failure_threshold = 5, recovery_timeout = "30s", expected = ApiError)]
async fn fetch(id: u64) -> Result<u64, ApiError> {
    Ok(id)
}

#[derive(Debug)]
struct Other;

#[circuit(fallback = fetch_cached)]
async fn fetch_or(id: u64) -> Result<u64, Other> {
    Ok(id)
}

async fn fetch_cached(id: u64) -> Result<u64, Other> {
    Ok(id)
}

#[circuit(classify = |result| if result.is_ok() { Outcome::Success } else { Outcome::Failure })]
fn classified() -> Result<u8, ApiError> { Ok(1) }

#[circuit(classify = |_| Outcome::Success, fallback = || None)]
fn find() -> Option<u8> { Some(1) }

#[circuit(refused = |error| error.to_string())]
async fn refused() -> Result<u8, String> { Ok(1) }

#[circuit(expected = |error: &ApiError| matches!(error, ApiError::Circuit(_)), refused = ApiError::from)]
fn hidden_error() -> Result<u8, impl std::error::Error> { Ok::<_, ApiError>(1) }

fn main() {
    drop((fetch(1), fetch_or(1), classified(), find(), refused(), hidden_error()));
}
