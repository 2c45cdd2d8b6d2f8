//! Errors that say nothing, or that nobody knows.

use crate::support::{Bench, Fault};
use breakerbox::{BreakerBuilder, BreakerError, BreakerExt, CircuitBreaker, Event, State};
use std::convert::Infallible;
use std::error::Error;
use std::io;

type Boxed = Box<dyn Error + Send + Sync>;

fn unknown_types(bench: &Bench) -> Vec<&'static str> {
    let name = |event| match event {
        Event::UnknownErrorType { error_type, .. } => Some(error_type),
        _ => None,
    };
    bench.log.events().into_iter().filter_map(name).collect()
}

#[test]
fn n4_an_error_that_no_rule_knows_is_unexpected_and_reported_once() {
    let bench = Bench::new(BreakerBuilder::expected_error::<Fault>);
    bench.fails();
    for _ in 0..3 {
        bench
            .call(|| Err::<(), _>(io::Error::other("unknown")))
            .expect_err("its own error");
    }
    assert_eq!(bench.failure_count(), 0, "the dependency answered");
    assert_eq!(unknown_types(&bench), [std::any::type_name::<io::Error>()]);
    bench
        .call(|| Err::<(), _>(String::from("another type")))
        .expect_err("its own error");
    assert_eq!(unknown_types(&bench).len(), 2);
}

#[test]
fn n5_an_expected_error_is_found_inside_a_box() {
    let bench = Bench::new(|b| b.expected_error::<io::Error>().failure_threshold(1));
    let failed = bench.call(|| Err::<(), Boxed>(Box::new(io::Error::other("inside"))));
    assert!(failed.expect_err("its own error").inner().is_some());
    assert_eq!((bench.state(), bench.failure_count()), (State::Open, 1));
    assert!(unknown_types(&bench).is_empty());
}

/// The same refusal as the three error types that hide nothing of it.
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
        drop(crate::support::now(call.guarded_by(outer)));
    },
];

#[test]
fn e9_a_refusal_of_an_inner_breaker_is_ignored_by_the_outer_one() {
    let inner = Bench::new(|b| b);
    inner.force_open();
    for (index, call) in REFUSALS.into_iter().enumerate() {
        let outer = Bench::new(|b| b.failure_threshold(2));
        outer.fails();
        call(&outer, &inner);
        assert_eq!(
            outer.failure_count(),
            1,
            "neither a failure nor a success: {index}"
        );
        assert_eq!(outer.snapshot().totals.ignored, 1, "{index}");
    }
}
