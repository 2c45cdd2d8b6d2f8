//! The presets by traffic: what they open on, and how they behave as layers.
#![cfg(not(loom))]
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::presets::{Balanced, FailFast, RareCalls};
use std::time::Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn build(settings: BreakerBuilder) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let breaker = settings
        .clock(clock.clone())
        .build()
        .expect("a preset is valid");
    (breaker, clock)
}

/// Makes calls 10 ms apart until the circuit opens, at most 1,000. Returns their number.
fn calls_until_open(settings: BreakerBuilder, fails: impl Fn(u32) -> bool) -> Option<u32> {
    let (breaker, clock) = build(settings);
    (1..=1_000).find(|call| {
        clock.advance(ms(10));
        let permit = breaker.try_acquire().expect("the circuit is closed");
        if fails(*call) {
            permit.failure();
        } else {
            permit.success();
        }
        breaker.state() == State::Open
    })
}

#[test]
fn total_outage_opens_every_preset_by_failures_in_a_row() {
    assert_eq!(calls_until_open(Balanced::preset(), |_| true), Some(10));
    assert_eq!(calls_until_open(RareCalls::preset(), |_| true), Some(3));
    assert_eq!(calls_until_open(FailFast::preset(), |_| true), Some(5));
}

#[test]
fn one_replica_of_three_down_opens_only_fail_fast() {
    let third = |call: u32| call % 3 == 0;
    assert_eq!(calls_until_open(Balanced::preset(), third), None);
    assert_eq!(calls_until_open(RareCalls::preset(), third), None);
    assert_eq!(calls_until_open(FailFast::preset(), third), Some(12));
}

#[test]
fn two_replicas_of_three_down_open_balanced_by_its_rate() {
    let two_thirds = |call: u32| call % 3 != 0;
    // The twentieth call completes the minimum, and is a failure.
    assert_eq!(calls_until_open(Balanced::preset(), two_thirds), Some(20));
}

#[test]
fn delay_doubles_up_to_maximum_of_preset() {
    let delays = |settings: BreakerBuilder| {
        let (breaker, _) = build(settings);
        let backoff = breaker.config().recovery_backoff();
        [0, 1, 2, 3, 4, 5].map(|attempt| backoff.delay(attempt).as_secs())
    };
    assert_eq!(delays(Balanced::preset()), [1, 2, 4, 8, 16, 30]);
    assert_eq!(delays(RareCalls::preset()), [1, 2, 4, 8, 16, 30]);
    assert_eq!(delays(FailFast::preset()), [1, 2, 4, 8, 10, 10]);
}

#[test]
fn recovery_timeout_is_first_delay() {
    assert_eq!(Balanced::RECOVERY_TIMEOUT, ms(1_000));
    assert_eq!(RareCalls::RECOVERY_TIMEOUT, ms(1_000));
    assert_eq!(FailFast::RECOVERY_TIMEOUT, ms(1_000));
}

#[test]
fn preset_replaces_rules_of_layers_below() {
    let registry = BreakerRegistry::builder()
        .default_preset(Balanced::preset().half_open_calls(3))
        .preset_for("llm:", FailFast::preset())
        .preset_for("report:", RareCalls::preset())
        .build()
        .unwrap();
    let rules = |name: &str| registry.breaker(name).config().trip_rules().to_vec();
    let alone = |settings: BreakerBuilder| build(settings).0.config().trip_rules().to_vec();
    assert_eq!(rules("users"), alone(Balanced::preset()));
    assert_eq!(rules("llm:eu"), alone(FailFast::preset()));
    assert_eq!(rules("report:monthly"), [TripRule::consecutive_failures(3)]);
    assert_eq!(registry.breaker("llm:eu").config().half_open_calls(), 3);
}

#[test]
fn caller_adds_and_replaces_rules() {
    let slow = TripRule::slow_calls(0.5)
        .slower_than(ms(100))
        .over(Window::calls(10));
    let settings = Balanced::preset().failure_threshold(4).trip_when(slow);
    let rules = build(settings).0.config().trip_rules().to_vec();
    assert_eq!(rules.len(), 3);
    assert!(rules.contains(&TripRule::consecutive_failures(4)) && rules.contains(&slow));
}
