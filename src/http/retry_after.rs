//! Parses the headers `Retry-After` and `retry-after-ms`.

use ::http::HeaderMap;
use ::http::header::{DATE, HeaderName, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// Headers with milliseconds, which are more precise than `Retry-After`. Model providers send the
/// first, and services of Azure both.
const MILLIS: [HeaderName; 2] = [
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-ms-retry-after-ms"),
];

/// Returns how long a response asks clients to wait, according to its headers.
///
/// The first of these headers that contains a positive time decides:
///
/// 1. `retry-after-ms`, then `x-ms-retry-after-ms`: milliseconds
/// 2. `Retry-After`: seconds or a date
///
/// Numbers may have a fraction, such as `1.5`. Returns `None` if no header is present, or if each of
/// them is malformed, zero, or in the past.
///
/// A date is compared with the `Date` header of the same response, so the clocks of the two
/// machines need not agree. Without a `Date` header, a date is ignored, because no decision of a
/// breaker depends on the wall clock. If your clock is reliable, use [`retry_after_at`].
///
/// The time comes from outside your program. If you pass it to
/// [`Outcome::TripFor`](crate::Outcome::TripFor),
/// [`max_trip_for`](crate::BreakerBuilder::max_trip_for) limits it.
///
/// # Examples
///
/// ```
/// use breakerbox::http::retry_after;
/// use http::Response;
/// use std::time::Duration;
///
/// let response = Response::builder()
///     .header("date", "Fri, 31 Dec 1999 23:59:00 GMT")
///     .header("retry-after", "Fri, 31 Dec 1999 23:59:30 GMT")
///     .body(())?;
/// assert_eq!(retry_after(response.headers()), Some(Duration::from_secs(30)));
/// # Ok::<(), http::Error>(())
/// ```
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    read(headers, None)
}

/// Returns the same as [`retry_after`], but uses `now` if the response has no `Date` header.
pub fn retry_after_at(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    read(headers, Some(now))
}

fn read(headers: &HeaderMap, now: Option<SystemTime>) -> Option<Duration> {
    let positive = |time: &Duration| !time.is_zero();
    let millis = |name| millis(text(headers, name)?).filter(positive);
    MILLIS.iter().find_map(millis).or_else(|| {
        let text = text(headers, &RETRY_AFTER)?;
        let time = seconds(text).or_else(|| until(text, date(headers).or(now)));
        time.filter(positive)
    })
}

/// Returns the time from `now` until the date in `text`, or `None` if the date has passed.
fn until(text: &str, now: Option<SystemTime>) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(now?).ok()
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, &DATE)?).ok()
}

fn seconds(text: &str) -> Option<Duration> {
    let (seconds, billionths) = decimal(text)?;
    Some(Duration::new(seconds, billionths))
}

fn millis(text: &str) -> Option<Duration> {
    let (millis, billionths) = decimal(text)?;
    let nanos = Duration::from_nanos(u64::from(billionths / 1000));
    Some(Duration::from_millis(millis) + nanos)
}

/// Parses a number such as `12` or `1.5`, and returns its whole part and the billionths of the rest.
///
/// Larger numbers saturate at `u64::MAX`. Further digits of the rest are cut off.
fn decimal(text: &str) -> Option<(u64, u32)> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    if !is_number(whole) || !is_number(rest) {
        return None;
    }
    let mut billionths = 0;
    for digit in rest.bytes().chain([b'0'; 8]).take(9) {
        billionths = billionths * 10 + u32::from(digit - b'0');
    }
    Some((whole.parse().unwrap_or(u64::MAX), billionths))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
