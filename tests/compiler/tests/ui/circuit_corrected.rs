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

fn main() {
    drop((fetch(1), fetch_or(1)));
}
