//! What counts as a failure.

use crate::support::{Ask, Fault, Readiness, Strict, ask, poll_ready};
use breakerbox::tower::BreakerLayer;
use breakerbox::{CircuitBreaker, Outcome, State};
use std::io::{self, ErrorKind};
use std::task::Poll;
use tower::{Layer, ServiceExt, service_fn};

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder().build().unwrap()
}

#[test]
fn a_whole_result_is_judged_by_classify() {
    let breaker = breaker();
    let judge = |result: &Result<u32, Fault>| match result {
        Ok(500..) => Outcome::Failure,
        Ok(_) => Outcome::Success,
        Err(Fault) => Outcome::Ignored,
    };
    let (strict, _) = Strict::new();
    let mut service = BreakerLayer::new(breaker.clone())
        .classify(judge)
        .layer(strict);
    assert!(matches!(ask(&mut service, Ask::Answer(503)), Ok(503)));
    assert!(matches!(ask(&mut service, Ask::Answer(503)), Ok(503)));
    assert_eq!(breaker.failure_count(), 2);
    assert!(ask(&mut service, Ask::Fail).is_err());
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.ignored, totals.success),
        (2, 1, Some(0))
    );
}

#[test]
fn a_response_is_judged_by_classify_response_and_an_error_by_the_rules() {
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
        drop(crate::support::now(service.clone().oneshot(request)));
    }
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.ignored, totals.failure, totals.success),
        (1, 4, Some(1))
    );
    assert_eq!(breaker.failure_count(), 3);
}

#[test]
fn errors_are_judged_by_fail_if() {
    let breaker = breaker();
    let layer = BreakerLayer::new(breaker.clone()).fail_if(|_: &Fault| false);
    let mut service = layer.layer(Strict::new().0);
    for _ in 0..10 {
        assert!(ask(&mut service, Ask::Fail).is_err());
    }
    assert_eq!(breaker.failure_count(), 0);
}

#[test]
fn the_last_word_wins_and_judges_poll_ready_too() {
    let breaker = breaker();
    let layer = BreakerLayer::new(breaker.clone())
        .fail_if(|_: &Fault| true)
        .classify(|_: &Result<u32, Fault>| Outcome::Ignored);
    let (strict, script) = Strict::new();
    script.is(Readiness::Fails);
    let mut service = layer.layer(strict);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Err(_))));
    assert_eq!(breaker.snapshot().totals.ignored, 1);
}

#[test]
fn a_judge_may_ask_for_a_time() {
    let breaker = breaker();
    let minute = std::time::Duration::from_secs(60);
    let layer = BreakerLayer::new(breaker.clone())
        .classify_response(move |_: &u32| Outcome::TripFor(minute));
    let mut service = layer.layer(Strict::new().0);
    assert!(matches!(ask(&mut service, Ask::Answer(7)), Ok(7)));
    assert_eq!(breaker.state(), State::Open);
    assert!(breaker.open_remaining() > Some(minute / 2));
}

#[test]
fn the_refusal_of_a_breaker_further_in_is_ignored_once_it_is_flattened() {
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
        assert!(crate::support::now(service.clone().oneshot(())).is_err());
    }
    // Five failures opened both; had refusals counted, one of them would not show it.
    assert_eq!((inner.failure_count(), outer.failure_count()), (5, 5));
    outer.reset();
    for _ in 0..10 {
        assert!(crate::support::now(service.clone().oneshot(())).is_err());
    }
    assert_eq!(outer.failure_count(), 0);
    assert_eq!(outer.snapshot().totals.ignored, 10);
}
