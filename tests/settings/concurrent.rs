//! Applies at the same time, and calls meanwhile.

use crate::support::{opens_after, toml};
use breakerbox::prelude::*;
use std::sync::Barrier;
use std::thread;

#[test]
fn whoever_is_last_wins_with_all_of_it() {
    for _ in 0..100 {
        let registry = BreakerRegistry::new();
        for n in 0..20 {
            registry.breaker(format!("n{n}"));
        }
        let start = Barrier::new(5);
        thread::scope(|scope| {
            for failures in [2, 3, 4] {
                let (registry, start) = (&registry, &start);
                scope.spawn(move || {
                    let text = format!(
                        "default.failure_threshold = {failures}\nbreakers.a{failures} = {{}}\nbreakers.a.failure_threshold = {failures}"
                    );
                    let settings = toml(&text);
                    start.wait();
                    let _ = registry.apply(&settings).unwrap();
                });
            }
            for thread in 0..2 {
                let (registry, start) = (&registry, &start);
                scope.spawn(move || {
                    start.wait();
                    for n in 0..30 {
                        registry.breaker(format!("t{thread}:{n}"));
                    }
                });
            }
        });
        let rules = registry.breaker("a").config().trip_rules().to_vec();
        for breaker in &registry {
            assert_eq!(breaker.config().trip_rules(), rules, "{}", breaker.name());
        }
        assert_eq!(registry.breaker("new").config().trip_rules(), rules);
        assert_eq!(registry.len(), 20 + 60 + 4 + 1);
    }
}

#[test]
fn code_that_configures_meanwhile_is_not_lost_beneath() {
    for _ in 0..200 {
        let registry = BreakerRegistry::new();
        let a = registry.breaker("a");
        let settings = toml("breakers.a.failure_threshold = 2");
        let start = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                let _ = registry.apply(&settings).unwrap();
            });
            scope.spawn(|| {
                start.wait();
                let code = CircuitBreaker::builder()
                    .failure_threshold(7)
                    .half_open_calls(7);
                registry.register("a", code).unwrap();
            });
        });
        // In either order: code's settings, and the document's on top.
        opens_after(&a, 2);
        assert_eq!(a.config().half_open_calls(), 7);
    }
}

#[test]
fn presets_that_code_gives_meanwhile_hold_nobody_up() {
    for _ in 0..200 {
        let registry = BreakerRegistry::new();
        for n in 0..20 {
            registry.breaker(format!("n{n}"));
        }
        let settings = toml("default.failure_threshold = 2\nbreakers.a = {}");
        let start = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                let _ = registry.apply(&settings).unwrap();
            });
            scope.spawn(|| {
                start.wait();
                for n in 0..20 {
                    let preset = CircuitBreaker::builder();
                    registry.preset_for(format!("x{n}:"), preset).unwrap();
                }
            });
        });
        for breaker in &registry {
            opens_after(&breaker, 2);
        }
    }
}
