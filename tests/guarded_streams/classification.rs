//! `classify_item`, for items of every type.

use crate::support::{
    Fault, Item, Recorded, breaker, collect, items, next, one_failure, one_ignored, one_success,
    recorded,
};
use breakerbox::prelude::*;
use futures_util::stream;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

#[test]
fn failed_item_decides_and_keeps_error_type() {
    let breaker = breaker();
    let judge = |item: &Item| match item {
        Ok(5..) | Err(_) => Outcome::Failure,
        Ok(_) => Outcome::Success,
    };
    let rows = items([Ok(1), Ok(9), Ok(2)]).guarded_by(&breaker);
    let rows: Vec<Result<u8, BreakerError<Fault>>> = collect(rows.classify_item(judge));
    assert_eq!(rows.into_iter().filter_map(Result::ok).sum::<u8>(), 12);
    assert_eq!(recorded(&breaker), one_failure());
    assert_eq!(breaker.last_failure(), None);
}

#[test]
fn classified_error_is_last_failure() {
    let breaker = breaker();
    let rows = items([Err(Fault)]).guarded_by(&breaker);
    collect(rows.classify_item(|_| Outcome::Failure));
    assert_eq!(breaker.last_failure().as_deref(), Some("Fault"));
}

#[test]
fn error_may_be_success() {
    let breaker = breaker();
    let rows = items([Err(Fault), Ok(1)]).guarded_by(&breaker);
    assert_eq!(collect(rows.classify_item(|_| Outcome::Success)).len(), 2);
    assert_eq!(recorded(&breaker), one_success());
}

#[test]
fn ignored_item_decides() {
    let breaker = breaker();
    let mut rows = items([Ok(1), Err(Fault)])
        .guarded_by(&breaker)
        .classify_item(|_| Outcome::Ignored);
    assert!(next(&mut rows).is_some());
    assert_eq!(recorded(&breaker), one_ignored());
    assert!(next(&mut rows).is_some() && next(&mut rows).is_none());
    assert_eq!(recorded(&breaker), one_ignored());
}

#[test]
fn hint_of_item_opens_circuit() {
    let breaker = breaker();
    let minute = Duration::from_secs(60);
    let rows = items([Ok(1)]).guarded_by(&breaker);
    collect(rows.classify_item(move |_| Outcome::TripFor(minute)));
    assert_eq!(breaker.state(), State::Open);
    let remaining = breaker.open_remaining().expect("open");
    assert!(remaining > minute / 2, "{remaining:?}");
}

#[test]
fn classifier_is_not_called_after_outcome() {
    let breaker = breaker();
    let calls = Cell::new(0);
    let judge = |item: &Item| {
        calls.set(calls.get() + 1);
        if item.is_ok() {
            Outcome::Success
        } else {
            Outcome::Failure
        }
    };
    let rows = items([Ok(1), Err(Fault), Ok(2), Ok(3)]).guarded_by(&breaker);
    assert_eq!(collect(rows.classify_item(judge)).len(), 4);
    assert_eq!(calls.get(), 2);
}

#[test]
fn items_without_result_are_classified() {
    let breaker = breaker();
    let words = stream::iter(["once", "upon", "error"]).guarded_by(&breaker);
    let judge = |word: &&str| match *word {
        "error" => Outcome::Failure,
        _ => Outcome::Success,
    };
    let words: Vec<Result<&str, BreakerError>> = collect(words.classify_item(judge));
    assert_eq!(words.len(), 3);
    assert_eq!(recorded(&breaker), one_failure());
}

/// Neither a `Result` nor a type that implements a trait of this crate.
struct Message(u8);

#[test]
fn refusal_of_items_without_result_is_an_error() {
    let breaker = breaker();
    breaker.force_open();
    let messages = stream::iter([Message(1)]).guarded_by(&breaker);
    let mut messages = messages.classify_item(|message| match message.0 {
        0 => Outcome::Failure,
        _ => Outcome::Success,
    });
    let refused: Option<Result<Message, BreakerError>> = next(&mut messages);
    assert!(
        refused
            .expect("the refusal")
            .is_err_and(|error| error.is_open())
    );
    assert_eq!(recorded(&breaker), Recorded::default());
}

/// The type of the items is a parameter, which may or may not be a `Result`.
#[test]
fn generic_items_are_classified() {
    fn guard<S: futures_util::Stream + Unpin>(
        stream: S,
        breaker: &CircuitBreaker,
    ) -> Vec<Result<S::Item, BreakerError>> {
        collect(
            stream
                .guarded_by(breaker)
                .classify_item(|_| Outcome::Success),
        )
    }
    let breaker = breaker();
    let nested = guard(items([Ok(1)]), &breaker);
    assert_eq!(nested[0].as_ref().ok(), Some(&Ok(1)));
    assert_eq!(guard(stream::iter([7]), &breaker).len(), 1);
}

#[test]
fn panicking_classifier_makes_stream_ignored() {
    let breaker = breaker();
    let mut rows = items([Ok(1), Err(Fault)])
        .guarded_by(&breaker)
        .classify_item(|_| panic!("judge"));
    assert!(catch_unwind(AssertUnwindSafe(|| next(&mut rows))).is_err());
    assert_eq!(recorded(&breaker), one_ignored());
    assert!(next(&mut rows).is_some() && next(&mut rows).is_none());
    assert_eq!(recorded(&breaker), one_ignored());
}
