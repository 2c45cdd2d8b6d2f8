//! One outcome for each stream: the first that is not a success, or the end.

use crate::support::{
    Fault, Recorded, breaker, builder, collect, items, next, one_failure, one_ignored, one_success,
    recorded, sensitive,
};
use breakerbox::prelude::*;
use futures_util::stream::{self, FusedStream};
use std::cell::Cell;
use std::rc::Rc;
use std::task::Poll;

#[test]
fn end_is_one_success() {
    for breaker in [breaker(), sensitive()] {
        let mut guarded = items([Ok(1), Ok(2), Ok(3)]).guarded_by(&breaker);
        for item in 1..=3 {
            assert_eq!(next(&mut guarded).expect("an item").ok(), Some(item));
            assert_eq!(recorded(&breaker), Recorded::default(), "not yet");
        }
        assert!(next(&mut guarded).is_none());
        assert_eq!(recorded(&breaker), one_success());
        drop(guarded);
        assert_eq!(recorded(&breaker), one_success());
    }
}

#[test]
fn empty_stream_is_a_success() {
    let breaker = breaker();
    assert!(collect(items([]).guarded_by(&breaker)).is_empty());
    assert_eq!(recorded(&breaker), one_success());
}

#[test]
fn first_error_is_a_failure_at_its_item() {
    let breaker = breaker();
    let mut guarded = items([Ok(1), Err(Fault), Ok(2), Err(Fault)]).guarded_by(&breaker);
    assert!(next(&mut guarded).expect("an item").is_ok());
    let error = next(&mut guarded).expect("an item").expect_err("the fault");
    assert_eq!(error.into_inner(), Some(Fault));
    assert_eq!(recorded(&breaker), one_failure());
    assert_eq!(breaker.last_failure().as_deref(), Some("Fault"));
    // Later items pass through, uncounted.
    assert_eq!(next(&mut guarded).expect("an item").ok(), Some(2));
    assert!(next(&mut guarded).expect("an item").is_err());
    assert!(next(&mut guarded).is_none());
    assert_eq!(recorded(&breaker), one_failure());
}

#[test]
fn circuit_opens_at_threshold_of_streams() {
    let breaker = builder()
        .failure_threshold(3)
        .build()
        .expect("valid settings");
    for failures in 1..=3 {
        assert_eq!(breaker.state(), State::Closed);
        let errors = items([Err(Fault), Err(Fault), Err(Fault), Err(Fault)]);
        assert_eq!(collect(errors.guarded_by(&breaker)).len(), 4);
        assert_eq!(breaker.failure_count(), failures);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn items_do_not_reset_failures() {
    let breaker = breaker();
    let _ = breaker.call(|| Err::<(), _>(Fault));
    let mut guarded = items([Ok(1), Ok(2)]).guarded_by(&breaker);
    assert!(next(&mut guarded).is_some() && next(&mut guarded).is_some());
    assert_eq!(breaker.failure_count(), 1);
    assert!(next(&mut guarded).is_none());
    assert_eq!(breaker.failure_count(), 0);
}

#[test]
fn ignored_error_decides() {
    let breaker = builder()
        .ignored_error_if::<Fault>(|_| true)
        .build()
        .expect("valid settings");
    let errors = items([Ok(1), Err(Fault), Ok(2)]);
    assert_eq!(collect(errors.guarded_by(&breaker)).len(), 3);
    assert_eq!(recorded(&breaker), one_ignored());
}

#[test]
fn unexpected_error_lets_stream_continue() {
    let breaker = builder()
        .expected_error::<std::io::Error>()
        .build()
        .expect("valid settings");
    let mut guarded = items([Err(Fault), Ok(1)]).guarded_by(&breaker);
    assert!(next(&mut guarded).expect("an item").is_err());
    assert_eq!(recorded(&breaker), Recorded::default(), "not yet");
    assert!(next(&mut guarded).is_some() && next(&mut guarded).is_none());
    assert_eq!(recorded(&breaker), one_success());
}

#[test]
fn inner_refusal_is_ignored_by_outer_breaker() {
    let (inner, outer) = (breaker(), breaker());
    inner.force_open();
    let guarded = items([Ok(1)]).guarded_by(&inner).guarded_by(&outer);
    let refused = collect(guarded);
    assert!(refused[0].as_ref().is_err_and(BreakerError::is_open));
    assert_eq!(recorded(&outer), one_ignored());
}

/// A stream that yields items again after its end, if it is polled.
#[test]
fn guarded_stream_is_fused() {
    let breaker = breaker();
    let held = Rc::new(Cell::new(0));
    let polls = held.clone();
    let restarts = stream::poll_fn(move |_| {
        polls.set(polls.get() + 1);
        Poll::Ready((polls.get() % 2 == 1).then_some(Ok::<_, Fault>(1)))
    });
    let mut guarded = restarts.guarded_by(&breaker);
    assert!(next(&mut guarded).is_some());
    assert!(!guarded.is_terminated());
    for _ in 0..3 {
        assert!(next(&mut guarded).is_none());
        assert!(guarded.is_terminated());
    }
    assert_eq!(held.get(), 2);
    assert_eq!(Rc::strong_count(&held), 1, "dropped at its end");
}

/// Dropping the stream panics, after the end was recorded.
#[test]
fn outcome_counts_if_drop_panics() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let breaker = breaker();
    let bomb = Bomb;
    let ends = stream::poll_fn(move |_| {
        let _ = &bomb;
        Poll::Ready(None::<Result<u8, Fault>>)
    });
    let mut guarded = ends.guarded_by(&breaker);
    let end = std::panic::AssertUnwindSafe(|| next(&mut guarded));
    assert!(std::panic::catch_unwind(end).is_err());
    assert_eq!(recorded(&breaker), one_success());
}
