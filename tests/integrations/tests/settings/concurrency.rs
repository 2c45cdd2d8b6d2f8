//! Concurrent and nested calls of `apply`, `register`, `configure` and `preset_for`.

use crate::support::{assert_opens_after, toml};
use breakerbox::clock::Clock;
use breakerbox::prelude::*;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

#[test]
fn concurrent_applies_leave_one_document() {
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
fn concurrent_register_is_kept_beneath_document() {
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
        // The document overrides the settings from code in either order.
        assert_opens_after(&a, 2);
        assert_eq!(a.config().half_open_calls(), 7);
    }
}

#[test]
fn concurrent_presets_do_not_block_apply() {
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
            assert_opens_after(&breaker, 2);
        }
    }
}

/// A clock that runs a hook after a number of readings, on the thread that reads the clock.
#[derive(Clone, Default)]
struct HookedClock(Arc<Mutex<Option<(usize, Hook)>>>);

type Hook = Box<dyn FnOnce() + Send>;

impl Clock for HookedClock {
    fn now(&self) -> Duration {
        let mut armed = self.0.lock().unwrap();
        let due = match &mut *armed {
            Some((0, _)) => armed.take(),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        drop(armed);
        if let Some((_, hook)) = due {
            hook();
        }
        Duration::ZERO
    }
}

/// Applies settings once for each reading of the clock, runs `hook` during that reading, and then
/// runs `check`.
fn apply_with_hook(
    hook: impl Fn(&BreakerRegistry) + Clone + Send + 'static,
    check: impl Fn(&BreakerRegistry),
) {
    let mut readings = 0;
    loop {
        let clock = HookedClock::default();
        let registry = BreakerRegistry::builder().clock(clock.clone()).build();
        let registry = registry.unwrap();
        for name in ["a", "b", "c"] {
            registry.breaker(name);
        }
        let (hook, shared) = (hook.clone(), registry.clone());
        let hook: Hook = Box::new(move || hook(&shared));
        *clock.0.lock().unwrap() = Some((readings, hook));
        let settings = toml("default.failure_threshold = 2\nbreakers = { b = {}, d = {} }");
        let _ = registry.apply(&settings).unwrap();
        if clock.0.lock().unwrap().take().is_some() {
            break;
        }
        check(&registry);
        readings += 1;
    }
    assert!(readings >= 4, "`apply` read the clock {readings} times");
}

#[test]
fn register_during_apply_is_kept() {
    apply_with_hook(
        |registry| {
            let code = CircuitBreaker::builder()
                .failure_threshold(7)
                .half_open_calls(7);
            registry.register("b", code.clone()).unwrap();
            registry.configure("c", code).unwrap();
        },
        |registry| {
            let c = registry.get("c").unwrap();
            assert_opens_after(&c, 7);
            assert_eq!(registry.get("b").unwrap().config().half_open_calls(), 7);
            assert_opens_after(&registry.get("a").unwrap(), 2);
        },
    );
}

#[test]
fn nested_apply_leaves_one_document() {
    // The empty document is equal to the state before, so it finds breakers that need no change.
    for text in ["default.failure_threshold = 3", ""] {
        apply_with_hook(
            move |registry| {
                let _ = registry.apply(&toml(text)).unwrap();
            },
            |registry| {
                let rules = registry.breaker("new").config().trip_rules().to_vec();
                for breaker in registry {
                    assert_eq!(breaker.config().trip_rules(), rules, "{}", breaker.name());
                }
            },
        );
    }
}
