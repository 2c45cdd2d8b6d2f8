//! The same as the messages say to write them.

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

#[circuit(fallback = fetch_instead)]
async fn fetch_or(id: u64) -> Result<u64, Other> {
    Ok(id)
}

async fn fetch_instead(id: u64) -> Result<u64, Other> {
    Ok(id)
}

fn main() {
    drop((fetch(1), fetch_or(1)));
}
