//! Guarded code runs at the first poll at the earliest, and never if the circuit refuses the call.

use crate::support::{Fault, expect_ready, poll, refusing, success_count};
use breakerbox::prelude::*;
use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

#[test]
fn async_function_is_called_at_first_poll() {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    let called = Cell::new(0);
    let function = |()| {
        called.set(called.get() + 1);
        pending::<Result<(), Fault>>()
    };
    let guarded = function.guarded_by(&breaker);
    let mut call = pin!(guarded.call(()));
    assert_eq!(called.get(), 0);
    assert!(poll(call.as_mut()).is_pending());
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(called.get(), 1);
    drop(guarded.call(()));
    assert_eq!((called.get(), breaker.snapshot().totals.cancelled), (1, 0));
}

#[test]
fn admission_is_decided_at_first_poll() {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    let begun_closed = async { Ok::<_, Fault>(7) }.guarded_by(&breaker);
    breaker.force_open();
    let begun_open = async { Ok::<_, Fault>(7) }.guarded_by(&breaker);
    assert!(expect_ready(begun_closed).expect_err("refused").is_open());
    breaker.reset();
    assert_eq!(expect_ready(begun_open).ok(), Some(7));
}

#[test]
fn admitted_call_continues_after_trip() {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    let mut polls = 0;
    let dependency = poll_fn(|_| {
        polls += 1;
        if polls < 2 {
            Poll::Pending
        } else {
            Poll::Ready(Ok::<_, Fault>(7))
        }
    });
    let mut call = pin!(dependency.guarded_by(&breaker));
    assert!(poll(call.as_mut()).is_pending());
    breaker.trip();
    let Poll::Ready(result) = poll(call) else {
        panic!("the call must have completed")
    };
    assert_eq!(result.ok(), Some(7));
}

#[test]
fn refused_function_is_not_called() {
    let registry = refusing();
    let sync = || -> Result<(), Fault> { panic!("called") };
    assert!(
        sync.with_breaker(&registry, "x")
            .call()
            .expect_err("refused")
            .is_open()
    );
    let returns_future = |_: u8| -> std::future::Ready<Result<(), Fault>> { panic!("called") };
    let guarded = returns_future.with_breaker(&registry, "x");
    assert!(
        expect_ready(guarded.call(7))
            .expect_err("refused")
            .is_open()
    );
    let error = registry.breaker("x").call(sync).expect_err("refused");
    assert!(error.is_open());
    assert_eq!(success_count(&registry.breaker("x")), Some(0));
}

#[test]
fn refused_future_is_dropped_unpolled() {
    let registry = refusing();
    let held = Rc::new(());
    let holds = held.clone();
    let dependency = async move {
        drop(holds);
        panic!("polled");
        #[allow(unreachable_code)]
        Ok::<_, Fault>(())
    };
    let mut call = Box::pin(dependency.with_breaker(&registry, "x"));
    assert_eq!(Rc::strong_count(&held), 2);
    assert!(poll(call.as_mut()).is_ready());
    assert_eq!(
        Rc::strong_count(&held),
        1,
        "the future is dropped before the guard"
    );
    drop(call);
}

#[test]
fn refused_future_is_dropped_before_fallback_runs() {
    let registry = refusing();
    let holding = |held: Rc<()>| async move {
        drop(held);
        Ok::<u8, Fault>(0)
    };
    let held = Rc::new(());
    let alive = Rc::downgrade(&held);
    let answer = holding(held)
        .with_breaker(&registry, "x")
        .fallback(|_| async { Ok(u8::from(alive.upgrade().is_none())) });
    assert_eq!(expect_ready(answer), Ok(1));

    let held = Rc::new(());
    let alive = Rc::downgrade(&held);
    let function = async move |n: u8| {
        drop(held);
        Ok::<u8, Fault>(n)
    };
    let answer = function
        .with_breaker(&registry, "x")
        .fallback(async |n: u8| Ok(n + u8::from(alive.upgrade().is_none())))
        .call_once(6);
    assert_eq!(expect_ready(answer), Ok(7));
}

#[test]
fn refused_call_with_fallback_is_counted_once() {
    let breaker = CircuitBreaker::builder().build().expect("valid settings");
    breaker.force_open();
    let refused = || async { Ok::<u8, Fault>(0) }.guarded_by(&breaker);
    let mut waiting = Box::pin(refused().fallback(|_| pending()));
    assert!(poll(waiting.as_mut()).is_pending());
    breaker.reset();
    assert!(
        poll(waiting.as_mut()).is_pending(),
        "the call is refused only once"
    );
    drop(waiting);
    drop(refused().fallback(|_| pending()));
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.refused, totals.cancelled, totals.success),
        (1, 0, Some(0))
    );
}

#[test]
fn completed_future_is_dropped_immediately() {
    let registry = BreakerRegistry::new();
    let held = Rc::new(());
    let holds = held.clone();
    let dependency = poll_fn(move |_| Poll::Ready(Ok::<_, Fault>(Rc::strong_count(&holds))));
    let mut call = Box::pin(dependency.with_breaker(&registry, "x"));
    assert!(poll(call.as_mut()).is_ready());
    assert_eq!(Rc::strong_count(&held), 1);
}
