//! The client of the service. It knows nothing of circuit breakers.

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// The time limit of one call.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_millis(300);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("no answer: {0}")]
    NoAnswer(#[from] legacy::Error),
    #[error("the answer is incomplete: {0}")]
    Incomplete(#[from] hyper::Error),
    #[error("it took longer than {CALL_TIMEOUT:?}")]
    TimedOut(#[from] tokio::time::error::Elapsed),
}

#[derive(Clone)]
pub(crate) struct UsersApi {
    http: legacy::Client<HttpConnector, Empty<Bytes>>,
    server: SocketAddr,
}

impl UsersApi {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { http, server }
    }

    pub(crate) fn uri(&self, id: u32) -> Uri {
        let uri = format!("http://{}/users/{id}", self.server);
        uri.parse().expect("an address and a number make a URI")
    }

    /// Returns a user. The timeout is inside the guarded call, so that the breaker counts it.
    pub(crate) async fn user(&self, id: u32) -> Result<Bytes, ApiError> {
        timeout(CALL_TIMEOUT, self.get(id)).await?
    }

    async fn get(&self, id: u32) -> Result<Bytes, ApiError> {
        let response = self.http.get(self.uri(id)).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body().collect().await?.to_bytes()),
            status => Err(ApiError::Status(status)),
        }
    }
}
