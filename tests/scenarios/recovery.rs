//! Recovery of open circuits: when they become half-open, and how the backoff grows.

use crate::support::{RECOVERY, SECOND, TestBreaker, ms};
use breakerbox::{Backoff, Refusal, State};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn r8_recovery_timeout_end_is_inclusive() {
    let breaker = TestBreaker::new(|b| b);
    breaker.trip();
    breaker.clock.advance(ms(4_999));
    let open = breaker.expect_refusal();
    assert_eq!(
        (open.reason(), open.retry_after()),
        (Refusal::Open, Some(ms(1)))
    );
    breaker.clock.advance(ms(1));
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.open_remaining(), None);
    breaker.acquire().success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn r9_trip_for_sets_open_duration() {
    let breaker = TestBreaker::new(|b| b);
    breaker.trip_for(2 * HOUR);
    breaker.clock.advance(HOUR);
    assert_eq!(breaker.expect_refusal().retry_after(), Some(HOUR));
    breaker.clock.advance(HOUR);
    breaker.acquire().success();
}

#[test]
fn r11_failed_recovery_backs_off() {
    let backoff = Backoff::exponential(RECOVERY).factor(1.5);
    let breaker = TestBreaker::new(|b| b.recovery_backoff(backoff));
    breaker.trip();
    breaker.clock.advance(3 * SECOND);
    breaker.expect_refusal();
    breaker.clock.advance(2 * SECOND);
    breaker.fail();
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.open_remaining(), Some(ms(7_500)));
    breaker.clock.advance(6 * SECOND);
    breaker.expect_refusal();
    breaker.clock.advance(ms(1_500));
    breaker.acquire().success();
    breaker.trip();
    assert_eq!(
        breaker.open_remaining(),
        Some(ms(11_250)),
        "the closed period was shorter than the last open period"
    );
}

#[test]
fn r42_reset_discards_earlier_deadline() {
    let breaker = TestBreaker::new(|b| b.recovery_timeout(SECOND));
    breaker.trip();
    breaker.clock.advance(ms(500));
    breaker.reset();
    assert_eq!(breaker.state(), State::Closed);
    breaker.trip();
    breaker.clock.advance(ms(500));
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.expect_refusal().retry_after(), Some(ms(500)));
    breaker.clock.advance(ms(500));
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn p17_attempts_count_until_reset() {
    let breaker = TestBreaker::new(|b| b.failure_threshold(1));
    let attempts = |periods: usize| -> Vec<u32> {
        let period = |_| {
            breaker.fail();
            assert_eq!(breaker.state(), State::Open);
            let attempt = breaker.snapshot().attempt;
            breaker.clock.advance(RECOVERY);
            attempt
        };
        (0..periods).map(period).collect()
    };
    assert_eq!(attempts(5), [0, 1, 2, 3, 4]);
    breaker.reset();
    assert_eq!(attempts(3), [0, 1, 2]);
}

#[test]
fn p20_first_call_after_timeout_is_the_trial() {
    let breaker = TestBreaker::new(|b| b);
    breaker.trip();
    breaker.clock.advance(RECOVERY);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(
        breaker.log.changes(),
        [(State::Closed, State::Open)],
        "reading the state sends no event"
    );
    let trial = breaker.acquire();
    let taken = breaker.expect_refusal();
    assert_eq!(
        (taken.reason(), taken.state()),
        (Refusal::TrialsTaken, State::HalfOpen)
    );
    let both = [(State::Closed, State::Open), (State::Open, State::HalfOpen)];
    assert_eq!(breaker.log.changes(), both);
    trial.success();
    assert_eq!(
        breaker.log.changes().last(),
        Some(&(State::HalfOpen, State::Closed))
    );
}

#[test]
fn e6_maximum_recovery_timeout_never_half_opens() {
    let breaker = TestBreaker::new(|b| b.recovery_timeout(Duration::MAX).failure_threshold(1));
    breaker.clock.advance(SECOND);
    breaker.fail();
    for time in [Duration::ZERO, HOUR, Duration::MAX, Duration::MAX] {
        breaker.clock.advance(time);
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(breaker.open_remaining(), Some(Duration::MAX));
        assert_eq!(breaker.expect_refusal().retry_after(), Some(Duration::MAX));
    }
    breaker.reset();
    breaker.succeed();
}

#[test]
fn attempts_reset_after_lasting_recovery() {
    let breaker = TestBreaker::new(|b| b.failure_threshold(1));
    breaker.fail();
    breaker.clock.advance(RECOVERY);
    breaker.fail();
    assert_eq!(breaker.snapshot().attempt, 1);
    breaker.clock.advance(RECOVERY);
    breaker.succeed();
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().attempt, 1);
    breaker.clock.advance(ms(4_999));
    assert_eq!(breaker.snapshot().attempt, 1);
    breaker.clock.advance(ms(1));
    assert_eq!(breaker.snapshot().attempt, 0);
}

#[test]
fn snapshot_past_deadline_measures_since_deadline() {
    for before_deadline in [ms(1), ms(4_999), 60 * SECOND] {
        let open_for = before_deadline + ms(1);
        let breaker = TestBreaker::new(|b| b);
        breaker.clock.advance(SECOND);
        breaker.trip_for(open_for);
        let state_since = || {
            let snapshot = breaker.snapshot();
            (snapshot.state, snapshot.since)
        };
        assert_eq!(state_since(), (State::Open, Duration::ZERO));
        breaker.clock.advance(before_deadline);
        assert_eq!(state_since(), (State::Open, before_deadline));
        breaker.clock.advance(ms(1));
        assert_eq!(state_since(), (State::HalfOpen, Duration::ZERO));
        breaker.clock.advance(3 * SECOND);
        assert_eq!(state_since(), (State::HalfOpen, 3 * SECOND));
        let trial = breaker.acquire();
        assert_eq!(state_since(), (State::HalfOpen, Duration::ZERO));
        breaker.clock.advance(2 * SECOND);
        assert_eq!(state_since(), (State::HalfOpen, 2 * SECOND));
        trial.success();
        assert_eq!(state_since(), (State::Closed, Duration::ZERO));
    }
}

#[test]
fn snapshot_measures_since_latest_deadline() {
    let breaker = TestBreaker::new(|b| b);
    breaker.trip();
    breaker.clock.advance(SECOND);
    breaker.trip_for(10 * SECOND);
    breaker.clock.advance(12 * SECOND);
    let snapshot = breaker.snapshot();
    assert_eq!(
        (snapshot.state, snapshot.since),
        (State::HalfOpen, 2 * SECOND)
    );
    assert_eq!((snapshot.open_remaining, snapshot.in_flight), (None, None));
}
