//! Closed circuits: consecutive failures, totals and late outcomes.

use crate::support::{Fault, SECOND, TestBreaker, poll};
use breakerbox::{BreakerBuilder, BreakerExt, CircuitBreaker, State, TripRule, Window};
use std::pin::pin;
use std::task::Poll;
use tokio::sync::oneshot;

#[test]
fn g1_success_resets_consecutive_failures() {
    let breaker = TestBreaker::new(|b| b.failure_threshold(6));
    breaker.fail_times(5);
    assert_eq!(breaker.state(), State::Closed);
    breaker.succeed();
    assert_eq!(breaker.failure_count(), 0);
    assert_eq!(breaker.last_failure(), None);
    breaker.fail();
    assert_eq!(breaker.state(), State::Closed);
    breaker.fail_times(4);
    assert_eq!(breaker.state(), State::Closed);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.failure_count(), 6);
}

#[test]
fn g15_totals_count_every_outcome() {
    let breaker = TestBreaker::new(BreakerBuilder::expected_error::<Fault>);
    (0..3).for_each(|_| breaker.fail_ignored());
    (0..2).for_each(|_| breaker.succeed());
    let unexpected = breaker.call(|| Err::<(), _>(std::fmt::Error));
    assert_eq!(
        unexpected.expect_err("the call fails").into_inner(),
        Some(std::fmt::Error)
    );
    breaker.fail_times(2);
    breaker.fail_ignored();
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.ignored),
        (Some(3), 2, 4)
    );
    assert_eq!(breaker.failure_count(), 2);
}

#[test]
fn p31_late_failure_changes_nothing() {
    let breaker = TestBreaker::new(|b| b.failure_threshold(2));
    let (fail, dependency) = oneshot::channel::<()>();
    let mut call = pin!(dependency.guarded_by(&*breaker));
    assert!(poll(call.as_mut()).is_pending());
    breaker.fail_times(2);
    assert_eq!(breaker.state(), State::Open);
    breaker.clock.advance(SECOND);
    let remaining = breaker.open_remaining();
    drop(fail);
    let Poll::Ready(Err(error)) = poll(call) else {
        panic!("the call must fail")
    };
    assert!(
        error.inner().is_some(),
        "not the call's own error: {error:?}"
    );
    assert_eq!(breaker.open_remaining(), remaining);
    assert_eq!(breaker.log.changes(), [(State::Closed, State::Open)]);
    assert_eq!(breaker.failure_count(), 2);
    assert_eq!(breaker.last_failure().as_deref(), Some("Fault"));
    assert_eq!(breaker.snapshot().totals.late, 1);
}

#[test]
fn n1_last_failure_threshold_wins() {
    let breaker = TestBreaker::new(|b| b.failure_threshold(3).failure_threshold(9));
    breaker.fail_times(8);
    assert_eq!(breaker.state(), State::Closed);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn n1_trip_rules_replace_earlier_rules() {
    let breaker = TestBreaker::new(|b| {
        b.failure_threshold(2)
            .trip_when(TripRule::consecutive_failures(3))
            .trip_rules([TripRule::consecutive_failures(4)])
    });
    breaker.fail_times(3);
    assert_eq!(breaker.state(), State::Closed);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

/// Only the first success is in the window. The others are still in the success buffer.
#[test]
fn failure_reaches_minimum_with_buffered_successes() {
    let rule = TripRule::failure_rate(0.25).over(Window::calls(10));
    let breaker = CircuitBreaker::builder().trip_when(rule.minimum_calls(4));
    let breaker = breaker.build().expect("valid settings");
    (0..3).for_each(|_| drop(breaker.call(|| Ok::<_, &str>(()))));
    assert!(breaker.call(|| Err::<(), _>("down")).is_err());
    assert_eq!(breaker.state(), State::Open);
}
