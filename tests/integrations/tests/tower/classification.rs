//! Classification of responses and errors.

use crate::support::{Fault, Readiness, StrictService, TestRequest, poll_ready, send};
use breakerbox::tower::BreakerLayer;
use breakerbox::{CircuitBreaker, Outcome, State};
use std::io::{self, ErrorKind};
use std::task::Poll;
use tower::{Layer, ServiceExt, service_fn};

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder().build().unwrap()
}

#[test]
fn classify_decides_on_whole_result() {
    let breaker = breaker();
    let classifier = |result: &Result<u32, Fault>| match result {
        Ok(500..) => Outcome::Failure,
        Ok(_) => Outcome::Success,
        Err(Fault) => Outcome::Ignored,
    };
    let (strict, _) = StrictService::new();
    let mut service = BreakerLayer::new(breaker.clone())
        .classify(classifier)
        .layer(strict);
    assert!(matches!(
        send(&mut service, TestRequest::Answer(503)),
        Ok(503)
    ));
    assert!(matches!(
        send(&mut service, TestRequest::Answer(503)),
        Ok(503)
    ));
    assert_eq!(breaker.failure_count(), 2);
    assert!(send(&mut service, TestRequest::Fail).is_err());
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.ignored, totals.success),
        (2, 1, Some(0))
    );
}

#[test]
fn classify_response_leaves_errors_to_rules() {
    let breaker = CircuitBreaker::builder()
        .ignored_error_if::<io::Error>(|error| error.kind() == ErrorKind::InvalidInput)
        .build()
        .unwrap();
    let layer = BreakerLayer::new(breaker.clone()).classify_response(|status: &u16| {
        if *status >= 500 {
            Outcome::Failure
        } else {
            Outcome::Success
        }
    });
    let service = layer.layer(service_fn(|status: u16| async move {
        match status {
            0 => Err(io::Error::from(ErrorKind::InvalidInput)),
            1 => Err(io::Error::from(ErrorKind::ConnectionRefused)),
            status => Ok(status),
        }
    }));
    for request in [0, 1, 200, 503, 503, 1] {
        drop(crate::support::complete(service.clone().oneshot(request)));
    }
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.ignored, totals.failure, totals.success),
        (1, 4, Some(1))
    );
    assert_eq!(breaker.failure_count(), 3);
}

#[test]
fn fail_if_decides_on_errors() {
    let breaker = breaker();
    let layer = BreakerLayer::new(breaker.clone()).fail_if(|_: &Fault| false);
    let mut service = layer.layer(StrictService::new().0);
    for _ in 0..10 {
        assert!(send(&mut service, TestRequest::Fail).is_err());
    }
    assert_eq!(breaker.failure_count(), 0);
}

#[test]
fn last_classifier_applies_to_poll_ready() {
    let breaker = breaker();
    let layer = BreakerLayer::new(breaker.clone())
        .fail_if(|_: &Fault| true)
        .classify(|_: &Result<u32, Fault>| Outcome::Ignored);
    let (strict, script) = StrictService::new();
    script.set_readiness(Readiness::Fails);
    let mut service = layer.layer(strict);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Err(_))));
    assert_eq!(breaker.snapshot().totals.ignored, 1);
}

#[test]
fn classifier_may_request_trip() {
    let breaker = breaker();
    let minute = std::time::Duration::from_secs(60);
    let layer = BreakerLayer::new(breaker.clone())
        .classify_response(move |_: &u32| Outcome::TripFor(minute));
    let mut service = layer.layer(StrictService::new().0);
    assert!(matches!(send(&mut service, TestRequest::Answer(7)), Ok(7)));
    assert_eq!(breaker.state(), State::Open);
    assert!(breaker.open_remaining() > Some(minute / 2));
}

#[test]
fn flattened_refusal_of_inner_breaker_is_ignored() {
    type BoxError = Box<dyn std::error::Error + Send + Sync>;
    let (outer, inner) = (breaker(), breaker());
    let service = tower::ServiceBuilder::new()
        .layer(BreakerLayer::new(outer.clone()))
        .map_err(breakerbox::BreakerError::flatten)
        .layer(BreakerLayer::new(inner.clone()))
        .service(service_fn(|(): ()| async {
            Err::<(), BoxError>("down".into())
        }));
    for _ in 0..10 {
        assert!(crate::support::complete(service.clone().oneshot(())).is_err());
    }
    // Five failures opened both circuits. The refusals of the inner circuit added none to the outer.
    assert_eq!((inner.failure_count(), outer.failure_count()), (5, 5));
    outer.reset();
    for _ in 0..10 {
        assert!(crate::support::complete(service.clone().oneshot(())).is_err());
    }
    assert_eq!(outer.failure_count(), 0);
    assert_eq!(outer.snapshot().totals.ignored, 10);
}
