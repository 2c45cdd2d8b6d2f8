//! Outcomes that are derived from HTTP and gRPC statuses and headers.
#![allow(missing_docs)]

use breakerbox::http::{self as breaker_http, grpc};
use breakerbox::{BreakerError, CircuitBreaker, CircuitOpen, Outcome, State};
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use proptest::prelude::*;
use std::convert::Infallible;
use std::time::{Duration, SystemTime};

const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";

fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        (name.clone(), value)
    });
    pairs.collect()
}

fn retry_after_header(time: &str) -> HeaderMap {
    headers(&[(RETRY_AFTER, time)])
}

fn wait_at_noon(until: &str) -> Option<Duration> {
    breaker_http::retry_after(&headers(&[(DATE, NOON), (RETRY_AFTER, until)]))
}

#[allow(clippy::unnecessary_wraps)] // compared with an `Option`
fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn judge_classifies_every_status() {
    for code in 100..1000 {
        let status = StatusCode::from_u16(code).unwrap();
        let plain = breaker_http::judge(status, &HeaderMap::new());
        let requested = breaker_http::judge(status, &retry_after_header("7"));
        let expected = if (500..600).contains(&code) {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        assert_eq!(plain, expected, "{code}");
        match code {
            429 | 500 | 502 | 503 | 504 | 529 => {
                assert_eq!(
                    requested,
                    Outcome::TripFor(Duration::from_secs(7)),
                    "{code}"
                );
            }
            _ => assert_eq!(requested, expected, "{code}"),
        }
    }
}

#[test]
fn retry_after_parses_seconds() {
    for (text, expected) in [
        ("120", seconds(120)),
        (" 120 ", seconds(120)),
        ("007", seconds(7)),
        ("18446744073709551615", seconds(u64::MAX)),
        ("99999999999999999999999999", seconds(u64::MAX)),
        ("0", None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("120s", None),
        ("0x10", None),
        ("soon", None),
        ("\u{661}\u{662}", None),
    ] {
        assert_eq!(
            breaker_http::retry_after(&retry_after_header(text)),
            expected,
            "{text:?}"
        );
    }
    assert_eq!(breaker_http::retry_after(&HeaderMap::new()), None);
    // The first of several headers decides.
    let mut several = retry_after_header("1");
    several.append(RETRY_AFTER, HeaderValue::from_static("2"));
    assert_eq!(breaker_http::retry_after(&several), seconds(1));
}

#[test]
fn retry_after_parses_three_date_formats() {
    assert_eq!(wait_at_noon("Sun, 06 Nov 1994 12:02:00 GMT"), seconds(120));
    assert_eq!(wait_at_noon("Sunday, 06-Nov-94 12:02:00 GMT"), seconds(120));
    assert_eq!(wait_at_noon("Sun Nov  6 12:02:00 1994"), seconds(120));
}

#[test]
fn past_or_invalid_date_requests_no_trip() {
    assert_eq!(wait_at_noon(NOON), None);
    assert_eq!(wait_at_noon("Sun, 06 Nov 1994 11:59:59 GMT"), None);
    assert_eq!(wait_at_noon("Sun, 06 Nov 1994 25:00:00 GMT"), None);
    assert_eq!(wait_at_noon("tomorrow"), None);
    let unreadable = headers(&[(DATE, "yesterday"), (RETRY_AFTER, NOON)]);
    assert_eq!(breaker_http::retry_after(&unreadable), None);
}

#[test]
fn retry_after_at_alone_uses_wall_clock() {
    let date = retry_after_header("Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(breaker_http::retry_after(&date), None);
    let status = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(breaker_http::judge(status, &date), Outcome::Failure);
    assert_eq!(
        breaker_http::judge(StatusCode::TOO_MANY_REQUESTS, &date),
        Outcome::Success
    );

    let epoch = SystemTime::UNIX_EPOCH;
    let minute_later = retry_after_header("Thu, 01 Jan 1970 00:01:00 GMT");
    assert_eq!(
        breaker_http::retry_after_at(&minute_later, epoch),
        seconds(60)
    );
    assert_eq!(
        breaker_http::retry_after_at(&minute_later, SystemTime::now()),
        None
    );
    assert_eq!(
        breaker_http::retry_after_at(&retry_after_header("9"), epoch),
        seconds(9)
    );
    // The `Date` header, which is the clock of the server, has precedence over the argument.
    let both = headers(&[(DATE, NOON), (RETRY_AFTER, "Sun, 06 Nov 1994 12:00:05 GMT")]);
    assert_eq!(breaker_http::retry_after_at(&both, epoch), seconds(5));
}

#[test]
fn max_trip_for_caps_retry_after() {
    let breaker = CircuitBreaker::builder()
        .max_trip_for(Duration::from_secs(60))
        .build()
        .unwrap();
    let outcome = breaker_http::judge(
        StatusCode::TOO_MANY_REQUESTS,
        &retry_after_header("99999999999999999999"),
    );
    breaker.try_acquire().unwrap().record(outcome);
    assert_eq!(breaker.state(), State::Open);
    assert!(breaker.open_remaining() <= Some(Duration::from_secs(60)));
}

fn refusal() -> CircuitOpen {
    let breaker = CircuitBreaker::builder().name("x").build().unwrap();
    breaker.trip_for(Duration::from_millis(1_500));
    breaker.try_acquire().unwrap_err()
}

#[test]
fn judge_result_classifies_responses_and_errors() {
    let answer = |status: u16| {
        let response = Response::builder().status(status).body(());
        Ok::<_, std::io::Error>(response.unwrap())
    };
    assert_eq!(breaker_http::judge_result(&answer(204)), Outcome::Success);
    assert_eq!(breaker_http::judge_result(&answer(500)), Outcome::Failure);
    assert_eq!(grpc::judge_result(&answer(500)), Outcome::Failure);
    let down = Err::<Response<()>, _>(std::io::Error::other("down"));
    assert_eq!(breaker_http::judge_result(&down), Outcome::Failure);
    assert_eq!(grpc::judge_result(&down), Outcome::Failure);
    let inner = Err::<Response<()>, BreakerError<Infallible>>(refusal().into());
    assert_eq!(breaker_http::judge_result(&inner), Outcome::Ignored);
    assert_eq!(grpc::judge_result(&inner), Outcome::Ignored);
}

#[test]
fn unavailable_response_of_breaker_is_ignored() {
    let response: Response<()> = breaker_http::unavailable(refusal());
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "2", "rounded up");
    assert_eq!(breaker_http::judge_response(&response), Outcome::Ignored);
    let response: Response<()> = grpc::unavailable(refusal());
    assert_eq!(grpc::judge_response(&response), Outcome::Ignored);
    // Extensions are not sent over the network, so a received response is an ordinary failure.
    let (parts, ()) = response.into_parts();
    assert_eq!(grpc::judge(parts.status, &parts.headers), Outcome::Failure);
}

#[test]
fn circuit_without_deadline_sends_no_retry_after() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    breaker.force_open();
    let forced: Response<()> = breaker_http::unavailable(breaker.try_acquire().unwrap_err());
    assert!(!forced.headers().contains_key(RETRY_AFTER));
    breaker.trip_for(Duration::MAX);
    let endless: Response<()> = breaker_http::unavailable(breaker.try_acquire().unwrap_err());
    assert!(!endless.headers().contains_key(RETRY_AFTER));
}

#[test]
fn grpc_message_encodes_name_invalid_in_headers() {
    let name = "käse\n100% \u{7f}\"\\";
    let breaker = CircuitBreaker::builder().name(name).build().unwrap();
    breaker.force_open();
    let open = breaker.try_acquire().unwrap_err();
    let text = open.to_string();
    let response: Response<()> = grpc::unavailable(open);
    let status = tonic::Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert_eq!(status.message(), text);
}

fn grpc_headers(code: &str, more: &[(&'static str, &str)]) -> HeaderMap {
    let mut pairs = vec![(HeaderName::from_static("grpc-status"), code)];
    let more = more.iter();
    pairs.extend(more.map(|(name, value)| (HeaderName::from_static(name), *value)));
    headers(&pairs)
}

#[test]
fn grpc_judge_classifies_every_code() {
    let failures = [2, 4, 13, 14, 15];
    for code in (-1..=20).chain([99, i32::MIN, i32::MAX]) {
        let outcome = grpc::judge(StatusCode::OK, &grpc_headers(&code.to_string(), &[]));
        let expected = match code {
            1 => Outcome::Ignored,
            0..=16 if !failures.contains(&code) => Outcome::Success,
            _ => Outcome::Failure,
        };
        assert_eq!(outcome, expected, "{code}");
        assert_eq!(grpc::judge_code(code), expected, "{code}");
    }
    assert_eq!(
        grpc::judge(StatusCode::OK, &HeaderMap::new()),
        Outcome::Success
    );
    for garbled in ["fourteen", "", "0x0", "0.0", "99999999999", "\u{663}"] {
        let outcome = grpc::judge(StatusCode::OK, &grpc_headers(garbled, &[]));
        assert_eq!(outcome, Outcome::Failure, "{garbled:?}");
    }
    // The codes agree with those of tonic, which maps other numbers to `UNKNOWN`.
    for code in -1..=20 {
        let known = tonic::Code::from_i32(code) as i32;
        assert_eq!(grpc::judge_code(code), grpc::judge_code(known), "{code}");
    }
}

#[test]
fn grpc_pushback_requests_trip() {
    let pushed = |code, millis| {
        let pushback = [("grpc-retry-pushback-ms", millis)];
        grpc::judge(StatusCode::OK, &grpc_headers(code, &pushback))
    };
    let trip = Outcome::TripFor(Duration::from_millis(1_500));
    assert_eq!(pushed("14", "1500"), trip);
    assert_eq!(pushed("8", "1500"), trip);
    assert_eq!(pushed("13", "1500"), Outcome::Failure);
    assert_eq!(pushed("0", "1500"), Outcome::Success);
    assert_eq!(pushed("14", "-1"), Outcome::Failure);
    assert_eq!(pushed("8", "0"), Outcome::Success);
    let proxy = grpc_headers("14", &[("retry-after", "2")]);
    let two_seconds = Outcome::TripFor(Duration::from_secs(2));
    assert_eq!(grpc::judge(StatusCode::OK, &proxy), two_seconds);
    assert_eq!(
        grpc::judge(StatusCode::SERVICE_UNAVAILABLE, &retry_after_header("2")),
        two_seconds
    );
}

proptest! {
    /// No header makes the classifiers panic, or request a trip of zero length.
    #[test]
    fn arbitrary_headers_never_panic(
        status in 100_u16..1000,
        retry in proptest::collection::vec(any::<u8>(), 0..40),
        date in "[A-Za-z]{3}, [0-9]{1,3} [A-Za-z]{3} [0-9]{1,5} [0-9:]{0,9} GMT",
        code in "-?[0-9]{0,30}",
    ) {
        let mut headers = headers(&[
            (DATE, &date),
            (HeaderName::from_static("grpc-status"), &code),
            (HeaderName::from_static("grpc-retry-pushback-ms"), &code),
        ]);
        for retry in [HeaderValue::from_bytes(&retry), HeaderValue::from_str(&date)] {
            if let Ok(retry) = retry {
                headers.insert(RETRY_AFTER, retry);
            }
            let status = StatusCode::from_u16(status).unwrap();
            let outcomes = [breaker_http::judge(status, &headers), grpc::judge(status, &headers)];
            prop_assert!(!outcomes.contains(&Outcome::TripFor(Duration::ZERO)));
            let now = SystemTime::now();
            prop_assert_ne!(breaker_http::retry_after_at(&headers, now), Some(Duration::ZERO));
        }
    }
}
