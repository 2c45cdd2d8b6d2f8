//! Responses to refused calls by `on_refused`.

use crate::support::{Fault, StrictService, TestRequest, send};
use breakerbox::tower::BreakerLayer;
use breakerbox::{CircuitBreaker, CircuitOpen};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tower::Layer;

fn open() -> CircuitBreaker {
    let breaker = CircuitBreaker::builder().name("x").build().unwrap();
    breaker.trip();
    breaker
}

#[test]
fn on_refused_answers_with_service_error_type() {
    let breaker = open();
    let layer = BreakerLayer::new(breaker.clone()).on_refused(|open: CircuitOpen, _| {
        assert_eq!(open.name(), "x");
        Ok(99)
    });
    let (strict, script) = StrictService::new();
    let mut service = layer.layer(strict);
    assert_eq!(
        send(&mut service, TestRequest::Answer(7)),
        Ok::<u32, Fault>(99)
    );
    assert_eq!(script.called(), 0);
    // `on_refused` only answers refusals, and its results are not classified.
    breaker.reset();
    assert_eq!(send(&mut service, TestRequest::Answer(7)), Ok(7));
    assert_eq!(send(&mut service, TestRequest::Fail), Err(Fault));
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.refused),
        (Some(1), 1, 1)
    );
}

#[test]
fn on_refused_may_return_error() {
    let layer = BreakerLayer::new(open()).on_refused(|_, _| Err(Fault));
    assert_eq!(
        send(
            &mut layer.layer(StrictService::new().0),
            TestRequest::Answer(7)
        ),
        Err::<u32, _>(Fault)
    );
}

#[test]
fn on_refused_panic_is_no_failure() {
    let breaker = open();
    let layer = BreakerLayer::new(breaker.clone())
        .on_refused(|_, _: TestRequest| -> Result<u32, Fault> { panic!("deliberate panic") });
    let mut service = layer.layer(StrictService::new().0);
    assert!(
        catch_unwind(AssertUnwindSafe(|| send(
            &mut service,
            TestRequest::Answer(7)
        )))
        .is_err()
    );
    assert_eq!(breaker.failure_count(), 0);
    assert_eq!(breaker.snapshot().totals.refused, 1);
}
