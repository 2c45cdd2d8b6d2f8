//! What the trials of a half-open period decide.

use crate::support::{Bench, RECOVERY};
use breakerbox::State;

fn four_trials(successes: u32) -> Bench {
    Bench::half_open(|b| b.half_open_calls(4).success_threshold(successes))
}

#[test]
fn r44_successes_of_calls_begun_before_do_not_close() {
    let bench = Bench::new(|b| b.half_open_calls(2));
    let early = [bench.begin(), bench.begin()];
    bench.trip();
    bench.clock.advance(RECOVERY);
    let trial = bench.begin();
    early.into_iter().for_each(breakerbox::Permit::success);
    assert_eq!(bench.state(), State::HalfOpen);
    assert_eq!(bench.snapshot().totals.late, 2);
    trial.success();
    assert_eq!(bench.state(), State::HalfOpen, "one success of two");
    bench.succeeds();
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn g9_closes_when_all_of_three_trials_succeeded() {
    let bench = Bench::half_open(|b| b.half_open_calls(3));
    bench.succeeds();
    bench.succeeds();
    let third = bench.begin();
    bench.refusal();
    assert_eq!(bench.state(), State::HalfOpen);
    third.success();
    assert_eq!(bench.state(), State::Closed);
    assert_eq!(bench.failure_count(), 0);
    assert_eq!(bench.last_failure(), None);
}

#[test]
fn x5a_reopens_as_soon_as_enough_successes_are_out_of_reach() {
    let bench = four_trials(3);
    bench.succeeds();
    bench.fails();
    bench.succeeds();
    assert_eq!(bench.state(), State::HalfOpen);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.open_remaining(), Some(RECOVERY), "a fresh timeout");
}

#[test]
fn x5b_closes_at_the_last_trial_that_can_still_succeed() {
    let bench = four_trials(3);
    bench.succeeds();
    bench.fails();
    bench.succeeds();
    bench.succeeds();
    assert_eq!(bench.state(), State::Closed);
    assert_eq!(bench.failure_count(), 0);
}

#[test]
fn x6_fewer_successes_needed_leave_room_for_more_failures() {
    let bench = four_trials(2);
    bench.succeeds();
    bench.fails();
    bench.fails();
    assert_eq!(bench.state(), State::HalfOpen);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn r13_two_failures_of_four_leave_three_successes_out_of_reach() {
    let bench = four_trials(3);
    bench.fails();
    bench.succeeds();
    assert_eq!(bench.state(), State::HalfOpen);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn r15_trials_that_succeeded_leave_a_closed_circuit_with_zeros() {
    let bench = four_trials(3);
    bench.fails();
    (0..3).for_each(|_| bench.succeeds());
    assert_eq!(bench.state(), State::Closed);
    assert_eq!((bench.failure_count(), bench.last_failure()), (0, None));
}

#[test]
fn r16_ignored_trials_give_their_slots_back() {
    let bench = four_trials(3);
    bench.succeeds();
    (0..5).for_each(|_| bench.is_cancelled());
    bench.fails();
    bench.succeeds();
    assert_eq!(bench.state(), State::HalfOpen);
    bench.succeeds();
    assert_eq!(bench.state(), State::Closed);
}
