//! A panic of the guarded stream is a failure, and propagates unchanged.

use crate::support::{Fault, breaker, next, one_failure, recorded};
use breakerbox::prelude::*;
use futures_util::stream;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::task::Poll;

#[test]
fn panic_is_one_failure() {
    let breaker = breaker();
    let mut polls = 0;
    let panics = stream::poll_fn(|_| {
        polls += 1;
        match polls {
            1 | 3 => Poll::Ready(Some(Ok::<u8, Fault>(1))),
            4 => Poll::Ready(None),
            _ => panic_any(7_u32),
        }
    });
    let mut guarded = panics.guarded_by(&breaker);
    assert!(next(&mut guarded).is_some());
    let payload = catch_unwind(AssertUnwindSafe(|| next(&mut guarded))).expect_err("a panic");
    assert_eq!(payload.downcast_ref(), Some(&7_u32));
    assert_eq!(recorded(&breaker), one_failure());
    assert_eq!(breaker.last_failure().as_deref(), Some("panicked"));
    // A stream that survives its panic passes through, uncounted and without another admission.
    breaker.force_open();
    assert!(next(&mut guarded).expect("an item").is_ok());
    assert!(next(&mut guarded).is_none());
    drop(guarded);
    assert_eq!(recorded(&breaker), one_failure());
}
