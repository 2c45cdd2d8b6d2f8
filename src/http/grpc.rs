//! The same for gRPC, whose failures are inside HTTP 200.
//!
//! A code is a failure when it speaks of the service and not of the request, as OpenTelemetry's
//! conventions for servers and the health checks of proxies have it:
//!
//! | code | outcome |
//! |---|---|
//! | 2 `UNKNOWN`, 4 `DEADLINE_EXCEEDED`, 13 `INTERNAL`, 14 `UNAVAILABLE`, 15 `DATA_LOSS` | [`Outcome::Failure`] |
//! | 14 `UNAVAILABLE` and 8 `RESOURCE_EXHAUSTED`, with a time to stay away | [`Outcome::TripFor`] |
//! | 1 `CANCELLED` | [`Outcome::Ignored`]: mostly the caller's own doing |
//! | all others, 8 `RESOURCE_EXHAUSTED` without a time | [`Outcome::Success`]: the service answered |
//!
//! `RESOURCE_EXHAUSTED` is mostly one caller's quota, as 429 is in HTTP. `UNIMPLEMENTED` is a caller
//! that is newer than the service, which must not lose the methods that it has. The time to stay
//! away is the `grpc-retry-pushback-ms` of the answer, or a
//! [`Retry-After`](super::retry_after) that a proxy put there.
//!
//! The code is read from the *head* of a response. There it is when the call failed before there was
//! a message (servers then send nothing but trailers, as one head); after a message it comes in the
//! trailers at the end of the body, which a layer around the channel does not see: such a response is
//! a success. Guard the client's methods to see every status:
//!
//! ```
//! use breakerbox::{http::grpc, prelude::*};
//! use tonic::{Code, Response, Status};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let registry = BreakerRegistry::new();
//! # let check = async { Err::<Response<()>, _>(Status::internal("")) };
//! let result = check
//!     .with_breaker(&registry, "users-api")
//!     .classify(|result| grpc::judge_code(result.as_ref().map_or_else(|status| status.code(), |_| Code::Ok) as i32))
//!     .await;
//! # assert!(result.is_err());
//! # assert_eq!(registry.breaker("users-api").failure_count(), 1);
//! # }
//! ```

use super::{judge_error, judged_unless_refused, retry_after};
use crate::classify::Outcome;
use crate::error::CircuitOpen;
use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::fmt::{Debug, Write};
use std::time::Duration;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const DEADLINE_EXCEEDED: i32 = 4;
const RESOURCE_EXHAUSTED: i32 = 8;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const DATA_LOSS: i32 = 15;

/// What a gRPC response of this HTTP status and these headers means to the breaker. An HTTP status
/// other than 200 comes from something between here and the service, and is
/// [judged as such](super::judge).
///
/// # Examples
///
/// ```
/// use breakerbox::{Outcome, http::grpc};
/// use http::{HeaderMap, StatusCode};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(grpc::judge(StatusCode::OK, &headers), Outcome::Success);
/// headers.insert("grpc-status", "14".parse().unwrap());
/// assert_eq!(grpc::judge(StatusCode::OK, &headers), Outcome::Failure);
/// ```
pub fn judge(status: StatusCode, headers: &HeaderMap) -> Outcome {
    if status != StatusCode::OK {
        return super::judge(status, headers);
    }
    let Some(code) = headers.get(STATUS) else {
        return Outcome::Success;
    };
    // A code that nobody can read is an unknown one, as gRPC has it.
    let code = code.to_str().ok().and_then(|code| code.parse().ok());
    let code = code.unwrap_or(UNKNOWN);
    match stay_away(headers) {
        Some(time) if matches!(code, UNAVAILABLE | RESOURCE_EXHAUSTED) => Outcome::TripFor(time),
        _ => judge_code(code),
    }
}

/// What a gRPC code means to the breaker; `status.code() as i32` is one.
pub fn judge_code(code: i32) -> Outcome {
    match code {
        UNKNOWN | DEADLINE_EXCEEDED | INTERNAL | UNAVAILABLE | DATA_LOSS => Outcome::Failure,
        CANCELLED => Outcome::Ignored,
        _ => Outcome::Success,
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
pub fn judge_result<B, E: Debug + 'static>(result: &Result<Response<B>, E>) -> Outcome {
    match result {
        Ok(response) => judge_response(response),
        Err(error) => judge_error(error),
    }
}

fn stay_away(headers: &HeaderMap) -> Option<Duration> {
    pushback(headers).or_else(|| retry_after(headers))
}

/// A negative number says "do not retry", which is no time.
fn pushback(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(PUSHBACK)?.to_str().ok()?;
    let millis = text.parse().ok().filter(|millis| *millis > 0)?;
    Some(Duration::from_millis(millis))
}

/// The answer to a refused call: `UNAVAILABLE`, with the refusal's text as its message; for
/// `BreakerLayer::on_refused` on a tonic channel or server.
///
/// The refusal itself travels in the extensions of the response, so that another breaker around this
/// one [knows](judge_response) that nothing was called.
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, http::grpc};
/// use tonic::{Code, Status};
///
/// let users = CircuitBreaker::builder().name("users-api").build()?;
/// users.force_open();
/// let response: http::Response<String> = grpc::unavailable(users.try_acquire().unwrap_err());
///
/// let status = Status::from_header_map(response.headers()).unwrap();
/// assert_eq!(status.code(), Code::Unavailable);
/// assert_eq!(status.message(), "circuit \"users-api\" is forced open");
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
pub fn unavailable<B: Default>(open: CircuitOpen) -> Response<B> {
    let mut response = Response::new(B::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from(UNAVAILABLE));
    if let Ok(message) = HeaderValue::try_from(percent_encoded(&open.to_string())) {
        headers.insert(MESSAGE, message);
    }
    response.extensions_mut().insert(open);
    response
}

/// As gRPC wants its messages: printable ASCII, but for the percent sign itself.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => encoded.push_str("%25"),
            b' '..=b'~' => encoded.push(char::from(byte)),
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}
