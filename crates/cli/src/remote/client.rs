//! [`Client`]: requests to a panel.

use crate::arguments::Panel;
use crate::table::escaped;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use thiserror::Error;
use ureq::http::{Response, Uri};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

/// How long a request may take, except a stream.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a stream may be silent. The panel sends something every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);
/// The maximum size of an answer.
const MAX_ANSWER: u64 = 64 << 20;

pub(super) struct Client {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

/// Why a request failed.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    #[error("{0} is no address of a panel: use http://HOST:PORT/ and the path of the mount")]
    Url(String),
    #[error("the panel at {url} cannot be reached: {error}")]
    Unreachable {
        url: String,
        error: Box<ureq::Error>,
    },
    #[error("{0}")]
    Refused(String),
    #[error("the answer of {url} is not that of a panel: {text}")]
    NoPanel { url: String, text: String },
}

#[derive(serde::Deserialize)]
struct Refusal {
    error: String,
}

impl Client {
    pub(super) fn new(panel: &Panel) -> Result<Self, ClientError> {
        let mut url = panel.url.clone();
        if !url.ends_with('/') {
            url.push('/');
        }
        let valid = url
            .parse::<Uri>()
            .is_ok_and(|uri| uri.scheme_str() == Some("http"));
        if !valid || url.contains(['?', '#']) {
            return Err(ClientError::Url(panel.url.clone()));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(TIMEOUT))
            .timeout_recv_response(Some(TIMEOUT))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("breakerbox/", env!("CARGO_PKG_VERSION")))
            .build();
        let token = panel.token.as_deref().filter(|token| !token.is_empty());
        Ok(Self {
            agent: config.new_agent(),
            url,
            authorization: token.map(|token| format!("Bearer {token}")),
        })
    }

    /// Gets an endpoint below `api/v1/`.
    pub(super) fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        let answer = self.request(path, query).call();
        self.read(answer.map_err(|error| self.unreachable(error))?)
    }

    /// Opens a stream below `api/v1/`, which continues after the event `last`.
    pub(super) fn stream(
        &self,
        path: &str,
        query: &[(&str, &str)],
        last: Option<&str>,
    ) -> Result<Body, ClientError> {
        let mut request = self
            .request(path, query)
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let answer = request.call().map_err(|error| self.unreachable(error))?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        Err(self.refusal(answer))
    }

    /// Posts a command.
    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let mut request = self
            .agent
            .post(format!("{}api/v1/{path}", self.url))
            .header("x-breakerbox-panel", "1");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.send_json(body);
        self.read(answer.map_err(|error| self.unreachable(error))?)
    }

    fn request(&self, path: &str, query: &[(&str, &str)]) -> RequestBuilder<WithoutBody> {
        let mut request = self
            .agent
            .get(format!("{}api/v1/{path}", self.url))
            .header("x-breakerbox-panel", "1");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        request.query_pairs(query.iter().copied())
    }

    fn read<T: DeserializeOwned>(&self, mut answer: Response<Body>) -> Result<T, ClientError> {
        if !answer.status().is_success() {
            return Err(self.refusal(answer));
        }
        let body = answer.body_mut().with_config().limit(MAX_ANSWER);
        body.read_json().map_err(|error| match error {
            ureq::Error::Json(error) => self.no_panel(error.to_string()),
            error => self.unreachable(error),
        })
    }

    fn refusal(&self, mut answer: Response<Body>) -> ClientError {
        let status = answer.status();
        let refusal = answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_json::<Refusal>();
        match refusal {
            Ok(refusal) => ClientError::Refused(escaped(&refusal.error)),
            Err(_) => self.no_panel(format!("status {status}")),
        }
    }

    fn unreachable(&self, error: ureq::Error) -> ClientError {
        ClientError::Unreachable {
            url: self.url.clone(),
            error: Box::new(error),
        }
    }

    fn no_panel(&self, text: String) -> ClientError {
        ClientError::NoPanel {
            url: self.url.clone(),
            text,
        }
    }
}
