//! Applies at the same time, and calls meanwhile.

use crate::support::{opens_after, toml};
use breakerbox::clock::Clock;
use breakerbox::prelude::*;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

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

/// A clock that does something when it is read for the so-many-th time: user code in the midst of
/// whatever reads a clock, on the same thread.
#[derive(Clone, Default)]
struct Meddling(Arc<Mutex<Option<(usize, Meddle)>>>);

type Meddle = Box<dyn FnOnce() + Send>;

impl Clock for Meddling {
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
        if let Some((_, meddle)) = due {
            meddle();
        }
        Duration::ZERO
    }
}

/// Applies settings, with `meddle` in the midst of it, at every place there is; then `check`.
fn meddled(
    meddle: impl Fn(&BreakerRegistry) + Clone + Send + 'static,
    check: impl Fn(&BreakerRegistry),
) {
    let mut places = 0;
    loop {
        let clock = Meddling::default();
        let registry = BreakerRegistry::builder().clock(clock.clone()).build();
        let registry = registry.unwrap();
        for name in ["a", "b", "c"] {
            registry.breaker(name);
        }
        let (meddle, shared) = (meddle.clone(), registry.clone());
        let meddle: Meddle = Box::new(move || meddle(&shared));
        *clock.0.lock().unwrap() = Some((places, meddle));
        let settings = toml("default.failure_threshold = 2\nbreakers = { b = {}, d = {} }");
        let _ = registry.apply(&settings).unwrap();
        if clock.0.lock().unwrap().take().is_some() {
            break;
        }
        check(&registry);
        places += 1;
    }
    assert!(places >= 4, "it was in the midst of {places} places");
}

#[test]
fn code_in_the_midst_of_it_is_not_lost() {
    meddled(
        |registry| {
            let code = CircuitBreaker::builder()
                .failure_threshold(7)
                .half_open_calls(7);
            registry.register("b", code.clone()).unwrap();
            registry.configure("c", code).unwrap();
        },
        |registry| {
            let c = registry.get("c").unwrap();
            opens_after(&c, 7);
            assert_eq!(registry.get("b").unwrap().config().half_open_calls(), 7);
            opens_after(&registry.get("a").unwrap(), 2);
        },
    );
}

#[test]
fn settings_applied_in_the_midst_of_it_leave_no_mixture() {
    // The second is as if nothing had been applied: it finds breakers that need no change.
    for text in ["default.failure_threshold = 3", ""] {
        meddled(
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
