//! Classification of HTTP responses, and answers for refused requests. Available with the `http`
//! feature.
//!
//! HTTP clients return `Ok` for every status. Without classification, a breaker therefore sees only
//! successes. The functions of this module classify responses as follows:
//!
//! | response | outcome |
//! |---|---|
//! | 429, 500, 502, 503, 504 or 529 with [`Retry-After`](retry_after) | [`Outcome::TripFor`] this time |
//! | any other 5xx | [`Outcome::Failure`] |
//! | any other status | [`Outcome::Success`]: the service answered |
//! | a [refusal by an inner breaker](unavailable) | [`Outcome::Ignored`]: the service was not called |
//!
//! `Retry-After` may also be a `retry-after-ms`. It has no effect on other statuses: a redirect or a
//! 413 concerns one request, and statuses such as 501 do not pass with time.
//!
//! [`judge`] takes a status and headers of any HTTP library. [`judge_response`] and
//! [`judge_result`] can be passed to `classify` and similar methods. The module [`grpc`] contains
//! the counterparts for gRPC.
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
//! // The service asked for no calls during the next two minutes.
//! assert_eq!(response.status(), 503);
//! assert!(registry.breaker("users-api").open_remaining() > Some(std::time::Duration::from_secs(110)));
//! # Ok(())
//! # }
//! ```
//!
//! There is no setting for other statuses, because a short function expresses them more clearly:
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
mod protobuf;
mod retry_after;
mod retry_info;

pub use retry_after::{retry_after, retry_after_at};

use crate::classify::{ErrorView, Outcome};
use crate::error::CircuitOpen;
use ::http::header::RETRY_AFTER;
use ::http::{HeaderMap, HeaderValue, Response, StatusCode};
use std::fmt::Debug;
use std::time::Duration;

/// Classifies an HTTP response by its status and headers.
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
    let delay = match status.as_u16() {
        // 529 is "overloaded" at several providers of language models.
        429 | 500 | 502 | 503 | 504 | 529 => retry_after(headers),
        _ => None,
    };
    match delay {
        Some(time) => Outcome::TripFor(time),
        None if status.is_server_error() => Outcome::Failure,
        None => Outcome::Success,
    }
}

/// Classifies an HTTP response with [`judge`]. Suitable for `BreakerLayer::classify_response`.
///
/// A response that is the [refusal of another breaker](unavailable) in this process is ignored.
pub fn judge_response<B>(response: &Response<B>) -> Outcome {
    judged_unless_refused(response, judge)
}

/// Classifies the result of an HTTP call with [`judge`]. Suitable for `classify`.
///
/// An error is a failure, unless it is a refusal by an inner breaker. To classify errors with the
/// rules of the breaker instead, use `BreakerLayer::classify_response` with [`judge_response`].
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

/// Returns the response to a refused request: status 503 with an empty body.
///
/// Suitable for `BreakerLayer::on_refused`. The header `Retry-After` is set unless the circuit
/// stays open until a command.
///
/// The extensions of the response contain the refusal, for logging. An outer breaker can also use
/// it to [detect](judge_response) that the service was not called. Only the time is sent to the
/// client.
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

/// Returns whole seconds, rounded up. A client that retries too early would be refused again.
fn seconds_up(time: Duration) -> u64 {
    let begun = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(begun)
}
