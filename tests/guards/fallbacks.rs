//! Fallbacks: they answer only for an open circuit, and get the original arguments.

use crate::support::{Fault, expect_ready, refusing};
use breakerbox::Outcome;
use breakerbox::prelude::*;
use std::cell::Cell;

/// An argument that can only be moved.
#[derive(Debug, PartialEq)]
struct Unique(u8);

async fn fetch(_: Unique, _: &str) -> Result<Unique, Fault> {
    Err(Fault)
}

async fn cached(argument: Unique, text: &str) -> Result<Unique, Fault> {
    assert_eq!(text, "the same");
    Ok(argument)
}

fn fetch_sync(_: Unique, _: &str) -> Result<Unique, Fault> {
    Err(Fault)
}

fn cached_sync(argument: Unique, text: &str) -> Result<Unique, Fault> {
    assert_eq!(text, "the same");
    Ok(argument)
}

#[test]
fn fallback_gets_arguments_of_refused_call() {
    let registry = refusing();
    let guarded = fetch.with_breaker(&registry, "x").fallback(cached);
    assert_eq!(
        expect_ready(guarded.call(Unique(7), "the same")),
        Ok(Unique(7))
    );
    assert_eq!(
        expect_ready(guarded.call_once(Unique(8), "the same")),
        Ok(Unique(8))
    );
    let guarded = fetch_sync
        .with_breaker(&registry, "x")
        .fallback(cached_sync);
    assert_eq!(guarded.call(Unique(7), "the same"), Ok(Unique(7)));
    assert_eq!(guarded.call_once(Unique(8), "the same"), Ok(Unique(8)));
}

#[test]
fn fallback_can_be_fn_mut_closure() {
    let registry = refusing();
    let mut answered = 0;
    let mut guarded = (|_: u8| Ok::<u8, Fault>(0))
        .with_breaker(&registry, "x")
        .fallback(|argument| {
            answered += 1;
            Ok(argument)
        });
    assert_eq!((guarded.call_mut(1), guarded.call_mut(2)), (Ok(1), Ok(2)));
    assert_eq!(answered, 2);
}

#[test]
fn admitted_call_does_not_use_fallback() {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(3)
        .build()
        .expect("valid settings");
    let fallback_calls = Cell::new(0);
    let answer = |_: u8| {
        fallback_calls.set(fallback_calls.get() + 1);
        Ok::<&str, Fault>("from the fallback")
    };
    let fails = (|_: u8| Err::<&str, _>(Fault))
        .guarded_by(&breaker)
        .fallback(answer);
    for _ in 0..3 {
        assert_eq!(fails.call(7), Err(Fault), "even for the failure that trips");
    }
    assert_eq!((breaker.state(), fallback_calls.get()), (State::Open, 0));
    assert_eq!(fails.call(7), Ok("from the fallback"));
    assert_eq!(fallback_calls.get(), 1);
    breaker.half_open();
    assert_eq!(fails.call(7), Err(Fault), "the trial's own error");
    assert_eq!(fallback_calls.get(), 1);
}

#[test]
fn fallback_of_future_gets_refusal() {
    let registry = refusing();
    let fetch = async || -> Result<String, Fault> { panic!("called") };
    let guarded = fetch().with_breaker(&registry, "x");
    let answer = guarded.fallback(|open: CircuitOpen| async move { Ok(open.name().to_owned()) });
    assert_eq!(expect_ready(answer), Ok("x".to_owned()));
}

#[test]
fn fallback_of_future_can_be_pending() {
    let registry = refusing();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let answer = async { Ok::<u8, Fault>(0) }
        .with_breaker(&registry, "x")
        .fallback(|_| async {
            tokio::task::yield_now().await;
            Ok(7)
        });
    assert_eq!(runtime.block_on(answer), Ok(7));
}

#[test]
fn fallback_errors_are_returned_but_not_counted() {
    let registry = refusing();
    let breaker = registry.breaker("x");
    let sync = (|| Ok::<u8, Fault>(0))
        .with_breaker(&registry, "x")
        .fallback(|| Err(Fault));
    assert_eq!(sync.call(), Err(Fault));
    let future = async { Ok::<u8, Fault>(0) }.with_breaker(&registry, "x");
    assert_eq!(
        expect_ready(future.fallback(|_| async { Err(Fault) })),
        Err(Fault)
    );
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.refused, breaker.failure_count()),
        (0, 2, 0)
    );
}

#[test]
fn classifier_and_fallback_work_in_either_order() {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(1)
        .build()
        .expect("valid settings");
    let fails = || async { Err::<u8, _>(Fault) }.guarded_by(&breaker);
    let rescued = fails().fallback(|_| async { Ok(7) }).fail_if(|_| false);
    assert_eq!(expect_ready(rescued), Err(Fault));
    let rescued = fails().fail_if(|_| false).fallback(|_| async { Ok(7) });
    assert_eq!(expect_ready(rescued), Err(Fault));
    assert_eq!(breaker.state(), State::Closed, "neither call is a failure");
    let rescued = fails()
        .fallback(|_| async { Ok(7) })
        .classify(|_| breakerbox::Outcome::Failure);
    assert_eq!(expect_ready(rescued), Err(Fault));
    assert_eq!(expect_ready(fails().fallback(|_| async { Ok(7) })), Ok(7));
}

#[test]
fn classify_output_works_after_fallback() {
    let breaker = CircuitBreaker::builder().failure_threshold(1).build();
    let breaker = breaker.expect("valid settings");
    let found = |found: &Option<u8>| match found {
        Some(_) => Outcome::Success,
        None => Outcome::Failure,
    };
    let look_up = |found_now: Option<u8>| {
        let guarded = std::future::ready(found_now).guarded_by(&breaker);
        let guarded = guarded.fallback(async |_| Some(9)).classify_output(found);
        expect_ready(guarded).unwrap_or_else(|never| match never {})
    };
    assert_eq!(look_up(Some(7)), Some(7));
    assert_eq!(
        look_up(None),
        None,
        "the caller gets the output of a failure"
    );
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(look_up(Some(7)), Some(9));
}
