//! The headers in which a server says when to come back: valid, invalid and hostile forms.
#![allow(missing_docs)]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use breakerbox::Outcome::{self, Failure, Success};
use breakerbox::http::{self as breaker_http, grpc};
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use proptest::prelude::*;
use prost::Message;
use std::time::Duration;
use tonic_types::{ErrorDetails, StatusExt};

const DETAILS: &str = "grpc-status-details-bin";
const PUSHBACK: &str = "grpc-retry-pushback-ms";
const TYPE_URL: &str = "type.googleapis.com/google.rpc.RetryInfo";

type Headers<'a> = &'a [(&'static str, &'a str)];

fn trip(millis: u64) -> Outcome {
    Outcome::TripFor(Duration::from_millis(millis))
}

fn header_map<V: AsRef<[u8]>>(pairs: &[(&'static str, V)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a valid header value");
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

#[test]
fn retry_after_headers_request_trip() {
    const FOREVER: Outcome = Outcome::TripFor(Duration::from_secs(u64::MAX));
    let long = "9".repeat(60_000);
    let (after, millis, azure) = ("retry-after", "retry-after-ms", "x-ms-retry-after-ms");
    let date = ("date", "Sun, 06 Nov 1994 12:00:00 GMT");
    let noon_and_a_minute = (after, "Sun, 06 Nov 1994 12:01:00 GMT");
    let cases: &[(u16, Headers<'_>, Outcome)] = &[
        // Every status that may ask for time, and others that may not.
        (429, &[(after, "2")], trip(2_000)),
        (500, &[(after, "2")], trip(2_000)),
        (502, &[(after, "2")], trip(2_000)),
        (503, &[(after, "2")], trip(2_000)),
        (504, &[(after, "2")], trip(2_000)),
        (529, &[(after, "2")], trip(2_000)),
        (501, &[(after, "2")], Failure),
        (505, &[(after, "2")], Failure),
        (200, &[(after, "2"), (millis, "2")], Success),
        (301, &[(after, "2"), (millis, "2")], Success),
        (408, &[(after, "2"), (millis, "2")], Success),
        (413, &[(after, "2"), (millis, "2")], Success),
        // Fractions.
        (503, &[(after, "1.5")], trip(1_500)),
        (503, &[(after, "0.25")], trip(250)),
        (503, &[(after, " 1.50 ")], trip(1_500)),
        (503, &[(after, "1.0000000009999")], trip(1_000)),
        (503, &[(after, "0.0000000009")], Failure),
        (503, &[(after, "1.")], Failure),
        (503, &[(after, ".5")], Failure),
        (503, &[(after, "1.5.5")], Failure),
        (503, &[(after, "1,5")], Failure),
        (503, &[(after, "-1.5")], Failure),
        (503, &[(after, "1.-5")], Failure),
        (503, &[(after, "1.5s")], Failure),
        (503, &[(after, "NaN")], Failure),
        (503, &[(after, "inf")], Failure),
        (503, &[(after, &long)], FOREVER),
        (429, &[(after, "0.0")], Success),
        // Milliseconds come first if they are valid.
        (429, &[(millis, "1500")], trip(1_500)),
        (503, &[(millis, "1500")], trip(1_500)),
        (529, &[(millis, "1500")], trip(1_500)),
        (429, &[(millis, "1500"), (after, "7")], trip(1_500)),
        (429, &[(after, "7"), (millis, "1500")], trip(1_500)),
        (
            429,
            &[(millis, "0.5")],
            Outcome::TripFor(Duration::from_micros(500)),
        ),
        (429, &[(millis, "0.0000005")], Success),
        (
            429,
            &[(millis, "0.000001")],
            Outcome::TripFor(Duration::from_nanos(1)),
        ),
        (429, &[(millis, "1500"), (azure, "7")], trip(1_500)),
        (429, &[(azure, "700"), (after, "7")], trip(700)),
        (429, &[(millis, "soon"), (azure, "700")], trip(700)),
        (429, &[(millis, "soon"), (after, "7")], trip(7_000)),
        (429, &[(millis, "0"), (after, "7")], trip(7_000)),
        (429, &[(millis, "-5"), (after, "7")], trip(7_000)),
        (429, &[(millis, ""), (after, "7")], trip(7_000)),
        (429, &[(millis, "1500, 7"), (after, "7")], trip(7_000)),
        (429, &[(millis, "é"), (after, "7")], trip(7_000)),
        (429, &[(millis, "1500"), (after, "soon")], trip(1_500)),
        (429, &[(millis, "1500"), (millis, "7")], trip(1_500)),
        (429, &[(millis, noon_and_a_minute.1), date], Success),
        (429, &[(millis, &long)], trip(u64::MAX)),
        (429, &[(millis, "0"), (after, "0")], Success),
        // Dates.
        (500, &[noon_and_a_minute, date], trip(60_000)),
        (500, &[noon_and_a_minute, date, (millis, "5")], trip(5)),
        (500, &[noon_and_a_minute], Failure),
    ];
    for (status, headers, outcome) in cases {
        let status = StatusCode::from_u16(*status).unwrap();
        let judged = breaker_http::judge(status, &header_map(headers));
        let headers = headers
            .iter()
            .map(|(name, value)| (name, value.get(..20).unwrap_or(value)));
        let headers: Vec<_> = headers.collect();
        assert_eq!(judged, *outcome, "{status} {headers:?}");
    }
}

#[test]
fn value_that_is_not_text_is_skipped() {
    let mut headers = header_map(&[("retry-after", "7")]);
    headers.insert("retry-after-ms", HeaderValue::from_bytes(b"\xff").unwrap());
    let busy = StatusCode::TOO_MANY_REQUESTS;
    assert_eq!(breaker_http::judge(busy, &headers), trip(7_000));
    headers.insert(RETRY_AFTER, HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(breaker_http::judge(busy, &headers), Success);
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// The part of a `google.rpc.Status` that breakerbox reads. Texts are bytes, because breakerbox does
/// not check their encoding.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(bytes = "vec", tag = "1")]
    type_url: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn retry_info(seconds: i64, nanos: i32) -> Detail {
    let info = RetryInfo {
        retry_delay: Some(Delay { seconds, nanos }),
    };
    detail(info.encode_to_vec())
}

fn detail(value: Vec<u8>) -> Detail {
    Detail {
        type_url: TYPE_URL.into(),
        value,
    }
}

fn status(details: Vec<Detail>) -> Vec<u8> {
    let status = Status {
        code: 14,
        message: "try later".into(),
        details,
    };
    status.encode_to_vec()
}

fn judge_details(details: &[u8]) -> Outcome {
    judge_encoded(&STANDARD.encode(details))
}

fn judge_encoded(details: &str) -> Outcome {
    grpc::judge(
        StatusCode::OK,
        &header_map(&[("grpc-status", "14"), (DETAILS, details)]),
    )
}

/// Asserts the outcome of a call with these details. Details that are cut off anywhere have the delay
/// that prost reads, or none.
#[track_caller]
fn assert_outcome(case: &str, details: &[u8], outcome: Outcome) {
    assert_eq!(judge_details(details), outcome, "{case}");
    let unpadded = judge_encoded(&STANDARD_NO_PAD.encode(details));
    assert_eq!(unpadded, outcome, "{case}, without padding");
    for length in 0..details.len().min(200) {
        let truncated = &details[..length];
        let judged = judge_details(truncated);
        let expected = outcome_of(expected_delay(truncated));
        assert!(
            judged == Failure || judged == expected,
            "{case}, {length} bytes"
        );
    }
}

#[test]
fn valid_retry_info_requests_trip() {
    let mut rich = ErrorDetails::new();
    rich.add_quota_failure_violation("user:7", "10 calls per second")
        .set_retry_info(Some(Duration::from_millis(1_500)))
        .set_localized_message("de", "später");
    let real = tonic::Status::with_error_details(tonic::Code::Unavailable, "later", rich);
    let other = Detail {
        type_url: b"type.googleapis.com/google.rpc.DebugInfo".to_vec(),
        value: vec![0xff; 40],
    };
    let mut without_host = retry_info(1, 500_000_000);
    without_host.type_url = b"/google.rpc.RetryInfo".to_vec();
    let unknown_fields = [
        &b"\x22\x03abc\x28\x07\x35\x01\x02\x03\x04\x39\x01\x02\x03\x04\x05\x06\x07\x08"[..],
        &status(vec![retry_info(1, 500_000_000)]),
        b"\xa2\x06\x00",
    ];
    let half = detail(b"\x0a\x02\x08\x01\x0a\x06\x10\x80\xca\xb5\xee\x01".to_vec());
    let cases = [
        ("encoded by tonic", real.details().to_vec(), trip(1_500)),
        (
            "only a RetryInfo",
            status(vec![retry_info(2, 0)]),
            trip(2_000),
        ),
        (
            "a nanosecond",
            status(vec![retry_info(0, 1)]),
            Outcome::TripFor(Duration::from_nanos(1)),
        ),
        (
            "most nanoseconds",
            status(vec![retry_info(0, 999_999_999)]),
            Outcome::TripFor(Duration::from_nanos(999_999_999)),
        ),
        (
            "after others",
            status(vec![other.clone(), other, retry_info(2, 0)]),
            trip(2_000),
        ),
        (
            "the first of two",
            status(vec![retry_info(2, 0), retry_info(9, 0)]),
            trip(2_000),
        ),
        (
            "zero, then another",
            status(vec![retry_info(0, 0), retry_info(9, 0)]),
            trip(9_000),
        ),
        (
            "invalid, then another",
            status(vec![detail(vec![0x0b]), retry_info(9, 0)]),
            trip(9_000),
        ),
        ("no host", status(vec![without_host]), trip(1_500)),
        ("unknown fields", unknown_fields.concat(), trip(1_500)),
        ("a delay in two parts", status(vec![half]), trip(1_500)),
        (
            "nanoseconds of 33 bits",
            status(vec![detail(
                b"\x0a\x08\x08\x01\x10\x80\xca\xb5\xee\x11".to_vec(),
            )]),
            trip(1_500),
        ),
        (
            "the greatest",
            status(vec![retry_info(i64::MAX, 0)]),
            Outcome::TripFor(Duration::from_secs(i64::MAX as u64)),
        ),
    ];
    for (case, details, outcome) in cases {
        assert_outcome(case, &details, outcome);
    }
}

#[test]
fn invalid_retry_info_requests_no_trip() {
    let mut of_wrong_type = retry_info(1, 0);
    of_wrong_type.type_url = b"type.googleapis.com/google.rpc.RetryInfo2".to_vec();
    let valid = status(vec![retry_info(2, 0)]);
    let cases = [
        ("empty", vec![]),
        ("no details", status(vec![])),
        ("no delay", status(vec![detail(vec![])])),
        ("an empty delay", status(vec![detail(b"\x0a\x00".to_vec())])),
        ("zero", status(vec![retry_info(0, 0)])),
        ("negative", status(vec![retry_info(-1, 0)])),
        ("most negative", status(vec![retry_info(i64::MIN, 0)])),
        ("negative nanoseconds", status(vec![retry_info(5, -1)])),
        ("mixed signs", status(vec![retry_info(-5, 1)])),
        (
            "a second of nanoseconds",
            status(vec![retry_info(5, 1_000_000_000)]),
        ),
        (
            "too many nanoseconds",
            status(vec![retry_info(5, i32::MAX)]),
        ),
        ("another type", status(vec![of_wrong_type])),
        (
            "details of wrong wire type",
            [b"\x18\x07", &valid[..]].concat(),
        ),
        (
            "type of wrong wire type",
            [b"\x1a\x02\x08\x07", &valid[..]].concat(),
        ),
        (
            "delay of wrong wire type",
            status(vec![detail(b"\x08\x07".to_vec())]),
        ),
        (
            "seconds of wrong wire type",
            status(vec![detail(b"\x0a\x05\x0d\x01\x00\x00\x00".to_vec())]),
        ),
        ("a length beyond the end", b"\x1a\x7f\x0a".to_vec()),
        (
            "a length of 64 bits",
            b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec(),
        ),
        (
            "a truncated varint",
            status(vec![detail(b"\x0a\x02\x08\x80".to_vec())]),
        ),
        (
            "an endless varint",
            status(vec![detail([&b"\x0a\x7f\x08"[..], &[0x80; 126]].concat())]),
        ),
        ("rest is truncated", [&valid[..], b"\x1a"].concat()),
        ("rest is a group", [&valid[..], b"\x3b\x3c"].concat()),
        ("an open group in an open group", vec![0x1b; 6_000]),
        ("a thousand details", status(vec![Detail::default(); 1_000])),
        ("random bytes", vec![0xa5; 6_000]),
    ];
    for (case, details) in cases {
        assert_outcome(case, &details, Failure);
    }
}

/// A status inside a status inside a status, as deep as 8 KiB allow.
#[test]
fn nested_details_are_not_followed() {
    let mut details = status(vec![retry_info(2, 0)]);
    while details.len() < 5_900 {
        details = status(vec![detail(details)]);
    }
    assert_eq!(judge_details(&details), Failure);
}

#[test]
fn invalid_base64_has_no_delay() {
    let valid = STANDARD_NO_PAD.encode(status(vec![retry_info(2, 0)]));
    assert_eq!(judge_encoded(&valid), trip(2_000));
    assert_eq!(judge_encoded(&format!(" {valid} ")), trip(2_000));
    for invalid in [
        format!("{valid}="),
        format!("{valid}===="),
        format!("{valid}!"),
        format!("={valid}"),
        format!("{}-_{valid}", &valid[..2]),
        valid.replacen('i', " ", 1),
        valid.replacen('i', "é", 1),
        valid[1..].to_owned(),
        "=".repeat(4),
        "=".repeat(8_000),
    ] {
        assert_eq!(judge_encoded(&invalid), Failure, "{invalid}");
    }
}

#[test]
fn several_headers_are_read_in_order() {
    let encoded = |seconds| STANDARD.encode(status(vec![retry_info(seconds, 0)]));
    let judge = |values: &[&str]| {
        let mut headers = header_map(&[("grpc-status", "8")]);
        for value in values {
            headers.append(DETAILS, value.parse().unwrap());
        }
        grpc::judge(StatusCode::OK, &headers)
    };
    let (two, nine, zero) = (&*encoded(2), &*encoded(9), &*encoded(0));
    assert_eq!(judge(&[two, nine]), trip(2_000));
    assert_eq!(judge(&["invalid!", two]), trip(2_000));
    assert_eq!(judge(&[zero, nine]), trip(9_000));
    assert_eq!(judge(&["", nine]), trip(9_000));
    // Intermediaries may join several headers with commas.
    assert_eq!(judge(&[&format!("{two},{nine}")]), trip(2_000));
    assert_eq!(judge(&[&format!("!, ,{nine}")]), trip(9_000));
    // At most four headers are read.
    assert_eq!(judge(&[zero, zero, zero, nine]), trip(9_000));
    assert_eq!(judge(&[zero, zero, zero, zero, nine]), Success);
    assert_eq!(judge(&vec!["!"; 10_000]), Success);
}

#[test]
fn long_details_are_not_read() {
    let padded = |length: usize| {
        let mut details = status(vec![retry_info(2, 0)]);
        let empty = Status {
            message: "x".repeat(length - details.len() - 3),
            ..Status::default()
        };
        details.extend(empty.encode_to_vec());
        assert_eq!(details.len(), length);
        STANDARD.encode(details)
    };
    let longest = padded(6 * 1024);
    assert_eq!(longest.len(), 8 * 1024);
    assert_eq!(judge_encoded(&longest), trip(2_000));
    assert_eq!(judge_encoded(&padded(6 * 1024 + 1)), Failure);
    // A value that is too long does not hide a later one.
    let long = "A".repeat(4 << 20);
    let mut headers = header_map(&[("grpc-status", "14"), (DETAILS, &long)]);
    assert_eq!(grpc::judge(StatusCode::OK, &headers), Failure);
    headers.append(DETAILS, longest.parse().unwrap());
    assert_eq!(grpc::judge(StatusCode::OK, &headers), trip(2_000));
}

#[test]
fn pushback_precedes_retry_info_and_retry_after() {
    let nine = STANDARD.encode(status(vec![retry_info(9, 0)]));
    let zero = STANDARD.encode(status(vec![retry_info(0, 0)]));
    let (info, no_info) = ((DETAILS, &*nine), (DETAILS, &*zero));
    let after = ("retry-after", "7");
    let millis = ("retry-after-ms", "250");
    let cases: &[(&str, Headers<'_>, Outcome)] = &[
        (
            "14",
            &[(PUSHBACK, "1500"), info, after, millis],
            trip(1_500),
        ),
        (
            "14",
            &[after, millis, info, (PUSHBACK, "1500")],
            trip(1_500),
        ),
        ("14", &[info, after, millis], trip(9_000)),
        ("14", &[after, millis], trip(250)),
        ("14", &[after], trip(7_000)),
        ("14", &[no_info, after], trip(7_000)),
        ("14", &[(PUSHBACK, "-1"), info], trip(9_000)),
        ("14", &[(PUSHBACK, "0"), info], trip(9_000)),
        ("14", &[(PUSHBACK, "1.5"), info], trip(9_000)),
        (
            "14",
            &[(PUSHBACK, "99999999999999999999"), info],
            trip(9_000),
        ),
        ("14", &[(PUSHBACK, "soon"), no_info], Failure),
        ("8", &[info], trip(9_000)),
        ("8", &[no_info], Success),
        // Other codes do not ask for time, and unknown codes are `UNKNOWN`.
        ("0", &[info, after], Success),
        ("1", &[info, after], Outcome::Ignored),
        ("2", &[info, after], Failure),
        ("5", &[info, after], Success),
        ("13", &[info, after], Failure),
        ("16", &[info, after], Success),
        ("17", &[info, after], Failure),
        ("99", &[info, after], Failure),
        ("-14", &[info, after], Failure),
        ("x", &[info, after], Failure),
    ];
    for (code, headers, outcome) in cases {
        let mut headers = header_map(headers);
        headers.insert("grpc-status", code.parse().unwrap());
        let judged = grpc::judge(StatusCode::OK, &headers);
        assert_eq!(judged, *outcome, "{code} {headers:?}");
    }
}

/// Returns the delay that prost reads from a status.
fn expected_delay(details: &[u8]) -> Option<Duration> {
    let status = Details::decode(details).ok()?;
    let infos = status
        .details
        .iter()
        .filter(|detail| detail.type_url.ends_with(b"/google.rpc.RetryInfo"));
    let mut infos = infos.filter_map(|detail| RetryInfo::decode(&*detail.value).ok());
    infos.find_map(|info| {
        let Delay { seconds, nanos } = info.retry_delay?;
        let nanos = u32::try_from(nanos)
            .ok()
            .filter(|nanos| *nanos < 1_000_000_000)?;
        let delay = Duration::new(u64::try_from(seconds).ok()?, nanos);
        (!delay.is_zero()).then_some(delay)
    })
}

fn outcome_of(delay: Option<Duration>) -> Outcome {
    delay.map_or(Failure, Outcome::TripFor)
}

fn details() -> impl Strategy<Value = Vec<Detail>> {
    let number = prop_oneof![Just(0), Just(1), -5..5_i64, any::<i64>()];
    let nanos = prop_oneof![
        Just(0),
        Just(999_999_999),
        Just(1_000_000_000),
        any::<i32>()
    ];
    let info = (number, nanos).prop_map(|(seconds, nanos)| retry_info(seconds, nanos));
    // prost skips groups, which are not part of proto3. The library rejects them.
    let without_group = |byte: u8| {
        if matches!(byte & 7, 3 | 4) {
            byte ^ 1
        } else {
            byte
        }
    };
    let byte = any::<u8>().prop_map(without_group);
    let bytes = proptest::collection::vec(byte, 0..20);
    let opaque = bytes.clone().prop_map(detail);
    let other = (bytes.clone(), bytes).prop_map(|(type_url, value)| Detail { type_url, value });
    proptest::collection::vec(prop_oneof![2 => info, 1 => opaque, 1 => other], 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn delay_is_that_of_prost(details in details()) {
        let encoded = status(details);
        prop_assert_eq!(judge_details(&encoded), outcome_of(expected_delay(&encoded)));
    }

    /// Damaged details never have a delay that prost does not read.
    #[test]
    fn damaged_details_have_no_other_delay(
        details in details(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut encoded = status(details);
        for (index, byte) in damage {
            let index = index.index(encoded.len());
            encoded[index] = byte;
        }
        for details in [&encoded[..], &encoded[..cut.index(encoded.len())]] {
            let judged = judge_details(details);
            let expected = outcome_of(expected_delay(details));
            prop_assert!(judged == Failure || judged == expected, "{judged:?}, {expected:?}");
        }
    }

    #[test]
    fn arbitrary_details_never_panic(details in proptest::collection::vec(any::<u8>(), 0..300)) {
        let judged = judge_details(&details);
        prop_assert_ne!(judged, Outcome::TripFor(Duration::ZERO));
        if let Ok(value) = HeaderValue::from_bytes(&details) {
            let mut headers = header_map(&[("grpc-status", "14")]);
            headers.insert(DETAILS, value.clone());
            headers.insert(PUSHBACK, value.clone());
            headers.insert("retry-after-ms", value);
            let judged = grpc::judge(StatusCode::OK, &headers);
            prop_assert_ne!(judged, Outcome::TripFor(Duration::ZERO));
        }
    }

    /// Every decimal number is read exactly, down to nanoseconds.
    #[test]
    fn fractions_are_exact(seconds in any::<u32>(), nanos in 0..1_000_000_000_u32) {
        let delay = Duration::new(seconds.into(), nanos);
        prop_assume!(!delay.is_zero());
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let text = format!("{seconds}.{nanos:09}");
        let judged = breaker_http::judge(status, &header_map(&[("retry-after", text)]));
        prop_assert_eq!(judged, Outcome::TripFor(delay));
        let text = format!("{}.{:06}", delay.as_millis(), nanos % 1_000_000);
        let judged = breaker_http::judge(status, &header_map(&[("retry-after-ms", text)]));
        prop_assert_eq!(judged, Outcome::TripFor(delay));
    }
}
