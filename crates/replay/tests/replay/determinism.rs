//! The same seed gives the same bytes, whatever the number of threads.

use breakerbox::presets::{Balanced, FailFast};
use breakerbox::{Backoff, CircuitBreaker, Preset};
use breakerbox_replay::{Call, Candidate, Instances, Replay, Scenario, Survey};
use std::time::Duration;

fn traffic() -> Vec<Call> {
    let one = Scenario::steady(40.0).outage(30..90, 0.5).named("users");
    let other = Scenario::steady(10.0)
        .slow(60..80, 1.0, Duration::from_secs(3))
        .seeded(1);
    let other = other.named("mail");
    let mut calls: Vec<Call> = one.calls().chain(other.calls()).collect();
    calls.sort_by_key(|call| call.start);
    calls
}

fn replay(threads: usize, seed: u64) -> String {
    let calls = traffic();
    let jitter = Backoff::exponential(Duration::from_secs(1)).jitter(0.3);
    let jittered = CircuitBreaker::builder().recovery_backoff(jitter);
    let candidates = [
        ("default", CircuitBreaker::builder()),
        ("balanced", Balanced::preset()),
        ("fast", FailFast::preset()),
        ("jittered", jittered),
    ];
    let candidates = candidates.map(|(label, settings)| Candidate::new(label, settings).unwrap());
    let replayed = Replay::new(&Survey::of(&calls))
        .candidates(candidates)
        .instances(Instances::Dealt { count: 3, seed })
        .threads(threads)
        .seed(seed)
        .run(&calls);
    serde_json::to_string(&replayed).unwrap()
}

#[test]
fn threads_change_no_byte() {
    let one = replay(1, 7);
    assert!(one.len() > 10_000, "{one}");
    assert_eq!(one, replay(2, 7));
    assert_eq!(one, replay(8, 7));
    assert_eq!(one, replay(100, 7));
}

#[test]
fn seed_changes_dealing_and_jitter() {
    assert_ne!(replay(1, 7), replay(1, 8));
}

#[test]
fn scenario_repeats_its_calls() {
    let calls = |seed| {
        Scenario::steady(50.0)
            .outage(6..18, 0.3)
            .seeded(seed)
            .calls()
    };
    assert!(calls(1).eq(calls(1)));
    assert!(!calls(1).eq(calls(2)));
}

#[test]
fn shifts_vary_recovery_only() {
    let calls: Vec<_> = Scenario::steady(50.0)
        .outage(60..180, 1.0)
        .calls()
        .collect();
    let replayed = Replay::new(&Survey::of(&calls))
        .candidate(Candidate::new("default", CircuitBreaker::builder()).unwrap())
        .run(&calls);
    let results = &replayed.candidates[0];
    assert_eq!(results.shifts.len(), 20);
    let detected = results.spread(|figures| figures.detected);
    assert_eq!(detected.min, detected.max);
    let recovered = results.spread(|figures| figures.recovered);
    assert!(recovered.min < recovered.max, "{recovered:?}");
    let alone = Scenario::steady(50.0)
        .outage(60..180, 1.0)
        .replay(CircuitBreaker::builder());
    assert_eq!(results.figures().bad_refused, alone.bad_refused);
}
