//! A stream that is dropped before its end is cancelled.

use crate::support::{
    Fault, SECOND, breaker, builder, items, next, one_cancelled, one_failure, poll, recorded,
    then_stalls,
};
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;

#[test]
fn stream_dropped_before_end_is_cancelled() {
    let breaker = breaker();
    let mut guarded = items([Ok(1), Ok(2)]).guarded_by(&breaker);
    assert!(next(&mut guarded).is_some());
    drop(guarded);
    assert_eq!(recorded(&breaker), one_cancelled());
}

#[test]
fn stream_dropped_after_outcome_is_not_cancelled() {
    let breaker = breaker();
    let mut guarded = items([Err(Fault), Ok(2)]).guarded_by(&breaker);
    assert!(next(&mut guarded).is_some());
    drop(guarded);
    assert_eq!(recorded(&breaker), one_failure());
}

#[test]
fn dropped_wait_keeps_stream() {
    let breaker = breaker();
    let mut guarded = then_stalls([Ok(1)]).guarded_by(&breaker);
    assert!(next(&mut guarded).is_some());
    assert!(poll(&mut guarded).is_pending());
    assert!(poll(&mut guarded).is_pending());
    assert_eq!(recorded(&breaker).cancelled, 0);
}

#[test]
fn dropped_streams_are_not_cancelled_in_a_row() {
    let breaker = breaker();
    let mut events = breaker.subscribe();
    let cancelled_in_a_row = |events: &mut EventStream| {
        let events = std::iter::from_fn(|| events.try_next());
        events
            .filter(|event| matches!(event, Event::CancelledInARow { .. }))
            .count()
    };
    for _ in 0..20 {
        assert!(poll(&mut then_stalls([]).guarded_by(&breaker)).is_pending());
    }
    assert_eq!(breaker.snapshot().totals.cancelled, 20);
    assert_eq!(cancelled_in_a_row(&mut events), 0);

    // Four dropped calls and dropped streams are not five calls in a row; a fifth call is.
    for _ in 0..4 {
        drop(breaker.try_acquire().expect("a permit"));
        assert!(poll(&mut then_stalls([]).guarded_by(&breaker)).is_pending());
    }
    assert_eq!(cancelled_in_a_row(&mut events), 0);
    drop(breaker.try_acquire().expect("a permit"));
    assert_eq!(cancelled_in_a_row(&mut events), 1);
}

#[test]
fn cancelled_settings_apply_to_streams() {
    let clock = ManualClock::new();
    let breaker = builder()
        .cancelled_after(SECOND)
        .clock(clock.clone())
        .build()
        .expect("valid settings");
    let mut short = then_stalls([Ok(1)]).guarded_by(&breaker);
    let mut long = then_stalls([Ok(1)]).guarded_by(&breaker);
    assert!(next(&mut long).is_some() && next(&mut short).is_some());
    drop(short);
    assert_eq!(recorded(&breaker), one_cancelled());
    clock.advance(SECOND);
    drop(long);
    assert_eq!(breaker.failure_count(), 1);
    assert_eq!(
        breaker.last_failure().as_deref(),
        Some("cancelled after 1s")
    );
}
