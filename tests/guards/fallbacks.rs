//! Answers for an open circuit: only then, from the same arguments.

use crate::support::{Fault, now, refusing};
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
fn a_refused_function_answers_from_its_own_arguments() {
    let registry = refusing();
    let guarded = fetch.with_breaker(&registry, "x").fallback(cached);
    assert_eq!(now(guarded.call(Unique(7), "the same")), Ok(Unique(7)));
    assert_eq!(now(guarded.call_once(Unique(8), "the same")), Ok(Unique(8)));
    let guarded = fetch_sync
        .with_breaker(&registry, "x")
        .fallback(cached_sync);
    assert_eq!(guarded.call(Unique(7), "the same"), Ok(Unique(7)));
    assert_eq!(guarded.call_once(Unique(8), "the same"), Ok(Unique(8)));
}

#[test]
fn fallbacks_may_be_closures_that_change_what_they_hold() {
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
fn a_call_that_is_admitted_asks_no_fallback() {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(3)
        .build()
        .expect("valid");
    let asked = Cell::new(0);
    let answer = |_: u8| {
        asked.set(asked.get() + 1);
        Ok::<&str, Fault>("from the fallback")
    };
    let fails = (|_: u8| Err::<&str, _>(Fault))
        .guarded_by(&breaker)
        .fallback(answer);
    for _ in 0..3 {
        assert_eq!(fails.call(7), Err(Fault), "also the one that trips");
    }
    assert_eq!((breaker.state(), asked.get()), (State::Open, 0));
    assert_eq!(fails.call(7), Ok("from the fallback"));
    assert_eq!(asked.get(), 1);
    breaker.half_open();
    assert_eq!(fails.call(7), Err(Fault), "the trial's own");
    assert_eq!(asked.get(), 1);
}

#[test]
fn the_fallback_of_a_future_is_told_why() {
    let registry = refusing();
    let fetch = async || -> Result<String, Fault> { panic!("called") };
    let guarded = fetch().with_breaker(&registry, "x");
    let answer = guarded.fallback(|open: CircuitOpen| async move { Ok(open.name().to_owned()) });
    assert_eq!(now(answer), Ok("x".to_owned()));
}

#[test]
fn the_fallback_of_a_future_may_wait() {
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
fn errors_of_a_fallback_pass_through_uncounted() {
    let registry = refusing();
    let breaker = registry.breaker("x");
    let sync = (|| Ok::<u8, Fault>(0))
        .with_breaker(&registry, "x")
        .fallback(|| Err(Fault));
    assert_eq!(sync.call(), Err(Fault));
    let future = async { Ok::<u8, Fault>(0) }.with_breaker(&registry, "x");
    assert_eq!(now(future.fallback(|_| async { Err(Fault) })), Err(Fault));
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.refused, breaker.failure_count()),
        (0, 2, 0)
    );
}

#[test]
fn judges_and_fallbacks_in_either_order() {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(1)
        .build()
        .expect("valid");
    let fails = || async { Err::<u8, _>(Fault) }.guarded_by(&breaker);
    let rescued = fails().fallback(|_| async { Ok(7) }).fail_if(|_| false);
    assert_eq!(now(rescued), Err(Fault));
    let rescued = fails().fail_if(|_| false).fallback(|_| async { Ok(7) });
    assert_eq!(now(rescued), Err(Fault));
    assert_eq!(
        breaker.state(),
        State::Closed,
        "not one of them is a failure"
    );
    let rescued = fails()
        .fallback(|_| async { Ok(7) })
        .classify(|_| breakerbox::Outcome::Failure);
    assert_eq!(now(rescued), Err(Fault));
    assert_eq!(now(fails().fallback(|_| async { Ok(7) })), Ok(7));
}

#[test]
fn the_judge_may_come_after_the_fallback() {
    let breaker = CircuitBreaker::builder().failure_threshold(1).build();
    let breaker = breaker.expect("settings that work");
    let found = |found: &Option<u8>| match found {
        Some(_) => Outcome::Success,
        None => Outcome::Failure,
    };
    let look_up = |found_now: Option<u8>| {
        let guarded = std::future::ready(found_now).guarded_by(&breaker);
        let guarded = guarded.fallback(async |_| Some(9)).classify_output(found);
        now(guarded).unwrap_or_else(|never| match never {})
    };
    assert_eq!(look_up(Some(7)), Some(7));
    assert_eq!(look_up(None), None, "a failure's output is the caller's");
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(look_up(Some(7)), Some(9));
}
