//! A coarse clock that lags as far as it may changes nothing.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::clock::{Clock, ManualClock};
use breakerbox::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The most that is allowed.
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
    (breaker.expect("settings that work"), clock)
}

#[test]
fn what_was_just_recorded_is_in_a_short_window() {
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
fn an_open_circuit_half_opens_at_its_time() {
    let (breaker, clock) = lagging(TripRule::consecutive_failures(1));
    breaker.try_acquire().expect("a closed circuit").failure();
    clock.advance(Duration::from_secs(30) - Duration::from_nanos(1));
    let open = breaker.try_acquire().expect_err("a nanosecond early");
    // By the coarse clock, which never says too little.
    let left = open.retry_after().expect("it is open for a time");
    assert!(left >= Duration::from_nanos(1) && left <= LAG + Duration::from_nanos(1));
    clock.advance(Duration::from_nanos(1));
    breaker.try_acquire().expect("its time has come").success();
    assert_eq!(breaker.state(), State::Closed);
}

/// A clock that shows what it is set to.
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

/// Wrong times: beyond what a clock may show, its last time, far and near ones.
fn wrong_times() -> [Duration; 6] {
    let last = Duration::from_nanos(i64::MAX.unsigned_abs());
    [
        Duration::MAX,
        last + Duration::from_nanos(1),
        last,
        100 * YEAR,
        2 * YEAR,
        3_600 * SECOND,
    ]
}

/// A breaker whose clock shows a thousand seconds.
fn settable() -> (CircuitBreaker, Settable) {
    let clock = Settable::default();
    clock.show(1_000 * SECOND);
    let builder = CircuitBreaker::builder().failure_threshold(1);
    let breaker = builder.clock(clock.clone()).build().unwrap();
    (breaker, clock)
}

/// Shows `time` for as long as it takes the breaker to see it, and the right time again.
fn show_for_a_while(breaker: &CircuitBreaker, clock: &Settable, time: Duration) {
    let right = clock.now();
    clock.show(time);
    let _ = breaker.snapshot();
    clock.show(right);
    let _ = breaker.snapshot();
}

fn advance(clock: &Settable, time: Duration) {
    clock.show(clock.now() + time);
}

fn fail(breaker: &CircuitBreaker) {
    breaker.try_acquire().expect("it admits").failure();
}

fn recovers(breaker: &CircuitBreaker, clock: &Settable) {
    advance(clock, 30 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.try_acquire().expect("a trial").success();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn wrong_time_before_a_trip_delays_no_recovery() {
    for time in wrong_times() {
        let (breaker, clock) = settable();
        show_for_a_while(&breaker, &clock, time);
        fail(&breaker);
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
        recovers(&breaker, &clock);
    }
}

#[test]
fn wrong_time_at_a_trip_delays_no_recovery() {
    for time in wrong_times() {
        let (breaker, clock) = settable();
        let right = clock.now();
        clock.show(time);
        fail(&breaker);
        clock.show(right);
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
        recovers(&breaker, &clock);
    }
}

#[test]
fn wrong_time_of_an_open_circuit_delays_no_recovery() {
    for time in wrong_times() {
        let (breaker, clock) = settable();
        fail(&breaker);
        show_for_a_while(&breaker, &clock, time);
        recovers(&breaker, &clock);
        fail(&breaker);
        assert_eq!(breaker.open_remaining(), Some(30 * SECOND), "{time:?}");
        recovers(&breaker, &clock);
    }
}

#[test]
fn wrong_time_during_a_trial_keeps_no_slot() {
    for time in wrong_times() {
        let (breaker, clock) = settable();
        breaker.half_open();
        let hung = breaker.try_acquire().expect("a trial");
        show_for_a_while(&breaker, &clock, time);
        // The lease lasts 30 seconds at most.
        advance(&clock, 30 * SECOND);
        breaker.try_acquire().expect("its slot").success();
        assert_eq!(breaker.state(), State::Closed, "{time:?}");
        drop(hung);
    }
}

#[test]
fn clock_reset_to_zero_delays_no_recovery() {
    let (breaker, clock) = settable();
    fail(&breaker);
    advance(&clock, 10 * SECOND);
    assert_eq!(breaker.open_remaining(), Some(20 * SECOND));
    clock.show(Duration::ZERO);
    assert_eq!(breaker.open_remaining(), Some(20 * SECOND));
    advance(&clock, 20 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn clock_that_is_wrong_again_and_again_delays_no_recovery() {
    let (breaker, clock) = settable();
    for time in wrong_times().into_iter().skip(4).cycle().take(50) {
        fail(&breaker);
        show_for_a_while(&breaker, &clock, time);
        recovers(&breaker, &clock);
    }
}

/// Every second reading is wrong, and never two in a row.
#[test]
fn every_second_reading_may_be_wrong() {
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
            // Two readings each, of which one is right.
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
fn manual_clock_stops_at_its_last_time() {
    let clock = ManualClock::new();
    let last = Duration::from_nanos(i64::MAX.unsigned_abs());
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), last);
    clock.advance(SECOND);
    assert_eq!(clock.now(), last);
    let breaker = CircuitBreaker::builder().clock(clock.clone()).build();
    let breaker = breaker.unwrap();
    breaker.trip();
    assert_eq!(breaker.open_remaining(), Some(30 * SECOND));
}
