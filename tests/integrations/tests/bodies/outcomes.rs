//! The outcome of each end of a body, recorded once.

use crate::support::{BrokenOff, Fixture, Script, Step, data, is_ended, poll_frame};
use ::http::{HeaderMap, Response};
use breakerbox::{BreakerBuilder, Outcome, State, TripRule, Window};
use http_body::Body;
use std::task::Poll;
use std::time::Duration;

fn trailers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

fn grpc(steps: impl IntoIterator<Item = Step>) -> Response<Script> {
    with_content_type("application/grpc", steps)
}

fn with_content_type(
    content_type: &str,
    steps: impl IntoIterator<Item = Step>,
) -> Response<Script> {
    let response = Response::builder().header("content-type", content_type);
    response.body(Script::new(steps)).unwrap()
}

#[test]
fn end_of_frames_is_success() {
    let fixture = Fixture::new();
    let mut body = fixture.body([Step::Data("a"), Step::Pending, Step::Data("b")]);
    assert_eq!(data(&mut body), "a");
    assert!(poll_frame(&mut body).is_pending());
    assert_eq!(data(&mut body), "b");
    assert_eq!(fixture.totals(), [0, 0, 0, 0]);
    assert!(is_ended(&mut body));
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
    assert!(is_ended(&mut body));
    drop(body);
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}

#[test]
fn end_known_after_frame_is_success() {
    let fixture = Fixture::new();
    let script = Script::with_known_end([Step::Data("a"), Step::Data("b")]);
    let mut body = fixture.respond(Response::new(script)).into_body();
    data(&mut body);
    assert_eq!(fixture.totals(), [0, 0, 0, 0]);
    data(&mut body);
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
    drop(body);
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}

/// A server that asks `is_end_stream` between two polls drops the body if the answer is `true`.
#[test]
fn body_dropped_with_nothing_left_is_success() {
    let fixture = Fixture::new();
    let script = Script::with_known_end([Step::Data("a"), Step::Pending]);
    let mut body = fixture.respond(Response::new(script)).into_body();
    data(&mut body);
    assert!(poll_frame(&mut body).is_pending());
    assert!(body.is_end_stream());
    drop(body);
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}

#[test]
fn trailers_end_body() {
    let fixture = Fixture::new();
    let checksum = trailers(&[("checksum", "7")]);
    let mut body = fixture.body([Step::Data("a"), Step::Trailers(checksum)]);
    data(&mut body);
    let Poll::Ready(Some(Ok(frame))) = poll_frame(&mut body) else {
        panic!("no frame");
    };
    assert_eq!(frame.trailers_ref().unwrap()["checksum"], "7");
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}

#[test]
fn error_is_failure_and_opens_circuit_once() {
    let fixture = Fixture::new();
    for failures in 1..=2 {
        assert_eq!(fixture.breaker.state(), State::Closed);
        let mut body = fixture.body([Step::Data("a"), Step::Error, Step::Error]);
        data(&mut body);
        for _ in 0..2 {
            let Poll::Ready(Some(Err(error))) = poll_frame(&mut body) else {
                panic!("no error");
            };
            assert_eq!(error, BrokenOff);
        }
        assert!(is_ended(&mut body));
        assert_eq!(fixture.totals(), [0, failures, 0, 0]);
        assert_eq!(fixture.breaker.last_failure().as_deref(), Some("BrokenOff"));
    }
    assert_eq!(fixture.breaker.state(), State::Open);
    assert_eq!(fixture.events(), ["Open"]);
}

#[test]
fn rules_of_breaker_classify_body_errors() {
    let fixture = Fixture::with(BreakerBuilder::ignored_error::<BrokenOff>);
    let mut body = fixture.body([Step::Error]);
    let _ = poll_frame(&mut body);
    assert_eq!(fixture.totals(), [0, 0, 1, 0]);

    let fixture = Fixture::with(BreakerBuilder::expected_error::<std::io::Error>);
    let mut body = fixture.body([Step::Error]);
    let _ = poll_frame(&mut body);
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
    drop(body);
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}

#[test]
fn grpc_status_in_trailers_decides() {
    for (status, expected) in [
        ("0", [1, 0, 0, 0]),
        ("5", [1, 0, 0, 0]),
        ("1", [0, 0, 1, 0]),
        ("13", [0, 1, 0, 0]),
        ("14", [0, 1, 0, 0]),
        ("malformed", [0, 1, 0, 0]),
    ] {
        let fixture = Fixture::new();
        let status = trailers(&[("grpc-status", status)]);
        let response = grpc([Step::Data("a"), Step::Trailers(status)]);
        let mut body = fixture.respond(response).into_body();
        data(&mut body);
        let _ = poll_frame(&mut body);
        assert_eq!(fixture.totals(), expected);
    }
}

#[test]
fn retry_delay_in_trailers_opens_circuit_for_that_time() {
    let fixture = Fixture::new();
    let status = trailers(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", "120000")]);
    let mut body = fixture.respond(grpc([Step::Trailers(status)])).into_body();
    let _ = poll_frame(&mut body);
    let remaining = fixture.breaker.open_remaining();
    assert_eq!(remaining, Some(Duration::from_secs(120)));
}

/// A proxy that resets the stream without an error code leaves a body that ends without trailers.
#[test]
fn grpc_body_without_status_is_failure() {
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let fixture = Fixture::new();
        let response = with_content_type(content_type, [Step::Data("a")]);
        let mut body = fixture.respond(response).into_body();
        data(&mut body);
        assert!(is_ended(&mut body));
        assert_eq!(fixture.totals(), [0, 1, 0, 0], "{content_type}");
    }
    let fixture = Fixture::new();
    let response = grpc([Step::Trailers(trailers(&[("checksum", "7")]))]);
    let mut body = fixture.respond(response).into_body();
    let _ = poll_frame(&mut body);
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);
}

#[test]
fn body_without_promised_status_is_success() {
    for content_type in [
        "application/grpc-web+proto",
        "application/grpcish",
        "text/plain",
    ] {
        let fixture = Fixture::new();
        let response = with_content_type(content_type, [Step::Data("a")]);
        let mut body = fixture.respond(response).into_body();
        data(&mut body);
        assert!(is_ended(&mut body));
        assert_eq!(fixture.totals(), [1, 0, 0, 0], "{content_type}");
    }
    // The HTTP status of an intermediary is that of the call.
    let fixture = Fixture::new();
    let mut response = grpc([]);
    *response.status_mut() = ::http::StatusCode::NOT_FOUND;
    assert!(is_ended(&mut fixture.respond(response).into_body()));
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
    // The gRPC status is in the head.
    let fixture = Fixture::new();
    let mut response = grpc([]);
    let ok = "0".parse().unwrap();
    response.headers_mut().insert("grpc-status", ok);
    assert!(is_ended(&mut fixture.respond(response).into_body()));
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}

#[test]
fn dropped_bodies_are_cancelled_without_warning() {
    let fixture = Fixture::new();
    for _ in 0..10 {
        let mut body = fixture.body([Step::Data("a"), Step::Data("b")]);
        data(&mut body);
        drop(body);
        drop(fixture.body([Step::Data("a")]));
    }
    assert_eq!(fixture.totals(), [0, 0, 0, 20]);
    assert_eq!(fixture.events(), [""; 0]);
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[test]
fn settings_of_cancelled_calls_apply_to_dropped_bodies() {
    let fixture = Fixture::with(|builder| builder.cancelled_as(Outcome::Failure));
    drop(fixture.body([]));
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);

    let second = Duration::from_secs(1);
    let fixture = Fixture::with(|builder| builder.cancelled_after(second));
    let (short, long) = (fixture.body([]), fixture.body([]));
    drop(short);
    fixture.clock.advance(second);
    drop(long);
    assert_eq!(fixture.totals(), [0, 1, 0, 1]);
}

#[test]
fn duration_of_call_includes_body() {
    let rule = TripRule::slow_calls(1.0)
        .slower_than(Duration::from_secs(2))
        .over(Window::calls(2))
        .minimum_calls(1);
    let fixture = Fixture::with(|builder| builder.trip_when(rule));
    let mut body = fixture.body([Step::Data("a")]);
    for _ in 0..3 {
        fixture.clock.advance(Duration::from_secs(1));
    }
    data(&mut body);
    assert_eq!(fixture.breaker.state(), State::Closed);
    assert!(is_ended(&mut body));
    assert_eq!(fixture.breaker.state(), State::Open);
    assert_eq!(fixture.breaker.snapshot().totals.slow, 1);
}

#[test]
fn frames_hints_and_errors_are_those_of_inner_body() {
    let fixture = Fixture::new();
    let script = Script::with_known_end([Step::Data("a"), Step::Data("b")]);
    let mut body = fixture.respond(Response::new(script)).into_body();
    assert_eq!(body.size_hint().exact(), Some(2));
    assert!(!body.is_end_stream());
    data(&mut body);
    assert_eq!(body.size_hint().exact(), Some(1));
    data(&mut body);
    assert!(body.is_end_stream());
}
