//! What becomes of a refusal.

use crate::support::{Ask, Fault, Strict, ask};
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
fn an_answer_stands_in_for_the_service_and_its_error_is_the_services_own() {
    let breaker = open();
    let layer = BreakerLayer::new(breaker.clone()).on_refused(|open: CircuitOpen| {
        assert_eq!(open.name(), "x");
        Ok(99)
    });
    let (strict, script) = Strict::new();
    let mut service = layer.layer(strict);
    assert_eq!(ask(&mut service, Ask::Answer(7)), Ok::<u32, Fault>(99));
    assert_eq!(script.called(), 0);
    // It is for refusals only, and not judged.
    breaker.reset();
    assert_eq!(ask(&mut service, Ask::Answer(7)), Ok(7));
    assert_eq!(ask(&mut service, Ask::Fail), Err(Fault));
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.refused),
        (Some(1), 1, 1)
    );
}

#[test]
fn an_answer_may_be_an_error() {
    let layer = BreakerLayer::new(open()).on_refused(|_| Err(Fault));
    assert_eq!(
        ask(&mut layer.layer(Strict::new().0), Ask::Answer(7)),
        Err::<u32, _>(Fault)
    );
}

#[test]
fn an_answer_that_panics_counts_for_nothing() {
    let breaker = open();
    let layer = BreakerLayer::new(breaker.clone())
        .on_refused(|_| -> Result<u32, Fault> { panic!("the answer breaks") });
    let mut service = layer.layer(Strict::new().0);
    assert!(catch_unwind(AssertUnwindSafe(|| ask(&mut service, Ask::Answer(7)))).is_err());
    assert_eq!(breaker.failure_count(), 0);
    assert_eq!(breaker.snapshot().totals.refused, 1);
}
