//! The client: one HTTP call, as it would be written without a breaker.

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than this no call may take.
pub(crate) const PATIENCE: Duration = Duration::from_millis(300);

#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("no answer: {0}")]
    NoAnswer(#[from] legacy::Error),
    #[error("the answer broke off: {0}")]
    BrokeOff(#[from] hyper::Error),
    #[error("took longer than {PATIENCE:?}")]
    TooLong(#[from] tokio::time::error::Elapsed),
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

    /// The timeout is in here, so that the breaker sees a call that took too long fail.
    pub(crate) async fn user(&self, id: u32) -> Result<Bytes, ApiError> {
        timeout(PATIENCE, self.get(id)).await?
    }

    async fn get(&self, id: u32) -> Result<Bytes, ApiError> {
        let response = self.http.get(self.uri(id)).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body().collect().await?.to_bytes()),
            status => Err(ApiError::Status(status)),
        }
    }
}
