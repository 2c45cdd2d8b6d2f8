//! The slots of a half-open period: taken, given back, taken over.

use crate::support::{Bench, RECOVERY, SECOND};
use breakerbox::{Outcome, Permit, Refusal, State};

#[test]
fn r12_a_dropped_trial_gives_its_slot_back() {
    let bench = Bench::half_open(|b| b.half_open_calls(4).success_threshold(3));
    let mut trials: Vec<Permit> = (0..4).map(|_| bench.begin()).collect();
    for _ in 0..2 {
        assert_eq!(bench.refusal().reason(), Refusal::TrialsTaken);
    }
    drop(trials.pop());
    trials.push(bench.begin());
    bench.refusal();
    trials.into_iter().take(2).for_each(Permit::failure);
    assert_eq!(bench.state(), State::Open);

    bench.clock.advance(RECOVERY);
    let fresh: Vec<Permit> = (0..4).map(|_| bench.begin()).collect();
    bench.refusal();
    drop(fresh);
}

#[test]
fn r43_calls_begun_before_give_no_slots_back() {
    let bench = Bench::new(|b| b.half_open_calls(2));
    let early: Vec<Permit> = (0..3).map(|_| bench.begin()).collect();
    bench.trip();
    bench.clock.advance(RECOVERY);
    let first = bench.begin();
    for call in early {
        call.record(Outcome::Ignored);
    }
    let second = bench.begin();
    bench.refusal();
    drop((first, second));
}

#[test]
fn r46_trials_that_hang_lose_their_slots() {
    let bench = Bench::half_open(|b| b.half_open_calls(3).trial_timeout(SECOND));
    bench.succeeds();
    let hung = [bench.begin(), bench.begin()];
    assert_eq!(bench.refusal().retry_after(), Some(SECOND));
    bench.clock.advance(SECOND);
    bench.succeeds();
    assert_eq!(bench.state(), State::HalfOpen);
    bench.succeeds();
    assert_eq!(
        bench.state(),
        State::Closed,
        "the success before the lease ran out still counts"
    );
    hung.into_iter().for_each(Permit::failure);
    assert_eq!((bench.state(), bench.failure_count()), (State::Closed, 0));
    assert_eq!(bench.snapshot().totals.late, 2);
}

#[test]
fn r46_lapsed_trial_decides_while_its_period_lasts() {
    let bench = Bench::half_open(|b| b.trial_timeout(SECOND));
    let hung = bench.begin();
    bench.clock.advance(SECOND);
    let next = bench.begin();
    hung.failure();
    assert_eq!(bench.state(), State::Open);
    next.success();
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.snapshot().totals.late, 1);
}

#[test]
fn r46b_no_lease_runs_while_nothing_is_in_flight() {
    let minute = 60 * SECOND;
    let bench = Bench::half_open(|b| b.half_open_calls(3).trial_timeout(SECOND));
    bench.succeeds();
    bench.clock.advance(minute);
    bench.succeeds();
    bench.clock.advance(minute);
    assert_eq!(bench.state(), State::HalfOpen);
    bench.succeeds();
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn p21_a_dropped_trial_decides_nothing() {
    let bench = Bench::half_open(|b| b);
    drop(bench.begin());
    assert_eq!((bench.state(), bench.failure_count()), (State::HalfOpen, 0));
    let totals = bench.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.cancelled),
        (Some(0), 0, 1)
    );
    bench.begin().success();
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn g16_ignored_trials_leave_the_circuit_half_open() {
    let bench = Bench::half_open(|b| b.half_open_calls(2));
    let trials = [bench.begin(), bench.begin()];
    bench.refusal();
    bench.refusal();
    for trial in trials {
        trial.record(Outcome::Ignored);
    }
    assert_eq!(bench.state(), State::HalfOpen);
    bench.succeeds();
    assert_eq!(bench.state(), State::HalfOpen);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
}
