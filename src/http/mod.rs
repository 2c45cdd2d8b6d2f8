//! Outcomes from HTTP statuses and headers, and answers for an open circuit; feature `http`.
//!
//! HTTP clients give `Ok` whatever the status, so that a breaker sees nothing but successes until
//! somebody judges the responses. These functions do:
//!
//! | response | outcome |
//! |---|---|
//! | 503 or 429 with a [`Retry-After`](retry_after) | [`Outcome::TripFor`] that long |
//! | any other 5xx, a 503 without | [`Outcome::Failure`] |
//! | everything else, a 429 without | [`Outcome::Success`]: the service answered |
//! | the refusal of [a breaker further in](unavailable) | [`Outcome::Ignored`]: nothing was called |
//!
//! [`judge`] takes a status and headers, whoever they come from; [`judge_response`] and
//! [`judge_result`] fit `classify` and its kin. [`grpc`] does the same for gRPC, whose failures are
//! inside HTTP 200.
//!
//! ```
//! use breakerbox::{http, prelude::*};
//! use ::http::Response;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let registry = BreakerRegistry::new();
//! # async fn get(_: &str) -> Result<Response<String>, std::io::Error> {
//! #     Ok(Response::builder().status(503).header("retry-after", "120").body(String::new()).unwrap())
//! # }
//! let response = get("http://users.example.org/42")
//!     .with_breaker(&registry, "users-api")
//!     .classify(http::judge_result)
//!     .await?;
//!
//! // The service asked to be left alone for two minutes.
//! assert_eq!(response.status(), 503);
//! assert!(registry.breaker("users-api").open_remaining() > Some(std::time::Duration::from_secs(110)));
//! # Ok(())
//! # }
//! ```
//!
//! Why no setting for other statuses? A closure of three lines says it better:
//!
//! ```
//! use breakerbox::{http, prelude::*};
//! use ::http::{HeaderMap, StatusCode};
//!
//! fn judge(status: StatusCode, headers: &HeaderMap) -> Outcome {
//!     match status.as_u16() {
//!         408 | 425 => Outcome::Failure,
//!         501 => Outcome::Success,
//!         _ => http::judge(status, headers),
//!     }
//! }
//! assert_eq!(judge(StatusCode::REQUEST_TIMEOUT, &HeaderMap::new()), Outcome::Failure);
//! ```

pub mod grpc;
mod retry_after;

pub use retry_after::{retry_after, retry_after_at};

use crate::classify::{ErrorView, Outcome};
use crate::error::CircuitOpen;
use ::http::header::RETRY_AFTER;
use ::http::{HeaderMap, HeaderValue, Response, StatusCode};
use std::fmt::Debug;
use std::time::Duration;

/// What a response of this status and these headers means to the breaker.
///
/// # Examples
///
/// ```
/// use breakerbox::{Outcome, http::judge};
/// use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
/// use std::time::Duration;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(judge(StatusCode::OK, &headers), Outcome::Success);
/// assert_eq!(judge(StatusCode::NOT_FOUND, &headers), Outcome::Success);
/// assert_eq!(judge(StatusCode::BAD_GATEWAY, &headers), Outcome::Failure);
///
/// headers.insert(RETRY_AFTER, "120".parse().unwrap());
/// let two_minutes = Outcome::TripFor(Duration::from_secs(120));
/// assert_eq!(judge(StatusCode::TOO_MANY_REQUESTS, &headers), two_minutes);
/// ```
pub fn judge(status: StatusCode, headers: &HeaderMap) -> Outcome {
    let may_ask = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    match retry_after(headers).filter(|_| may_ask) {
        Some(time) => Outcome::TripFor(time),
        None if status.is_server_error() => Outcome::Failure,
        None => Outcome::Success,
    }
}

/// What `response` means to the breaker, as [`judge`] says; for
/// `BreakerLayer::classify_response`.
///
/// A response that is the [refusal of another breaker](unavailable) in this process is ignored.
pub fn judge_response<B>(response: &Response<B>) -> Outcome {
    judged_unless_refused(response, judge)
}

/// What `result` means to the breaker, as [`judge`] says; for `classify`. An error is a failure,
/// unless it is the refusal of an inner breaker.
///
/// To judge errors by the breaker's rules, leave them to it:
/// `BreakerLayer::classify_response`.
pub fn judge_result<B, E: Debug + 'static>(result: &Result<Response<B>, E>) -> Outcome {
    match result {
        Ok(response) => judge_response(response),
        Err(error) => judge_error(error),
    }
}

fn judged_unless_refused<B>(
    response: &Response<B>,
    judge: impl FnOnce(StatusCode, &HeaderMap) -> Outcome,
) -> Outcome {
    if response.extensions().get::<CircuitOpen>().is_some() {
        return Outcome::Ignored;
    }
    judge(response.status(), response.headers())
}

fn judge_error<E: Debug + 'static>(error: &E) -> Outcome {
    if ErrorView::of(error).is_refusal() {
        Outcome::Ignored
    } else {
        Outcome::Failure
    }
}

/// The answer to a refused request: 503 with an empty body, and with `Retry-After` unless the
/// circuit is open for ever; for
/// `BreakerLayer::on_refused`.
///
/// The refusal itself travels in the extensions of the response, for logs, and so that another
/// breaker around this one [knows](judge_response) that nothing was called. Nothing of it but the
/// time is on the wire.
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, CircuitOpen, http::unavailable};
/// use std::time::Duration;
///
/// let users = CircuitBreaker::builder().name("users-api").build()?;
/// users.trip_for(Duration::from_secs(120));
/// let response: http::Response<String> = unavailable(users.try_acquire().unwrap_err());
///
/// assert_eq!(response.status(), 503);
/// assert_eq!(response.headers()["retry-after"], "120");
/// assert_eq!(response.extensions().get::<CircuitOpen>().unwrap().name(), "users-api");
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
pub fn unavailable<B: Default>(open: CircuitOpen) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    if let Some(time) = open.retry_after().filter(|time| *time < Duration::MAX) {
        let seconds = HeaderValue::from(seconds_up(time));
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response.extensions_mut().insert(open);
    response
}

/// Whole seconds: who comes back a moment too early is refused once more.
fn seconds_up(time: Duration) -> u64 {
    let begun = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(begun)
}
