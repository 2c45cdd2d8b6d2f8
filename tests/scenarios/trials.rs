//! Trial slots of a half-open circuit: how calls take, free and lose them.

use crate::support::{RECOVERY, SECOND, TestBreaker};
use breakerbox::{Outcome, Permit, Refusal, State};

#[test]
fn r12_dropped_trial_frees_its_slot() {
    let breaker = TestBreaker::half_open(|b| b.half_open_calls(4).success_threshold(3));
    let mut trials: Vec<Permit> = (0..4).map(|_| breaker.acquire()).collect();
    for _ in 0..2 {
        assert_eq!(breaker.expect_refusal().reason(), Refusal::TrialsTaken);
    }
    drop(trials.pop());
    trials.push(breaker.acquire());
    breaker.expect_refusal();
    trials.into_iter().take(2).for_each(Permit::failure);
    assert_eq!(breaker.state(), State::Open);

    breaker.clock.advance(RECOVERY);
    let fresh: Vec<Permit> = (0..4).map(|_| breaker.acquire()).collect();
    breaker.expect_refusal();
    drop(fresh);
}

#[test]
fn r43_earlier_calls_free_no_slots() {
    let breaker = TestBreaker::new(|b| b.half_open_calls(2));
    let early: Vec<Permit> = (0..3).map(|_| breaker.acquire()).collect();
    breaker.trip();
    breaker.clock.advance(RECOVERY);
    let first = breaker.acquire();
    for call in early {
        call.record(Outcome::Ignored);
    }
    let second = breaker.acquire();
    breaker.expect_refusal();
    drop((first, second));
}

#[test]
fn r46_hung_trials_lose_their_slots() {
    let breaker = TestBreaker::half_open(|b| b.half_open_calls(3).trial_timeout(SECOND));
    breaker.succeed();
    let hung = [breaker.acquire(), breaker.acquire()];
    assert_eq!(breaker.expect_refusal().retry_after(), Some(SECOND));
    breaker.clock.advance(SECOND);
    breaker.succeed();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.succeed();
    assert_eq!(
        breaker.state(),
        State::Closed,
        "the success before the lease expired still counts"
    );
    hung.into_iter().for_each(Permit::failure);
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (State::Closed, 0)
    );
    assert_eq!(breaker.snapshot().totals.late, 2);
}

#[test]
fn r46_expired_trial_decides_within_its_period() {
    let breaker = TestBreaker::half_open(|b| b.trial_timeout(SECOND));
    let hung = breaker.acquire();
    breaker.clock.advance(SECOND);
    let next = breaker.acquire();
    hung.failure();
    assert_eq!(breaker.state(), State::Open);
    next.success();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().totals.late, 1);
}

#[test]
fn r46b_idle_half_open_circuit_has_no_lease() {
    let minute = 60 * SECOND;
    let breaker = TestBreaker::half_open(|b| b.half_open_calls(3).trial_timeout(SECOND));
    breaker.succeed();
    breaker.clock.advance(minute);
    breaker.succeed();
    breaker.clock.advance(minute);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.succeed();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn p21_dropped_trial_decides_nothing() {
    let breaker = TestBreaker::half_open(|b| b);
    drop(breaker.acquire());
    assert_eq!(
        (breaker.state(), breaker.failure_count()),
        (State::HalfOpen, 0)
    );
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.cancelled),
        (Some(0), 0, 1)
    );
    breaker.acquire().success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn g16_ignored_trials_keep_circuit_half_open() {
    let breaker = TestBreaker::half_open(|b| b.half_open_calls(2));
    let trials = [breaker.acquire(), breaker.acquire()];
    breaker.expect_refusal();
    breaker.expect_refusal();
    for trial in trials {
        trial.record(Outcome::Ignored);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.succeed();
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
}
