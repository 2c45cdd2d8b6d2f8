use crate::support::{Bench, Fault, SECOND, poll};
use breakerbox::{BreakerBuilder, BreakerExt, CircuitBreaker, State, TripRule, Window};
use std::pin::pin;
use std::task::Poll;
use tokio::sync::oneshot;

#[test]
fn g1_only_failures_in_a_row_trip_a_consecutive_rule() {
    let bench = Bench::new(|b| b.failure_threshold(6));
    bench.fails_times(5);
    assert_eq!(bench.state(), State::Closed);
    bench.succeeds();
    assert_eq!(bench.failure_count(), 0);
    assert_eq!(bench.last_failure(), None);
    bench.fails();
    assert_eq!(bench.state(), State::Closed);
    bench.fails_times(4);
    assert_eq!(bench.state(), State::Closed);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.failure_count(), 6);
}

#[test]
fn g15_ignored_calls_and_successes_add_up() {
    let bench = Bench::new(BreakerBuilder::expected_error::<Fault>);
    (0..3).for_each(|_| bench.is_cancelled());
    (0..2).for_each(|_| bench.succeeds());
    let unexpected = bench.call(|| Err::<(), _>(std::fmt::Error));
    assert_eq!(
        unexpected.expect_err("an error").into_inner(),
        Some(std::fmt::Error)
    );
    bench.fails_times(2);
    bench.is_cancelled();
    let totals = bench.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.ignored),
        (Some(3), 2, 4)
    );
    assert_eq!(bench.failure_count(), 2);
}

#[test]
fn p31_a_failure_that_comes_after_the_trip_changes_nothing() {
    let bench = Bench::new(|b| b.failure_threshold(2));
    let (fail, dependency) = oneshot::channel::<()>();
    let mut call = pin!(dependency.guarded_by(&*bench));
    assert!(poll(call.as_mut()).is_pending());
    bench.fails_times(2);
    assert_eq!(bench.state(), State::Open);
    bench.clock.advance(SECOND);
    let remaining = bench.open_remaining();
    drop(fail);
    let Poll::Ready(Err(error)) = poll(call) else {
        panic!("the call fails")
    };
    assert!(error.inner().is_some(), "its own error: {error:?}");
    assert_eq!(bench.open_remaining(), remaining);
    assert_eq!(bench.log.changes(), [(State::Closed, State::Open)]);
    assert_eq!(bench.failure_count(), 2);
    assert_eq!(bench.last_failure().as_deref(), Some("Fault"));
    assert_eq!(bench.snapshot().totals.late, 1);
}

#[test]
fn n1_the_last_word_on_the_consecutive_rule_counts() {
    let bench = Bench::new(|b| b.failure_threshold(3).failure_threshold(9));
    bench.fails_times(8);
    assert_eq!(bench.state(), State::Closed);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn n1_trip_rules_replace_all_others() {
    let bench = Bench::new(|b| {
        b.failure_threshold(2)
            .trip_when(TripRule::consecutive_failures(3))
            .trip_rules([TripRule::consecutive_failures(4)])
    });
    bench.fails_times(3);
    assert_eq!(bench.state(), State::Closed);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

/// Only the first of the successes is in the window, and the others in the success buffer.
#[test]
fn failure_reaches_minimum_with_buffered_successes() {
    let rule = TripRule::failure_rate(0.25).over(Window::calls(10));
    let breaker = CircuitBreaker::builder().trip_when(rule.minimum_calls(4));
    let breaker = breaker.build().expect("settings that work");
    (0..3).for_each(|_| drop(breaker.call(|| Ok::<_, &str>(()))));
    assert!(breaker.call(|| Err::<(), _>("down")).is_err());
    assert_eq!(breaker.state(), State::Open);
}
