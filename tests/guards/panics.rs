//! Panics of guarded code propagate as they are, and are failures.

use crate::support::{Fault, now, poll, refusing};
use breakerbox::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

type Never = Result<u8, Fault>;

/// What `panics` panicked with.
#[track_caller]
fn payload(panics: impl FnOnce()) -> u32 {
    let payload = catch_unwind(AssertUnwindSafe(panics)).expect_err("the panic propagates");
    *payload.downcast_ref().expect("the payload is unchanged")
}

fn panics() -> Never {
    std::panic::panic_any(7_u32)
}

#[test]
fn every_form_counts_its_panics() {
    let breaker = CircuitBreaker::builder().build().expect("valid");
    let forms: [&dyn Fn(); 5] = [
        &|| drop(now(async { panics() }.guarded_by(&breaker))),
        &|| drop(now((async || panics()).guarded_by(&breaker).call())),
        // Before there is a future.
        &|| {
            let gives_a_future = || std::future::ready(panics());
            drop(now(gives_a_future.guarded_by(&breaker).call()));
        },
        &|| drop(panics.guarded_by(&breaker).call()),
        &|| drop(breaker.call(panics)),
    ];
    for (failures, form) in (1..).zip(forms) {
        assert_eq!(payload(form), 7);
        assert_eq!(breaker.failure_count(), failures);
    }
    assert_eq!(breaker.state(), State::Open);
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.cancelled),
        (5, 0),
        "each counted once"
    );
}

#[test]
fn a_panic_is_counted_before_the_guard_is_dropped() {
    let breaker = CircuitBreaker::builder().build().expect("valid");
    let mut call = Box::pin(async { panics() }.guarded_by(&breaker));
    assert_eq!(payload(|| drop(poll(call.as_mut()))), 7);
    assert_eq!(breaker.failure_count(), 1);
    drop(call);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.failure, totals.cancelled), (1, 0));
}

#[test]
fn a_panic_of_a_fallback_is_not_the_dependencys() {
    let registry = refusing();
    let guarded = (|| Ok::<_, Fault>(7))
        .with_breaker(&registry, "x")
        .fallback(panics);
    assert_eq!(
        payload(|| {
            let _ = guarded.call();
        }),
        7
    );
    let future = async { Ok::<_, Fault>(7) }.with_breaker(&registry, "x");
    assert_eq!(
        payload(|| {
            let _ = now(future.fallback(|_| async { panics() }));
        }),
        7
    );
    assert_eq!(registry.breaker("x").snapshot().totals.failure, 0);
}

#[test]
#[should_panic(expected = "polled after it completed")]
fn a_guard_that_is_polled_again_says_so() {
    let breaker = CircuitBreaker::builder().build().expect("valid");
    let mut call = Box::pin(async { Ok::<_, Fault>(7) }.guarded_by(&breaker));
    assert!(poll(call.as_mut()).is_ready());
    let _ = poll(call.as_mut());
}
