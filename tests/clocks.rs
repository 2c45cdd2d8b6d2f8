//! A coarse clock that lags as far as it may changes nothing.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::clock::{Clock, ManualClock};
use breakerbox::prelude::*;
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
