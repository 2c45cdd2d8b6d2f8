//! Responses that are recorded at their head, because they failed or have no body.

use crate::support::{Fixture, Script, Step, context, data, is_ended, poll_frame};
use ::http::{Method, Request, Response};
use breakerbox::tower::{BreakerLayer, GuardedBody};
use breakerbox::{BreakerBuilder, CircuitBreaker, CircuitOpen, State, http};
use http_body::Body;
use std::future::{pending, ready};
use std::pin::pin;
use std::task::Poll;
use tower::{Layer, Service, service_fn};

fn with_status(status: u16, steps: impl IntoIterator<Item = Step>) -> Response<Script> {
    let response = Response::builder().status(status);
    response.body(Script::new(steps)).unwrap()
}

#[test]
fn failed_head_is_recorded_once_and_body_passes() {
    let fixture = Fixture::new();
    let mut body = fixture
        .respond(with_status(502, [Step::Data("a"), Step::Error]))
        .into_body();
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);
    assert_eq!(data(&mut body), "a");
    assert!(matches!(poll_frame(&mut body), Poll::Ready(Some(Err(_)))));
    drop(body);
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);

    drop(fixture.respond(with_status(502, [Step::Data("a")])));
    assert_eq!(fixture.totals(), [0, 2, 0, 0]);
    assert_eq!(fixture.events(), ["Open"]);
}

#[test]
fn ignored_head_ignores_body() {
    let inner = CircuitBreaker::builder().build().unwrap();
    inner.force_open();
    let refusal: CircuitOpen = inner.try_acquire().unwrap_err();
    let mut response = with_status(503, [Step::Error]);
    response.extensions_mut().insert(refusal);

    let fixture = Fixture::new();
    let _ = poll_frame(&mut fixture.respond(response).into_body());
    assert_eq!(fixture.totals(), [0, 0, 1, 0]);
}

#[test]
fn responses_without_body_are_recorded_at_head() {
    for status in [101, 204, 304] {
        let fixture = Fixture::new();
        let response = fixture.respond(with_status(status, [Step::Data("unread")]));
        assert_eq!(fixture.totals(), [1, 0, 0, 0], "{status}");
        drop(response);
        assert_eq!(fixture.totals(), [1, 0, 0, 0], "{status}");
    }

    let fixture = Fixture::new();
    let mut response = fixture.respond(Response::new(Script::with_known_end([])));
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
    assert!(is_ended(response.body_mut()));
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}

#[test]
fn response_to_head_request_is_recorded_at_head() {
    let fixture = Fixture::new();
    let request = || {
        let request = Request::builder().method(Method::HEAD);
        request.body(()).unwrap()
    };
    drop(fixture.respond_to(request(), with_status(200, [Step::Data("unread")])));
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);

    let mut grpc = with_status(200, []);
    let content_type = "application/grpc".parse().unwrap();
    grpc.headers_mut().insert("content-type", content_type);
    drop(fixture.respond_to(request(), grpc));
    assert_eq!(fixture.totals(), [2, 0, 0, 0]);

    drop(fixture.respond_to(request(), with_status(500, [])));
    assert_eq!(fixture.totals(), [2, 1, 0, 0]);
}

#[test]
fn empty_grpc_response_without_status_is_failure() {
    let fixture = Fixture::new();
    let mut response = Response::new(Script::with_known_end([]));
    let content_type = "application/grpc".parse().unwrap();
    response.headers_mut().insert("content-type", content_type);
    drop(fixture.respond(response));
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);
}

#[test]
fn errors_of_service_are_recorded_by_rules() {
    for (is_ignored, expected) in [(false, [0, 1, 0, 0]), (true, [0, 0, 1, 0])] {
        let fixture = Fixture::with(|builder| {
            builder.ignored_error_if(move |_: &std::fmt::Error| is_ignored)
        });
        let layer = BreakerLayer::new(fixture.breaker.clone()).until_body_end();
        let mut service = layer.layer(service_fn(|_: Request<()>| {
            ready(Err::<Response<Script>, _>(std::fmt::Error))
        }));
        let _ = service.poll_ready(&mut context());
        let polled = pin!(service.call(Request::new(()))).poll(&mut context());
        assert!(matches!(polled, Poll::Ready(Err(_))));
        assert_eq!(fixture.totals(), expected);
    }
}

#[test]
fn unexpected_error_of_service_is_recorded_as_success() {
    let fixture = Fixture::with(BreakerBuilder::expected_error::<std::io::Error>);
    let layer = BreakerLayer::new(fixture.breaker.clone()).until_body_end();
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        ready(Err::<Response<Script>, _>(std::fmt::Error))
    }));
    let _ = service.poll_ready(&mut context());
    let polled = pin!(service.call(Request::new(()))).poll(&mut context());
    assert!(matches!(polled, Poll::Ready(Err(_))));
    assert_eq!(fixture.totals(), [1, 0, 0, 0]);
}

/// A dropped response future is the sign of a timeout outside the breaker. Dropped bodies between them
/// do not count, and do not end the row.
#[test]
fn dropped_response_futures_are_cancelled_in_a_row() {
    let fixture = Fixture::new();
    let layer = BreakerLayer::new(fixture.breaker.clone()).until_body_end();
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        pending::<Result<Response<Script>, BoxError>>()
    }));
    for _ in 0..5 {
        drop(fixture.body([]));
        let _ = service.poll_ready(&mut context());
        let mut call = pin!(service.call(Request::new(())));
        assert!(call.as_mut().poll(&mut context()).is_pending());
    }
    assert_eq!(fixture.events(), ["CancelledInARow"]);
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[test]
fn answer_to_refusal_has_uncounted_body() {
    let fixture = Fixture::new();
    fixture.breaker.force_open();
    let layer = BreakerLayer::new(fixture.breaker.clone())
        .until_body_end()
        .classify_response(http::judge_response)
        .on_refused(|open, _| {
            let response: Response<()> = http::unavailable(open);
            Ok(response.map(|()| Script::new([Step::Data("refused"), Step::Error])))
        });
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, BoxError>(Response::new(Script::new([]))))
    }));
    let _ = service.poll_ready(&mut context());
    let polled = pin!(service.call(Request::new(()))).poll(&mut context());
    let Poll::Ready(Ok(response)) = polled else {
        panic!("not answered");
    };
    assert_eq!(response.status(), 503);
    let mut body = response.into_body();
    assert_eq!(data(&mut body), "refused");
    assert!(matches!(poll_frame(&mut body), Poll::Ready(Some(Err(_)))));
    drop(body);
    assert_eq!(fixture.totals(), [0, 0, 0, 0]);
    assert_eq!(fixture.breaker.state(), State::ForcedOpen);
}

#[test]
fn default_body_is_empty_and_uncounted() {
    let mut body: GuardedBody<http_body_util::Empty<hyper::body::Bytes>> = GuardedBody::default();
    assert!(body.is_end_stream());
    assert!(is_ended(&mut body));
}
