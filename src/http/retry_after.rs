//! Parses the header `Retry-After`.

use ::http::HeaderMap;
use ::http::header::{DATE, HeaderName, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// Returns how long a response asks clients to wait, according to its `Retry-After` header.
///
/// The header contains seconds or a date. Returns `None` if the header is missing or malformed, or
/// if the time is zero or in the past.
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
    let text = text(headers, &RETRY_AFTER)?;
    let time = match seconds(text) {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => until(text, date(headers).or(now)),
    };
    time.filter(|time| !time.is_zero())
}

/// Returns the time from `now` until the date in `text`, or `None` if the date has passed.
fn until(text: &str, now: Option<SystemTime>) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(now?).ok()
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, &DATE)?).ok()
}

/// Parses a number of seconds that consists only of digits. Larger numbers saturate at `u64::MAX`.
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
