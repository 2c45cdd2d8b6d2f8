//! Answers: a status, a body, and the headers that every answer has.

use crate::body::Body;
use crate::guard::Refusal;
use crate::page::{DATA_POLICY, PAGE};
use crate::settings::Settings;
use crate::stream::Frames;
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const INSTANCE: HeaderName = HeaderName::from_static("x-breakerbox-instance");
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// The seconds after which a client that found no free stream may try again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

#[derive(Serialize)]
struct Failure<'a> {
    #[serde(rename = "error")]
    message: &'a str,
    instance: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
}

/// Returns an answer with the headers that all answers have.
fn answer(
    settings: &Settings,
    status: StatusCode,
    kind: &'static str,
    body: Body,
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (RESOURCE_POLICY, "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
        (CONTENT_SECURITY_POLICY, DATA_POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(INSTANCE, settings.instance_header.clone());
    response
}

/// Returns the page, or nothing if the browser has it.
pub(crate) fn page(settings: &Settings, headers: &HeaderMap) -> Response<Body> {
    let tags = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = tags.flat_map(|tags| tags.as_bytes().split(|byte| *byte == b','));
    let tag = settings.entity_tag.as_bytes();
    // A proxy that compresses makes the tag weak.
    let strong = |other: &'_ [u8]| other.strip_prefix(b"W/").unwrap_or(other) == tag;
    let is_known = tags.any(|other| strong(other.trim_ascii()));
    let (status, body) = if is_known {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        let page = Bytes::from_static(PAGE.as_bytes());
        (StatusCode::OK, Body::full(page))
    };
    let mut response = answer(settings, status, "text/html; charset=utf-8", body);
    let headers = response.headers_mut();
    // The browser asks again each time: who may see the page can change.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, settings.policy.clone());
    headers.insert(ETAG, settings.entity_tag.clone());
    if settings.is_framed {
        headers.remove(X_FRAME_OPTIONS);
    }
    response
}

/// Returns JSON.
pub(crate) fn json(settings: &Settings, status: StatusCode, json: String) -> Response<Body> {
    answer(settings, status, "application/json", Body::full(json))
}

/// Returns a value as JSON.
pub(crate) fn value(
    settings: &Settings,
    status: StatusCode,
    value: &impl Serialize,
) -> Response<Body> {
    json(
        settings,
        status,
        serde_json::to_string(value).unwrap_or_default(),
    )
}

/// Returns an error with a sentence that says what to do.
pub(crate) fn error(settings: &Settings, (status, message): &Refusal) -> Response<Body> {
    error_with_state(settings, *status, message, None)
}

/// Returns an error, with the state that a command found.
pub(crate) fn error_with_state(
    settings: &Settings,
    status: StatusCode,
    message: &str,
    state: Option<&str>,
) -> Response<Body> {
    let error = Failure {
        message,
        instance: &settings.instance,
        state,
    };
    let mut response = value(settings, status, &error);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    }
    response
}

/// Returns the error for a method that the path does not have.
pub(crate) fn wrong_method(settings: &Settings, allowed: &'static str) -> Response<Body> {
    let message = format!("this path has the methods {allowed}");
    let mut response = error(settings, &(StatusCode::METHOD_NOT_ALLOWED, message));
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Returns a stream of server-sent events.
pub(crate) fn stream(settings: &Settings, frames: Frames) -> Response<Body> {
    let body = Body::stream(frames);
    let mut response = answer(settings, StatusCode::OK, "text/event-stream", body);
    // nginx would collect events otherwise.
    response
        .headers_mut()
        .insert(BUFFERING, HeaderValue::from_static("no"));
    response
}
