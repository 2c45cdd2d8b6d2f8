//! From open to half-open: by time, and when.

use crate::support::{Bench, RECOVERY, SECOND, ms};
use breakerbox::{Backoff, Refusal, State};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn r8_the_end_of_the_recovery_timeout_is_inclusive() {
    let bench = Bench::new(|b| b);
    bench.trip();
    bench.clock.advance(ms(4_999));
    let open = bench.refusal();
    assert_eq!(
        (open.reason(), open.retry_after()),
        (Refusal::Open, Some(ms(1)))
    );
    bench.clock.advance(ms(1));
    assert_eq!(bench.state(), State::HalfOpen);
    assert_eq!(bench.open_remaining(), None);
    bench.begin().success();
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn r9_a_circuit_opens_for_as_long_as_it_is_told() {
    let bench = Bench::new(|b| b);
    bench.trip_for(2 * HOUR);
    bench.clock.advance(HOUR);
    assert_eq!(bench.refusal().retry_after(), Some(HOUR));
    bench.clock.advance(HOUR);
    bench.begin().success();
}

#[test]
fn r11_each_failed_recovery_waits_longer() {
    let backoff = Backoff::exponential(RECOVERY).factor(1.5);
    let bench = Bench::new(|b| b.recovery_backoff(backoff));
    bench.trip();
    bench.clock.advance(3 * SECOND);
    bench.refusal();
    bench.clock.advance(2 * SECOND);
    bench.fails();
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.open_remaining(), Some(ms(7_500)));
    bench.clock.advance(6 * SECOND);
    bench.refusal();
    bench.clock.advance(ms(1_500));
    bench.begin().success();
    bench.trip();
    assert_eq!(
        bench.open_remaining(),
        Some(ms(11_250)),
        "it was closed for less than the last opening lasted"
    );
}

#[test]
fn r42_a_reset_leaves_nothing_of_an_earlier_trip() {
    let bench = Bench::new(|b| b.recovery_timeout(SECOND));
    bench.trip();
    bench.clock.advance(ms(500));
    bench.reset();
    assert_eq!(bench.state(), State::Closed);
    bench.trip();
    bench.clock.advance(ms(500));
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.refusal().retry_after(), Some(ms(500)));
    bench.clock.advance(ms(500));
    assert_eq!(bench.state(), State::HalfOpen);
}

#[test]
fn p17_attempts_are_counted_until_a_reset() {
    let bench = Bench::new(|b| b.failure_threshold(1));
    let attempts = |periods: usize| -> Vec<u32> {
        let period = |_| {
            bench.fails();
            assert_eq!(bench.state(), State::Open);
            let attempt = bench.snapshot().attempt;
            bench.clock.advance(RECOVERY);
            attempt
        };
        (0..periods).map(period).collect()
    };
    assert_eq!(attempts(5), [0, 1, 2, 3, 4]);
    bench.reset();
    assert_eq!(attempts(3), [0, 1, 2]);
}

#[test]
fn p20_the_first_call_after_the_recovery_timeout_is_the_trial() {
    let bench = Bench::new(|b| b);
    bench.trip();
    bench.clock.advance(RECOVERY);
    assert_eq!(bench.state(), State::HalfOpen);
    assert_eq!(
        bench.log.changes(),
        [(State::Closed, State::Open)],
        "reading sends nothing"
    );
    let trial = bench.begin();
    let taken = bench.refusal();
    assert_eq!(
        (taken.reason(), taken.state()),
        (Refusal::TrialsTaken, State::HalfOpen)
    );
    let both = [(State::Closed, State::Open), (State::Open, State::HalfOpen)];
    assert_eq!(bench.log.changes(), both);
    trial.success();
    assert_eq!(
        bench.log.changes().last(),
        Some(&(State::HalfOpen, State::Closed))
    );
}

#[test]
fn e6_a_circuit_that_opens_for_ever_stays_open() {
    let bench = Bench::new(|b| b.recovery_timeout(Duration::MAX).failure_threshold(1));
    bench.clock.advance(SECOND);
    bench.fails();
    for time in [Duration::ZERO, HOUR, Duration::MAX, Duration::MAX] {
        bench.clock.advance(time);
        assert_eq!(bench.state(), State::Open);
        assert_eq!(bench.open_remaining(), Some(Duration::MAX));
        assert_eq!(bench.refusal().retry_after(), Some(Duration::MAX));
    }
    bench.reset();
    bench.succeeds();
}

#[test]
fn attempts_are_forgotten_once_recovery_has_lasted() {
    let bench = Bench::new(|b| b.failure_threshold(1));
    bench.fails();
    bench.clock.advance(RECOVERY);
    bench.fails();
    assert_eq!(bench.snapshot().attempt, 1);
    bench.clock.advance(RECOVERY);
    bench.succeeds();
    assert_eq!(bench.state(), State::Closed);
    assert_eq!(bench.snapshot().attempt, 1);
    bench.clock.advance(ms(4_999));
    assert_eq!(bench.snapshot().attempt, 1);
    bench.clock.advance(ms(1));
    assert_eq!(bench.snapshot().attempt, 0);
}

#[test]
fn snapshot_past_deadline_counts_since_deadline() {
    for almost in [ms(1), ms(4_999), 60 * SECOND] {
        let open_for = almost + ms(1);
        let bench = Bench::new(|b| b);
        bench.clock.advance(SECOND);
        bench.trip_for(open_for);
        let shown = || {
            let snapshot = bench.snapshot();
            (snapshot.state, snapshot.since)
        };
        assert_eq!(shown(), (State::Open, Duration::ZERO));
        bench.clock.advance(almost);
        assert_eq!(shown(), (State::Open, almost));
        bench.clock.advance(ms(1));
        assert_eq!(shown(), (State::HalfOpen, Duration::ZERO));
        bench.clock.advance(3 * SECOND);
        assert_eq!(shown(), (State::HalfOpen, 3 * SECOND));
        let trial = bench.begin();
        assert_eq!(shown(), (State::HalfOpen, Duration::ZERO));
        bench.clock.advance(2 * SECOND);
        assert_eq!(shown(), (State::HalfOpen, 2 * SECOND));
        trial.success();
        assert_eq!(shown(), (State::Closed, Duration::ZERO));
    }
}

#[test]
fn snapshot_counts_since_latest_deadline() {
    let bench = Bench::new(|b| b);
    bench.trip();
    bench.clock.advance(SECOND);
    bench.trip_for(10 * SECOND);
    bench.clock.advance(12 * SECOND);
    let snapshot = bench.snapshot();
    assert_eq!(
        (snapshot.state, snapshot.since),
        (State::HalfOpen, 2 * SECOND)
    );
    assert_eq!((snapshot.open_remaining, snapshot.in_flight), (None, None));
}
