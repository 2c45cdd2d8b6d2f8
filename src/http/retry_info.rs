//! Reads `google.rpc.RetryInfo` from the details of a gRPC status.
//!
//! The header `grpc-status-details-bin` contains a `google.rpc.Status` in base64. Each of its details
//! is a `google.protobuf.Any`. One of these may be a `RetryInfo`, whose `retry_delay` is a
//! `google.protobuf.Duration`.

use super::protobuf::{Fields, Malformed, Value};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::time::Duration;

const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const RETRY_INFO: &[u8] = b"/google.rpc.RetryInfo";

/// Limits for what a server can make its clients decode. gRPC libraries send at most 8 KiB of headers
/// unless they are configured otherwise.
const MAX_LENGTH: usize = 8 * 1024;
const MAX_VALUES: usize = 4;

/// gRPC requires receivers to accept values with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns the first positive delay in the details of a status.
///
/// A header that is longer than 8 KiB or not valid has no delay. Several headers, or values that an
/// intermediary joined with commas, are read in their order.
pub(super) fn retry_delay(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(DETAILS).iter().take(MAX_VALUES);
    values
        .map(HeaderValue::as_bytes)
        .filter(|value| value.len() <= MAX_LENGTH)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .find_map(|value| {
            let status = BASE64.decode(value.trim_ascii()).ok()?;
            delay_in_status(&status).ok()?
        })
}

/// Returns the delay in a `google.rpc.Status`.
fn delay_in_status(status: &[u8]) -> Result<Option<Duration>, Malformed> {
    let mut delay = None;
    for field in Fields::of(status) {
        if let (3, value) = field? {
            let detail = bytes(value)?;
            delay = delay.or(delay_in_detail(detail)?);
        }
    }
    Ok(delay)
}

/// Returns the delay in a `google.protobuf.Any` that is a `RetryInfo`.
fn delay_in_detail(detail: &[u8]) -> Result<Option<Duration>, Malformed> {
    let (mut type_url, mut message): (&[u8], &[u8]) = (b"", b"");
    for field in Fields::of(detail) {
        match field? {
            (1, value) => type_url = bytes(value)?,
            (2, value) => message = bytes(value)?,
            _ => {}
        }
    }
    if !type_url.ends_with(RETRY_INFO) {
        return Ok(None);
    }
    // A detail is opaque to the status that contains it, so this detail alone is malformed.
    Ok(delay_in_retry_info(message).unwrap_or(None))
}

/// Returns the delay in a `google.rpc.RetryInfo`.
fn delay_in_retry_info(info: &[u8]) -> Result<Option<Duration>, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields::of(info) {
        // If the message occurs several times, its fields are merged.
        if let (1, duration) = field? {
            for field in Fields::of(bytes(duration)?) {
                match field? {
                    (1, value) => seconds = varint(value)?,
                    // An `int32` consists of the lower bits.
                    (2, value) => nanos = varint(value)? & u64::from(u32::MAX),
                    _ => {}
                }
            }
        }
    }
    Ok(positive(seconds, nanos))
}

/// Returns the duration, unless it is zero, negative or invalid. Negative numbers have the highest
/// bit of their type set.
fn positive(seconds: u64, nanos: u64) -> Option<Duration> {
    if i64::try_from(seconds).is_err() {
        return None;
    }
    let nanos = u32::try_from(nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos)).filter(|time| !time.is_zero())
}

fn bytes(value: Value<'_>) -> Result<&[u8], Malformed> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        Value::Varint(_) | Value::Fixed => Err(Malformed),
    }
}

fn varint(value: Value<'_>) -> Result<u64, Malformed> {
    match value {
        Value::Varint(number) => Ok(number),
        Value::Bytes(_) | Value::Fixed => Err(Malformed),
    }
}
