//! Panics of guarded code are failures, and propagate unchanged.

use crate::support::{Fault, expect_ready, poll, refusing};
use breakerbox::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

type CallResult = Result<u8, Fault>;

/// Returns the payload with which `panics` panics.
#[track_caller]
fn panic_payload(panics: impl FnOnce()) -> u32 {
    let payload = catch_unwind(AssertUnwindSafe(panics)).expect_err("the panic propagates");
    *payload.downcast_ref().expect("the payload is unchanged")
}

fn panics() -> CallResult {
    std::panic::panic_any(7_u32)
}

#[test]
fn every_form_counts_panics() {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    let forms: [&dyn Fn(); 5] = [
        &|| drop(expect_ready(async { panics() }.guarded_by(&breaker))),
        &|| {
            drop(expect_ready(
                (async || panics()).guarded_by(&breaker).call(),
            ));
        },
        // Panics before the function returns a future.
        &|| {
            let returns_future = || std::future::ready(panics());
            drop(expect_ready(returns_future.guarded_by(&breaker).call()));
        },
        &|| drop(panics.guarded_by(&breaker).call()),
        &|| drop(breaker.call(panics)),
    ];
    for (failures, form) in (1..).zip(forms) {
        assert_eq!(panic_payload(form), 7);
        assert_eq!(breaker.failure_count(), failures);
    }
    assert_eq!(breaker.state(), State::Open);
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.cancelled),
        (5, 0),
        "each panic is counted once"
    );
}

#[test]
fn panic_is_counted_before_guard_is_dropped() {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    let mut call = Box::pin(async { panics() }.guarded_by(&breaker));
    assert_eq!(panic_payload(|| drop(poll(call.as_mut()))), 7);
    assert_eq!(breaker.failure_count(), 1);
    drop(call);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.failure, totals.cancelled), (1, 0));
}

#[test]
fn fallback_panic_is_not_counted() {
    let registry = refusing();
    let guarded = (|| Ok::<_, Fault>(7))
        .with_breaker(&registry, "x")
        .fallback(panics);
    assert_eq!(
        panic_payload(|| {
            let _ = guarded.call();
        }),
        7
    );
    let future = async { Ok::<_, Fault>(7) }.with_breaker(&registry, "x");
    assert_eq!(
        panic_payload(|| {
            let _ = expect_ready(future.fallback(|_| async { panics() }));
        }),
        7
    );
    assert_eq!(registry.breaker("x").snapshot().totals.failure, 0);
}

#[test]
#[should_panic(expected = "polled after it completed")]
fn guard_polled_after_completion_panics() {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    let mut call = Box::pin(async { Ok::<_, Fault>(7) }.guarded_by(&breaker));
    assert!(poll(call.as_mut()).is_ready());
    let _ = poll(call.as_mut());
}
