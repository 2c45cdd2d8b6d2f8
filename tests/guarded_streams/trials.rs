//! Streams as trials of a half-open circuit, and guarded calls inside them.

use crate::support::{
    Fault, Item, breaker, builder, collect, items, next, one_success, poll, recorded, then_stalls,
};
use breakerbox::prelude::*;
use futures_util::{Stream, StreamExt as _, stream};
use std::cell::RefCell;
use std::task::Poll;

/// A stream that calls `breaker` inside each of its two polls, and records whether the calls were admitted.
fn calls_inside<'a>(
    breaker: &'a CircuitBreaker,
    admitted: &'a RefCell<Vec<bool>>,
) -> impl Stream<Item = Item> + Unpin + 'a {
    let mut polls = 0;
    stream::poll_fn(move |_| {
        polls += 1;
        let call = breaker.call(|| Err::<(), _>(Fault));
        admitted
            .borrow_mut()
            .push(!call.is_err_and(|error| error.is_open()));
        Poll::Ready((polls < 3).then_some(Ok(polls)))
    })
}

#[test]
fn stream_of_trial_holds_slot_until_its_outcome() {
    let breaker = breaker();
    breaker.half_open();
    let mut trial = items([Ok(1), Ok(2)]).guarded_by(&breaker);
    for _ in 0..2 {
        assert!(next(&mut trial).is_some());
        assert_eq!(breaker.snapshot().in_flight, Some(1));
        assert!(breaker.try_acquire().is_err());
    }
    assert!(next(&mut trial).is_none());
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn failed_item_of_trial_reopens() {
    let breaker = breaker();
    breaker.half_open();
    let mut trial = items([Ok(1), Err(Fault), Ok(2)]).guarded_by(&breaker);
    assert!(next(&mut trial).is_some() && next(&mut trial).is_some());
    assert_eq!(breaker.state(), State::Open);
    assert!(next(&mut trial).is_some() && next(&mut trial).is_none());
    assert_eq!(
        (breaker.state(), breaker.snapshot().totals.late),
        (State::Open, 0)
    );
}

#[test]
fn dropped_trial_frees_slot() {
    let breaker = breaker();
    breaker.half_open();
    let mut trial = then_stalls([Ok(1)]).guarded_by(&breaker);
    assert!(next(&mut trial).is_some() && poll(&mut trial).is_pending());
    drop(trial);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(collect(items([Ok(1)]).guarded_by(&breaker)).len(), 1);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn endless_trial_closes_after_n_items() {
    let breaker = builder()
        .half_open_calls(2)
        .build()
        .expect("valid settings");
    breaker.half_open();
    let mut first = then_stalls([Ok(1), Ok(2)])
        .guarded_by(&breaker)
        .success_after(2);
    let mut second = then_stalls([Ok(1), Ok(2)])
        .guarded_by(&breaker)
        .success_after(2);
    assert!(next(&mut first).is_some() && next(&mut second).is_some());
    assert!(next(&mut first).is_some());
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(next(&mut second).is_some());
    assert_eq!(breaker.state(), State::Closed);
    drop((first, second));
    assert_eq!(breaker.snapshot().totals.cancelled, 0);
}

#[test]
fn calls_inside_polls_join_trial() {
    let breaker = breaker();
    breaker.half_open();
    let admitted = RefCell::new(Vec::new());
    let mut trial = calls_inside(&breaker, &admitted).guarded_by(&breaker);
    assert!(next(&mut trial).is_some());
    // Outside the polls, the trial marks no thread.
    assert!(
        breaker
            .call(|| Ok::<_, Fault>(()))
            .is_err_and(|error| error.is_open())
    );
    assert!(next(&mut trial).is_some() && next(&mut trial).is_none());
    assert_eq!(*admitted.borrow(), [true; 3]);
    assert_eq!(
        recorded(&breaker),
        one_success(),
        "the calls inside record nothing"
    );
}

#[test]
fn calls_after_outcome_do_not_join() {
    let breaker = builder()
        .half_open_calls(2)
        .build()
        .expect("valid settings");
    breaker.half_open();
    let _other = breaker.try_acquire().expect("the other trial");
    let admitted = RefCell::new(Vec::new());
    let mut trial = calls_inside(&breaker, &admitted)
        .guarded_by(&breaker)
        .success_after(1);
    assert!(next(&mut trial).is_some());
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(next(&mut trial).is_some());
    assert_eq!(*admitted.borrow(), [true, false], "the trial has ended");
}

#[test]
fn nested_stream_joins_trial() {
    let breaker = breaker();
    breaker.half_open();
    let classified = RefCell::new(0);
    let inner = items([Ok(1), Err(Fault)])
        .guarded_by(&breaker)
        .classify_item(|_| {
            *classified.borrow_mut() += 1;
            Outcome::Failure
        })
        .map(|item| {
            item.map_err(|error| error.into_inner())
                .or(Ok::<u8, Fault>(9))
        });
    let outer = inner.guarded_by(&breaker);
    assert_eq!(collect(outer).len(), 2);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(recorded(&breaker), one_success());
    assert_eq!(*classified.borrow(), 0, "a joined stream is not classified");
}

/// A stream that was admitted inside a trial stays joined, wherever it is polled.
#[test]
fn joined_stream_records_nothing_when_dropped_outside() {
    let breaker = breaker();
    breaker.half_open();
    let mut joined = then_stalls([Ok(1)]).guarded_by(&breaker);
    let trial = breaker.try_acquire().expect("the trial");
    let first = trial.call(|| Ok::<_, Fault>(next(&mut joined)));
    assert!(first.expect("no error").is_some_and(|item| item.is_ok()));
    assert!(poll(&mut joined).is_pending());
    drop(joined);
    assert_eq!(recorded(&breaker), one_success());
}

#[test]
fn classifier_is_outside_trial() {
    let breaker = breaker();
    breaker.half_open();
    let trial = items([Ok(1)]).guarded_by(&breaker).classify_item(|_| {
        let call = breaker.call(|| Ok::<_, Fault>(()));
        assert!(
            call.is_err_and(|error| error.is_open()),
            "the slot is taken"
        );
        Outcome::Success
    });
    assert_eq!(collect(trial).len(), 1);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn panic_inside_trial_removes_mark() {
    let breaker = breaker();
    breaker.half_open();
    let panics = stream::poll_fn(|_| -> Poll<Option<Item>> { panic!("polled") });
    let mut trial = panics.guarded_by(&breaker);
    let polled = std::panic::AssertUnwindSafe(|| next(&mut trial));
    assert!(std::panic::catch_unwind(polled).is_err());
    assert_eq!(breaker.state(), State::Open);
    breaker.half_open();
    let slot = breaker.try_acquire().expect("the trial");
    assert!(
        breaker.try_acquire().is_err(),
        "no mark is left on the thread"
    );
    slot.success();
}
