//! How long a response asks to be left alone.

use ::http::HeaderMap;
use ::http::header::{DATE, HeaderName, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// How long a response asks to be left alone: its `Retry-After`, in seconds or as a date; `None`
/// when it does not ask, asks for no time at all, or says what nobody can read.
///
/// A date is counted from the response's own `Date`, so that it matters to nobody whether the clocks
/// of the two machines agree; without one it is as good as absent, since no decision of a breaker
/// depends on the wall clock. [`retry_after_at`] is for those who trust theirs.
///
/// The time is a stranger's word: take it for an [`Outcome::TripFor`](crate::Outcome::TripFor), and
/// [`max_trip_for`](crate::BreakerBuilder::max_trip_for) caps it.
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

/// As [`retry_after`], where `now` stands in for a `Date` that is missing.
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

/// From `now` to the date that `text` says; `None` when it is over.
fn until(text: &str, now: Option<SystemTime>) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(now?).ok()
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, &DATE)?).ok()
}

/// Digits only; more than fit are as many as fit.
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
