//! Classification of gRPC statuses, and answers for refused calls.
//!
//! Failed gRPC calls have HTTP status 200 and a status code in a header. A code is a failure if it
//! describes the health of the service rather than the request. OpenTelemetry's conventions for
//! servers and the health checks of proxies draw the same line.
//!
//! | code | outcome |
//! |---|---|
//! | 2 `UNKNOWN`, 4 `DEADLINE_EXCEEDED`, 13 `INTERNAL`, 14 `UNAVAILABLE`, 15 `DATA_LOSS` | [`Outcome::Failure`] |
//! | a code that is not 0 to 16, or not a number | [`Outcome::Failure`], like `UNKNOWN` |
//! | 14 `UNAVAILABLE` or 8 `RESOURCE_EXHAUSTED` with a [retry delay](#the-retry-delay) | [`Outcome::TripFor`] |
//! | 1 `CANCELLED` | [`Outcome::Ignored`]: usually caused by the caller |
//! | all others, and 8 `RESOURCE_EXHAUSTED` without a delay | [`Outcome::Success`]: the service answered |
//!
//! `RESOURCE_EXHAUSTED` is usually the quota of one caller, like status 429 in HTTP.
//! `UNIMPLEMENTED` means that the caller is newer than the service, and must not block the methods
//! that the service supports.
//!
//! # The retry delay
//!
//! The first of these headers with a positive delay decides:
//!
//! 1. `grpc-retry-pushback-ms`
//! 2. `grpc-status-details-bin`, if the details of the status contain a `google.rpc.RetryInfo`
//! 3. `retry-after-ms` or [`Retry-After`](super::retry_after), which a proxy may add
//!
//! Delays that are zero, negative or malformed have no effect. Details that are longer than 8 KiB are
//! not read.
//!
//! # Heads and trailers
//!
//! The code is read from the *head* of a response. Servers send it there if a call fails before the
//! first message, because the response then consists only of trailers in a single head. If a call
//! fails after a message, the code is in the trailers at the end of the body. A layer around the
//! channel classifies such a response as a success, unless it waits for the trailers with
//! `BreakerLayer::until_body_end` (feature `tower`). Without a layer, guard the methods of the client:
//!
//! ```
//! use breakerbox::{http::grpc, prelude::*};
//! # #[derive(Debug)]
//! # struct Status(i32);
//! # impl Status {
//! #     fn code(&self) -> i32 {
//! #         self.0
//! #     }
//! # }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let registry = BreakerRegistry::new();
//! # let check = async { Err::<(), _>(Status(13)) };
//! let result = check
//!     .with_breaker(&registry, "users-api")
//!     .classify(|result| match result {
//!         Ok(_) => Outcome::Success,
//!         Err(status) => grpc::judge_code(status.code() as i32),
//!     })
//!     .await;
//! # assert!(result.is_err());
//! # assert_eq!(registry.breaker("users-api").failure_count(), 1);
//! # }
//! ```

use super::retry_info::retry_delay;
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

const OK: i32 = 0;
const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const DEADLINE_EXCEEDED: i32 = 4;
const RESOURCE_EXHAUSTED: i32 = 8;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const DATA_LOSS: i32 = 15;
const UNAUTHENTICATED: i32 = 16;

/// Classifies a gRPC response by its HTTP status and headers.
///
/// An HTTP status other than 200 comes from an intermediary such as a proxy, and is classified by
/// [`http::judge`](super::judge).
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
    // The gRPC specification maps malformed codes to `UNKNOWN`.
    let code = code.to_str().ok().and_then(|code| code.parse().ok());
    let code = code.unwrap_or(UNKNOWN);
    let delay = match code {
        UNAVAILABLE | RESOURCE_EXHAUSTED => stay_away(headers),
        _ => None,
    };
    delay.map_or_else(|| judge_code(code), Outcome::TripFor)
}

/// Classifies a gRPC status code, such as `status.code() as i32` in tonic.
///
/// A number that is not a code of gRPC is a failure, like `UNKNOWN`.
pub fn judge_code(code: i32) -> Outcome {
    match code {
        UNKNOWN | DEADLINE_EXCEEDED | INTERNAL | UNAVAILABLE | DATA_LOSS => Outcome::Failure,
        CANCELLED => Outcome::Ignored,
        OK..=UNAUTHENTICATED => Outcome::Success,
        _ => Outcome::Failure,
    }
}

/// Classifies a gRPC response with [`judge`]. Suitable for `BreakerLayer::classify_response`.
///
/// A response that is the [refusal of another breaker](unavailable) in this process is ignored.
pub fn judge_response<B>(response: &Response<B>) -> Outcome {
    judged_unless_refused(response, judge)
}

/// Classifies the result of a gRPC call with [`judge`]. Suitable for `classify`.
///
/// An error is a failure, unless it is a refusal by an inner breaker.
pub fn judge_result<B, E: Debug + 'static>(result: &Result<Response<B>, E>) -> Outcome {
    match result {
        Ok(response) => judge_response(response),
        Err(error) => judge_error(error),
    }
}

/// Classifies the trailers of a response. Returns `None` if they contain no status.
#[cfg(feature = "tower")]
pub(crate) fn judge_trailers(trailers: &HeaderMap) -> Option<Outcome> {
    let has_status = trailers.contains_key(STATUS);
    has_status.then(|| judge(StatusCode::OK, trailers))
}

/// Returns `true` if the response is one of gRPC whose status follows in trailers.
///
/// The status of gRPC-Web, `application/grpc-web`, follows in the data.
#[cfg(feature = "tower")]
pub(crate) fn awaits_status<B>(response: &Response<B>) -> bool {
    let headers = response.headers();
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let suffix = content_type.and_then(|text| text.strip_prefix(b"application/grpc"));
    response.status() == StatusCode::OK
        && matches!(suffix, Some([] | [b'+' | b';' | b' ', ..]))
        && !headers.contains_key(STATUS)
}

fn stay_away(headers: &HeaderMap) -> Option<Duration> {
    pushback(headers)
        .or_else(|| retry_delay(headers))
        .or_else(|| retry_after(headers))
}

/// Returns the delay in `grpc-retry-pushback-ms`. A negative number means "do not retry", and is not
/// a delay.
fn pushback(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(PUSHBACK)?.to_str().ok()?;
    let millis = text.parse().ok().filter(|millis| *millis > 0)?;
    Some(Duration::from_millis(millis))
}

/// Returns the response to a refused call: code `UNAVAILABLE`, with the text of the refusal as its
/// message.
///
/// Suitable for `BreakerLayer::on_refused` around a tonic channel or server. The extensions of the
/// response contain the refusal. An outer breaker can therefore [detect](judge_response) that the
/// service was not called.
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, http::grpc};
///
/// let users = CircuitBreaker::builder().name("users-api").build()?;
/// users.force_open();
/// let response: http::Response<String> = grpc::unavailable(users.try_acquire().unwrap_err());
///
/// assert_eq!(response.headers()["grpc-status"], "14");
/// assert_eq!(response.headers()["grpc-message"], "circuit \"users-api\" is forced open");
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

/// Encodes a gRPC message: printable ASCII characters except `%` are unchanged.
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
