//! Clocks whose coarse reading lags, and clocks that show a wrong time.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::clock::{Clock, ManualClock};
use breakerbox::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The maximum lag that `Clock::recent` may have.
const LAG: Duration = Duration::from_millis(20);

struct Lagging(ManualClock);

impl Clock for Lagging {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn recent(&self) -> Duration {
        self.0.now().saturating_sub(LAG)
    }
}

fn lagging(rule: TripRule) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder().clock(Lagging(clock.clone()));
    let breaker = breaker.trip_rules([rule]).build();
    (breaker.expect("valid settings"), clock)
}

#[test]
fn lagging_clock_keeps_outcomes_in_short_window() {
    const MS: Duration = Duration::from_millis(1);
    let window = Window::time(3 * MS).buckets(3);
    let rule = TripRule::failure_rate(0.5).over(window).minimum_calls(2);
    let (breaker, clock) = lagging(rule);
    clock.advance(1_000 * MS + MS / 2);
    for _ in 0..50 {
        breaker.try_acquire().expect("a closed circuit").success();
    }
    breaker.try_acquire().expect("a closed circuit").failure();
    assert_eq!(breaker.snapshot().rules[0].recorded, 51);
    breaker.try_acquire().expect("a closed circuit").failure();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn lagging_clock_half_opens_at_deadline() {
    let (breaker, clock) = lagging(TripRule::consecutive_failures(1));
    breaker.try_acquire().expect("a closed circuit").failure();
    clock.advance(Duration::from_secs(30) - Duration::from_nanos(1));
    let open = breaker.try_acquire().expect_err("one nanosecond early");
    // `retry_after` uses the coarse reading, so it may be too long by the lag, and never too short.
    let left = open
        .retry_after()
        .expect("the circuit is open until a deadline");
    assert!(left >= Duration::from_nanos(1) && left <= LAG + Duration::from_nanos(1));
    clock.advance(Duration::from_nanos(1));
    breaker
        .try_acquire()
        .expect("the recovery timeout has elapsed")
        .success();
    assert_eq!(breaker.state(), State::Closed);
}

/// A clock that shows the time it was last set to.
#[derive(Clone, Default)]
struct Settable(Arc<AtomicU64>);

impl Settable {
    fn show(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Relaxed);
    }
}

impl Clock for Settable {
    fn now(&self) -> Duration {
        match self.0.load(Relaxed) {
            u64::MAX => Duration::MAX,
            nanos => Duration::from_nanos(nanos),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Wrong times: above the maximum of a clock, the maximum, and nearer ones.
fn wrong_times() -> [Duration; 6] {
    let maximum = Duration::from_nanos(i64::MAX.unsigned_abs());
    [
        Duration::MAX,
        maximum + Duration::from_nanos(1),
        maximum,
        100 * YEAR,
        2 * YEAR,
        3_600 * SECOND,
    ]
}

/// A breaker whose clock shows a thousand seconds.
fn settable_breaker() -> (CircuitBreaker, Settable) {
    let clock = Settable::default();
    clock.show(1_000 * SECOND);
    let builder = CircuitBreaker::builder().failure_threshold(1);
    let breaker = builder.clock(clock.clone()).build().unwrap();
    (breaker, clock)
}

/// Shows `time` for one reading of the breaker, and the correct time for the next one.
fn show_briefly(breaker: &CircuitBreaker, clock: &Settable, time: Duration) {
    let correct = clock.now();
    clock.show(time);
    let _ = breaker.snapshot();
    clock.show(correct);
    let _ = breaker.snapshot();
}

fn advance(clock: &Settable, time: Duration) {
    clock.show(clock.now() + time);
}

fn fail(breaker: &CircuitBreaker) {
    breaker
        .try_acquire()
        .expect("the call is admitted")
        .failure();
}

fn assert_recovers(breaker: &CircuitBreaker, clock: &Settable) {
    advance(clock, 30 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.try_acquire().expect("a trial").success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn wrong_time_before_trip_does_not_delay_recovery() {
    for time in wrong_times() {
        let (breaker, clock) = settable_breaker();
        show_briefly(&breaker, &clock, time);
        fail(&breaker);
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
        assert_recovers(&breaker, &clock);
    }
}

#[test]
fn wrong_time_at_trip_does_not_delay_recovery() {
    for time in wrong_times() {
        let (breaker, clock) = settable_breaker();
        let correct = clock.now();
        clock.show(time);
        fail(&breaker);
        clock.show(correct);
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
        assert_recovers(&breaker, &clock);
    }
}

#[test]
fn wrong_time_while_open_does_not_delay_recovery() {
    for time in wrong_times() {
        let (breaker, clock) = settable_breaker();
        fail(&breaker);
        show_briefly(&breaker, &clock, time);
        assert_recovers(&breaker, &clock);
        fail(&breaker);
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
        assert_recovers(&breaker, &clock);
    }
}

#[test]
fn wrong_time_during_trial_does_not_extend_lease() {
    for time in wrong_times() {
        let (breaker, clock) = settable_breaker();
        breaker.half_open();
        let hung = breaker.try_acquire().expect("a trial");
        show_briefly(&breaker, &clock, time);
        // The lease must have expired after its 30 seconds.
        advance(&clock, 30 * SECOND);
        breaker.try_acquire().expect("the slot is free").success();
        assert_eq!(breaker.state(), State::Closed, "{time:?}");
        drop(hung);
    }
}

#[test]
fn clock_reset_to_zero_does_not_delay_recovery() {
    let (breaker, clock) = settable_breaker();
    fail(&breaker);
    advance(&clock, 10 * SECOND);
    assert_eq!(breaker.open_remaining(), Some(20 * SECOND));
    clock.show(Duration::ZERO);
    assert_eq!(breaker.open_remaining(), Some(20 * SECOND));
    advance(&clock, 20 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn repeated_wrong_times_do_not_delay_recovery() {
    let (breaker, clock) = settable_breaker();
    for time in wrong_times().into_iter().skip(4).cycle().take(50) {
        fail(&breaker);
        show_briefly(&breaker, &clock, time);
        assert_recovers(&breaker, &clock);
    }
}

/// Every second reading is wrong, so there are never two wrong readings in a row.
#[test]
fn alternating_wrong_readings_are_ignored() {
    struct Flickering(ManualClock, AtomicU64, Duration);
    impl Clock for Flickering {
        fn now(&self) -> Duration {
            let wrong = self.1.fetch_add(1, Relaxed) % 2 == 1;
            if wrong { self.2 } else { self.0.now() }
        }
    }
    for time in wrong_times().into_iter().take(5).chain([Duration::ZERO]) {
        let manual = ManualClock::new();
        manual.advance(1_000 * SECOND);
        let clock = Flickering(manual.clone(), AtomicU64::new(0), time);
        let builder = CircuitBreaker::builder().failure_threshold(1);
        let breaker = builder.clock(clock).build().unwrap();
        for _ in 0..100 {
            fail(&breaker);
            manual.advance(29 * SECOND);
            // Two readings, because one of them is wrong.
            let _ = (breaker.snapshot(), breaker.snapshot());
            assert_eq!(breaker.state(), State::Open, "{time:?}");
            manual.advance(SECOND);
            let _ = (breaker.snapshot(), breaker.snapshot());
            assert_eq!(breaker.state(), State::HalfOpen, "{time:?}");
            breaker.try_acquire().expect("a trial").success();
        }
    }
}

#[test]
fn manual_clock_stops_at_maximum_time() {
    let clock = ManualClock::new();
    let maximum = Duration::from_nanos(i64::MAX.unsigned_abs());
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), maximum);
    clock.advance(SECOND);
    assert_eq!(clock.now(), maximum);
    let breaker = CircuitBreaker::builder().clock(clock.clone()).build();
    let breaker = breaker.unwrap();
    breaker.trip();
    assert_eq!(breaker.open_remaining(), Some(30 * SECOND));
}
