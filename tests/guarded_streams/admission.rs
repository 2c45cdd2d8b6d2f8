//! A stream is looked up when it is guarded, admitted at its first poll, and refused without being polled.

use crate::support::{Recorded, breaker, collect, items, next, poll, recorded, then_stalls};
use breakerbox::prelude::*;
use futures_util::stream::{self, FusedStream};
use futures_util::{Stream, StreamExt as _};
use std::rc::Rc;

#[test]
fn name_is_looked_up_at_construction() {
    let registry = BreakerRegistry::new();
    let guarded = items([Ok(1)]).with_breaker(&registry, "db");
    let old = registry
        .get("db")
        .expect("the breaker exists before a poll");
    registry.remove("db");
    registry.breaker("db").force_open();
    assert_eq!(collect(guarded).len(), 1);
    assert_eq!(recorded(&old).success, 1);
}

#[test]
fn admission_is_decided_at_first_poll() {
    let breaker = breaker();
    let mut begun_closed = items([Ok(1)]).guarded_by(&breaker);
    breaker.force_open();
    let mut begun_open = items([Ok(1)]).guarded_by(&breaker);
    let refused = next(&mut begun_closed).expect("the refusal");
    assert!(refused.expect_err("refused").is_open());
    breaker.reset();
    assert_eq!(next(&mut begun_open).expect("an item").ok(), Some(1));
}

#[test]
fn unpolled_stream_takes_no_trial() {
    let breaker = breaker();
    breaker.half_open();
    let unpolled = items([Ok(1)]).guarded_by(&breaker);
    assert_eq!(collect(items([Ok(1)]).guarded_by(&breaker)).len(), 1);
    assert_eq!(breaker.state(), State::Closed);
    drop(unpolled);
    assert_eq!(recorded(&breaker).cancelled, 0);
}

#[test]
fn admitted_stream_continues_after_trip() {
    let breaker = breaker();
    let mut guarded = items([Ok(1), Ok(2)]).guarded_by(&breaker);
    assert!(next(&mut guarded).expect("an item").is_ok());
    breaker.trip();
    assert_eq!(next(&mut guarded).expect("an item").ok(), Some(2));
    assert!(next(&mut guarded).is_none());
    assert_eq!(breaker.snapshot().totals.late, 1);
}

#[test]
fn refused_stream_yields_one_error_and_ends() {
    let breaker = breaker();
    breaker.force_open();
    let held = Rc::new(());
    let holds = held.clone();
    let untouched = stream::poll_fn(move |_| -> std::task::Poll<Option<Result<u8, String>>> {
        let _ = &holds;
        panic!("polled")
    });
    let mut guarded = untouched.guarded_by(&breaker);
    assert_eq!(Rc::strong_count(&held), 2);
    let error = next(&mut guarded)
        .expect("the refusal")
        .expect_err("refused");
    assert!(matches!(error, BreakerError::Open(_)));
    assert_eq!(Rc::strong_count(&held), 1, "dropped before the guard");
    assert!(guarded.is_terminated());
    for _ in 0..3 {
        assert!(next(&mut guarded).is_none());
    }
    assert_eq!(breaker.snapshot().totals.refused, 1);
    assert_eq!(recorded(&breaker), Recorded::default());
}

#[test]
fn size_hint_allows_for_refusal() {
    let breaker = breaker();
    let mut guarded = items([Ok(1), Ok(2)]).guarded_by(&breaker);
    assert_eq!(guarded.size_hint(), (1, Some(2)));
    assert!(next(&mut guarded).is_some());
    assert_eq!(guarded.size_hint(), (1, Some(1)));
    assert!(next(&mut guarded).is_some() && next(&mut guarded).is_none());
    assert_eq!(guarded.size_hint(), (0, Some(0)));

    let empty = items([]).guarded_by(&breaker);
    assert_eq!(empty.size_hint(), (0, Some(1)));
}

#[tokio::test(start_paused = true)]
async fn size_hint_allows_for_idle_timeout() {
    let breaker = breaker();
    let limit = std::time::Duration::from_secs(1);
    let mut guarded = items([Ok(1), Ok(2), Ok(3)])
        .guarded_by(&breaker)
        .idle_timeout(limit);
    assert!(guarded.next().await.is_some());
    assert_eq!(guarded.size_hint(), (1, Some(2)));
    let mut stalled = then_stalls([Ok(1)])
        .guarded_by(&breaker)
        .idle_timeout(limit);
    assert!(stalled.next().await.is_some());
    assert!(poll(&mut stalled).is_pending());
    assert_eq!(stalled.size_hint().0, 0);
}
