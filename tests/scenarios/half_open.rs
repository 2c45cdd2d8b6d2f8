//! Half-open circuits: how the outcomes of trials close or reopen them.

use crate::support::{RECOVERY, TestBreaker};
use breakerbox::State;

fn four_trials(successes: u32) -> TestBreaker {
    TestBreaker::half_open(|b| b.half_open_calls(4).success_threshold(successes))
}

#[test]
fn r44_earlier_calls_do_not_close_circuit() {
    let breaker = TestBreaker::new(|b| b.half_open_calls(2));
    let early = [breaker.acquire(), breaker.acquire()];
    breaker.trip();
    breaker.clock.advance(RECOVERY);
    let trial = breaker.acquire();
    early.into_iter().for_each(breakerbox::Permit::success);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.snapshot().totals.late, 2);
    trial.success();
    assert_eq!(breaker.state(), State::HalfOpen, "one success of two");
    breaker.succeed();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn g9_circuit_closes_after_three_successes() {
    let breaker = TestBreaker::half_open(|b| b.half_open_calls(3));
    breaker.succeed();
    breaker.succeed();
    let third = breaker.acquire();
    breaker.expect_refusal();
    assert_eq!(breaker.state(), State::HalfOpen);
    third.success();
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.failure_count(), 0);
    assert_eq!(breaker.last_failure(), None);
}

#[test]
fn x5a_circuit_reopens_when_threshold_is_unreachable() {
    let breaker = four_trials(3);
    breaker.succeed();
    breaker.fail();
    breaker.succeed();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(
        breaker.open_remaining(),
        Some(RECOVERY),
        "a full recovery timeout"
    );
}

#[test]
fn x5b_circuit_closes_at_last_trial() {
    let breaker = four_trials(3);
    breaker.succeed();
    breaker.fail();
    breaker.succeed();
    breaker.succeed();
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.failure_count(), 0);
}

#[test]
fn x6_lower_success_threshold_allows_more_failures() {
    let breaker = four_trials(2);
    breaker.succeed();
    breaker.fail();
    breaker.fail();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn r13_second_failure_reopens_circuit() {
    let breaker = four_trials(3);
    breaker.fail();
    breaker.succeed();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn r15_closing_resets_failure_count() {
    let breaker = four_trials(3);
    breaker.fail();
    (0..3).for_each(|_| breaker.succeed());
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!((breaker.failure_count(), breaker.last_failure()), (0, None));
}

#[test]
fn r16_ignored_trials_free_their_slots() {
    let breaker = four_trials(3);
    breaker.succeed();
    (0..5).for_each(|_| breaker.fail_ignored());
    breaker.fail();
    breaker.succeed();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.succeed();
    assert_eq!(breaker.state(), State::Closed);
}
