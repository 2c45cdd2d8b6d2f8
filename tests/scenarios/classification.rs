//! Classification of unknown types, boxed errors and refusals of inner breakers.

use crate::support::{Fault, TestBreaker};
use breakerbox::{BreakerBuilder, BreakerError, BreakerExt, CircuitBreaker, Event, State};
use std::convert::Infallible;
use std::error::Error;
use std::io;

type Boxed = Box<dyn Error + Send + Sync>;

fn unknown_types(breaker: &TestBreaker) -> Vec<&'static str> {
    let name = |event| match event {
        Event::UnknownErrorType { error_type, .. } => Some(error_type),
        _ => None,
    };
    breaker.log.events().into_iter().filter_map(name).collect()
}

#[test]
fn n4_unknown_error_type_is_reported_once() {
    let breaker = TestBreaker::new(BreakerBuilder::expected_error::<Fault>);
    breaker.fail();
    for _ in 0..3 {
        breaker
            .call(|| Err::<(), _>(io::Error::other("unknown")))
            .expect_err("the call's own error");
    }
    assert_eq!(breaker.failure_count(), 0, "the dependency answered");
    assert_eq!(
        unknown_types(&breaker),
        [std::any::type_name::<io::Error>()]
    );
    breaker
        .call(|| Err::<(), _>(String::from("another type")))
        .expect_err("the call's own error");
    assert_eq!(unknown_types(&breaker).len(), 2);
}

#[test]
fn n5_boxed_expected_error_is_a_failure() {
    let breaker = TestBreaker::new(|b| b.expected_error::<io::Error>().failure_threshold(1));
    let failed = breaker.call(|| Err::<(), Boxed>(Box::new(io::Error::other("inside"))));
    assert!(failed.expect_err("the call's own error").inner().is_some());
    assert_eq!((breaker.state(), breaker.failure_count()), (State::Open, 1));
    assert!(unknown_types(&breaker).is_empty());
}

/// Calls that return the same refusal in error types that classification looks into.
const REFUSALS: [fn(&CircuitBreaker, &CircuitBreaker); 4] = [
    |outer, inner| drop(outer.call(|| inner.try_acquire())),
    |outer, inner| {
        let call = || {
            inner
                .call(|| Ok::<_, Boxed>(()))
                .map_err(BreakerError::flatten)
        };
        drop(outer.call(call));
    },
    |outer, inner| {
        let call = || {
            inner
                .try_acquire()
                .map_err(BreakerError::<Infallible>::from)
        };
        drop(outer.call(call));
    },
    |outer, inner| {
        let call = async { Ok::<_, Boxed>(()) }.guarded_by(inner).flatten_err();
        drop(crate::support::expect_ready(call.guarded_by(outer)));
    },
];

#[test]
fn e9_inner_refusal_is_ignored_by_outer_breaker() {
    let inner = TestBreaker::new(|b| b);
    inner.force_open();
    for (index, call) in REFUSALS.into_iter().enumerate() {
        let outer = TestBreaker::new(|b| b.failure_threshold(2));
        outer.fail();
        call(&outer, &inner);
        assert_eq!(
            outer.failure_count(),
            1,
            "case {index} is neither a failure nor a success"
        );
        assert_eq!(outer.snapshot().totals.ignored, 1, "{index}");
    }
}
