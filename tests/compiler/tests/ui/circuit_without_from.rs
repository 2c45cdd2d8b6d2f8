//! Error types that do not implement `From<BreakerError>`.

use breakerbox::circuit;

#[derive(Debug)]
struct ApiError;

struct Client;

impl Client {
    #[circuit]
    async fn fetch(&self, id: u64) -> Result<u64, ApiError> {
        Ok(id)
    }
}

type Answer<T> = Result<T, ApiError>;

#[circuit]
fn alias(id: u64) -> Answer<u64> {
    Ok(id)
}

#[circuit(timeout = "1s", fallback = fetch_cached)]
async fn timeout(id: u64) -> Result<u64, ApiError> {
    Ok(id)
}

async fn fetch_cached(id: u64) -> Result<u64, ApiError> {
    Ok(id)
}

#[circuit]
fn returned_future(id: u64) -> impl Future<Output = Result<u64, ApiError>> {
    std::future::ready(Ok(id))
}

fn main() {}
