//! Outcomes from statuses and headers.
#![allow(missing_docs)]

use breakerbox::http::{self as judges, grpc};
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

fn asking(time: &str) -> HeaderMap {
    headers(&[(RETRY_AFTER, time)])
}

fn at_noon(until: &str) -> Option<Duration> {
    judges::retry_after(&headers(&[(DATE, NOON), (RETRY_AFTER, until)]))
}

#[allow(clippy::unnecessary_wraps)] // to be compared with one that may be none
fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn every_status_that_there_can_be() {
    for code in 100..1000 {
        let status = StatusCode::from_u16(code).unwrap();
        let plain = judges::judge(status, &HeaderMap::new());
        let asked = judges::judge(status, &asking("7"));
        let expected = if (500..600).contains(&code) {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        assert_eq!(plain, expected, "{code}");
        match code {
            429 | 503 => assert_eq!(asked, Outcome::TripFor(Duration::from_secs(7))),
            _ => assert_eq!(asked, expected, "{code}"),
        }
    }
}

#[test]
fn seconds_to_wait() {
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
        ("1.5", None),
        ("1e3", None),
        ("120s", None),
        ("0x10", None),
        ("soon", None),
        ("\u{661}\u{662}", None),
    ] {
        assert_eq!(judges::retry_after(&asking(text)), expected, "{text:?}");
    }
    assert_eq!(judges::retry_after(&HeaderMap::new()), None);
    // The first of several.
    let mut several = asking("1");
    several.append(RETRY_AFTER, HeaderValue::from_static("2"));
    assert_eq!(judges::retry_after(&several), seconds(1));
}

#[test]
fn a_date_to_wait_for_in_each_of_its_three_forms() {
    assert_eq!(at_noon("Sun, 06 Nov 1994 12:02:00 GMT"), seconds(120));
    assert_eq!(at_noon("Sunday, 06-Nov-94 12:02:00 GMT"), seconds(120));
    assert_eq!(at_noon("Sun Nov  6 12:02:00 1994"), seconds(120));
}

#[test]
fn a_date_that_is_over_or_none_at_all_asks_for_nothing() {
    assert_eq!(at_noon(NOON), None);
    assert_eq!(at_noon("Sun, 06 Nov 1994 11:59:59 GMT"), None);
    assert_eq!(at_noon("Sun, 06 Nov 1994 25:00:00 GMT"), None);
    assert_eq!(at_noon("tomorrow"), None);
    let unreadable = headers(&[(DATE, "yesterday"), (RETRY_AFTER, NOON)]);
    assert_eq!(judges::retry_after(&unreadable), None);
}

#[test]
fn no_decision_depends_on_the_wall_clock_unless_you_say_so() {
    let far = asking("Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(judges::retry_after(&far), None);
    let status = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(judges::judge(status, &far), Outcome::Failure);
    assert_eq!(
        judges::judge(StatusCode::TOO_MANY_REQUESTS, &far),
        Outcome::Success
    );

    let dawn = SystemTime::UNIX_EPOCH;
    let then = asking("Thu, 01 Jan 1970 00:01:00 GMT");
    assert_eq!(judges::retry_after_at(&then, dawn), seconds(60));
    assert_eq!(judges::retry_after_at(&then, SystemTime::now()), None);
    assert_eq!(judges::retry_after_at(&asking("9"), dawn), seconds(9));
    // The server's own clock is the better one.
    let both = headers(&[(DATE, NOON), (RETRY_AFTER, "Sun, 06 Nov 1994 12:00:05 GMT")]);
    assert_eq!(judges::retry_after_at(&both, dawn), seconds(5));
}

#[test]
fn a_strangers_word_is_capped_by_the_breaker() {
    let breaker = CircuitBreaker::builder()
        .max_trip_for(Duration::from_secs(60))
        .build()
        .unwrap();
    let outcome = judges::judge(
        StatusCode::TOO_MANY_REQUESTS,
        &asking("99999999999999999999"),
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
fn whole_results() {
    let answer = |status: u16| {
        let response = Response::builder().status(status).body(());
        Ok::<_, std::io::Error>(response.unwrap())
    };
    assert_eq!(judges::judge_result(&answer(204)), Outcome::Success);
    assert_eq!(judges::judge_result(&answer(500)), Outcome::Failure);
    assert_eq!(grpc::judge_result(&answer(500)), Outcome::Failure);
    let down = Err::<Response<()>, _>(std::io::Error::other("down"));
    assert_eq!(judges::judge_result(&down), Outcome::Failure);
    assert_eq!(grpc::judge_result(&down), Outcome::Failure);
    let inner = Err::<Response<()>, BreakerError<Infallible>>(refusal().into());
    assert_eq!(judges::judge_result(&inner), Outcome::Ignored);
    assert_eq!(grpc::judge_result(&inner), Outcome::Ignored);
}

#[test]
fn the_answer_of_another_breaker_says_nothing() {
    let response: Response<()> = judges::unavailable(refusal());
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "2", "rounded up");
    assert_eq!(judges::judge_response(&response), Outcome::Ignored);
    let response: Response<()> = grpc::unavailable(refusal());
    assert_eq!(grpc::judge_response(&response), Outcome::Ignored);
    // Over a wire it is an answer as any other.
    let (parts, ()) = response.into_parts();
    assert_eq!(grpc::judge(parts.status, &parts.headers), Outcome::Failure);
}

#[test]
fn a_circuit_that_is_open_for_ever_promises_no_time() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    breaker.force_open();
    let forced: Response<()> = judges::unavailable(breaker.try_acquire().unwrap_err());
    assert!(!forced.headers().contains_key(RETRY_AFTER));
    breaker.trip_for(Duration::MAX);
    let for_ever: Response<()> = judges::unavailable(breaker.try_acquire().unwrap_err());
    assert!(!for_ever.headers().contains_key(RETRY_AFTER));
}

#[test]
fn names_that_no_header_can_carry() {
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
fn every_grpc_code() {
    let failures = [2, 4, 13, 14, 15];
    for code in 0..=16 {
        let outcome = grpc::judge(StatusCode::OK, &grpc_headers(&code.to_string(), &[]));
        let expected = match code {
            1 => Outcome::Ignored,
            code if failures.contains(&code) => Outcome::Failure,
            _ => Outcome::Success,
        };
        assert_eq!(outcome, expected, "{code}");
        assert_eq!(grpc::judge_code(code), expected, "{code}");
    }
    assert_eq!(
        grpc::judge(StatusCode::OK, &HeaderMap::new()),
        Outcome::Success
    );
    let garbled = grpc::judge(StatusCode::OK, &grpc_headers("fourteen", &[]));
    assert_eq!(garbled, Outcome::Failure);
    // The codes are those of tonic.
    for code in [
        tonic::Code::Unavailable,
        tonic::Code::DataLoss,
        tonic::Code::Internal,
    ] {
        assert_eq!(grpc::judge_code(code as i32), Outcome::Failure);
    }
}

#[test]
fn grpc_services_ask_to_be_left_alone_too() {
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
        grpc::judge(StatusCode::SERVICE_UNAVAILABLE, &asking("2")),
        two_seconds
    );
}

proptest! {
    /// Whatever a stranger sends, nothing panics.
    #[test]
    fn strangers_may_send_anything(
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
            let outcomes = [judges::judge(status, &headers), grpc::judge(status, &headers)];
            prop_assert!(!outcomes.contains(&Outcome::TripFor(Duration::ZERO)));
            let now = SystemTime::now();
            prop_assert_ne!(judges::retry_after_at(&headers, now), Some(Duration::ZERO));
        }
    }
}
