//! [`Client`]: requests to a panel.

use crate::arguments::Panel;
use crate::table::escaped;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use thiserror::Error;
use ureq::http::{Response, StatusCode, Uri};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};

/// How long the panel may take to begin an answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a whole answer may take, except a stream.
const WHOLE_ANSWER: Duration = Duration::from_secs(60);
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
    #[error(
        "the token contains a character that no header may contain: set BREAKERBOX_TOKEN to the token alone"
    )]
    Token,
    #[error("the panel at {url} cannot be reached: {text}. Check the address, which --url sets")]
    Unreachable { url: String, text: String },
    #[error("{text}{}", advice(*.status))]
    Refused { status: u16, text: String },
    #[error(
        "the answer of {url} is not that of a panel: {text}. Check the address, which --url sets, and the path of \
         the mount in it{}",
        advice(*.status)
    )]
    NoPanel {
        url: String,
        status: u16,
        text: String,
    },
}

impl ClientError {
    /// Returns `true` if the same request may succeed soon.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Url(_) | Self::Token => false,
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } | Self::NoPanel { status, .. } => {
                matches!(status, 408 | 429 | 500..)
            }
        }
    }
}

/// Returns what to do about a status.
fn advice(status: u16) -> &'static str {
    match status {
        401 => ". Set BREAKERBOX_TOKEN to a token that the application accepts",
        429 | 503 => ". Try again later",
        _ => "",
    }
}

#[derive(serde::Deserialize)]
struct Refusal {
    error: String,
    /// The state in which a command found the breaker.
    state: Option<String>,
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
            return Err(ClientError::Url(escaped(&panel.url)));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(TIMEOUT))
            .timeout_recv_response(Some(TIMEOUT))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("breakerbox/", env!("CARGO_PKG_VERSION")))
            .build();
        // A token from a file ends with a line break.
        let token = panel.token.as_deref().map(str::trim);
        let token = token.filter(|token| !token.is_empty());
        let is_header = |token: &str| token.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !token.is_none_or(is_header) {
            return Err(ClientError::Token);
        }
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
        let request = self.request(path, query).config();
        let request = request.timeout_global(Some(WHOLE_ANSWER)).build();
        let answer = request.call();
        self.read(answer.map_err(|error| self.unreachable(&error))?)
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
        let answer = request.call().map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            return Err(self.refusal(answer));
        }
        if answer.body().mime_type() == Some("text/event-stream") {
            return Ok(answer.into_body());
        }
        Err(self.no_panel(answer.status(), "no stream of events"))
    }

    /// Posts a command.
    pub(super) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.agent.post(format!("{}api/v1/{path}", self.url));
        let request = request.config().timeout_global(Some(WHOLE_ANSWER)).build();
        let mut request = request.header("x-breakerbox-panel", "1");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let answer = request.send_json(body);
        self.read(answer.map_err(|error| self.unreachable(&error))?)
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

    fn read<T: DeserializeOwned>(&self, answer: Response<Body>) -> Result<T, ClientError> {
        let status = answer.status();
        if !status.is_success() {
            return Err(self.refusal(answer));
        }
        let text = self.text(answer)?;
        serde_json::from_slice(&text).map_err(|error| self.no_panel(status, &error.to_string()))
    }

    /// Returns a part of an answer, which another version of the panel may have in another form.
    pub(super) fn part<T: DeserializeOwned>(&self, answer: &Value) -> Result<T, ClientError> {
        T::deserialize(answer).map_err(|error| self.no_panel(StatusCode::OK, &error.to_string()))
    }

    fn refusal(&self, answer: Response<Body>) -> ClientError {
        let status = answer.status();
        let text = match self.text(answer) {
            Ok(text) => text,
            Err(error) => return error,
        };
        match serde_json::from_slice::<Refusal>(&text) {
            Ok(Refusal { error, state }) => {
                let state = state.map(|state| format!(". The breaker is {state}"));
                let text = escaped(&(error + &state.unwrap_or_default()));
                let status = status.as_u16();
                ClientError::Refused { status, text }
            }
            Err(_) => self.no_panel(status, &format!("the status is {status}")),
        }
    }

    fn text(&self, answer: Response<Body>) -> Result<Vec<u8>, ClientError> {
        let status = answer.status();
        let body = answer.into_body().into_with_config().limit(MAX_ANSWER);
        body.read_to_vec().map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => {
                let text = format!("it is larger than {} MiB", MAX_ANSWER >> 20);
                self.no_panel(status, &text)
            }
            error => self.unreachable(&error),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> ClientError {
        let text = match error {
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
            error => error.to_string(),
        };
        ClientError::Unreachable {
            url: self.url.clone(),
            text,
        }
    }

    fn no_panel(&self, status: StatusCode, text: &str) -> ClientError {
        ClientError::NoPanel {
            url: self.url.clone(),
            status: status.as_u16(),
            text: escaped(text),
        }
    }
}
