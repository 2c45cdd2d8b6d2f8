//! Series of breakers that are evicted, removed or created again.

use crate::support::{Page, Prometheus, fail, succeed, with_capacity};
use breakerbox::clock::{Clock, ManualClock};
use breakerbox::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

#[test]
fn returning_name_continues_from_reported_counters() {
    let registry = with_capacity(1);
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    for round in 1..=5_u32 {
        (0..3).for_each(|_| succeed(&registry.breaker("users")));
        let page = prometheus.report(&reporter);
        let expected = Some(f64::from(3 * round));
        assert_eq!(page.calls("users", "success"), expected, "round {round}");
        // Not reported before the breaker leaves.
        succeed(&registry.breaker("users"));
        // Evicts `users`, and is evicted by it in the next round.
        fail(&registry.breaker("other"));
        assert!(registry.get("users").is_none());
        if round % 2 == 0 {
            let page = prometheus.report(&reporter);
            assert_eq!(page.calls("users", "success"), expected, "round {round}");
            assert_eq!(
                page.state("users", "closed"),
                Some(0.0),
                "the breaker was evicted"
            );
            assert_eq!(page.state("other", "closed"), Some(1.0));
        }
    }
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("users", "success"), Some(15.0));
    // One failure in each of the rounds 2, 4 and 5.
    assert_eq!(page.calls("other", "failure"), Some(3.0));
}

#[test]
fn removed_breaker_keeps_reported_counters_only() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let old = registry.breaker("users");
    fail(&old);
    old.force_open();
    prometheus.report(&reporter);
    fail(&old);
    registry.remove("users");
    fail(&old);
    let page = prometheus.report(&reporter);
    assert_eq!(page.changes("users", "closed", "forced_open"), Some(1.0));
    assert_eq!(page.calls("users", "refused"), Some(0.0));
    assert_eq!(page.state("users", "forced_open"), Some(0.0));

    // Its successor is another breaker under the same name, with fewer failures than were reported.
    succeed(&registry.breaker("users"));
    fail(&old);
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("users", "failure"), Some(1.0));
    assert_eq!(page.calls("users", "success"), Some(1.0));
    assert_eq!(page.calls("users", "refused"), Some(0.0));
    assert_eq!(page.state("users", "closed"), Some(1.0));
    assert_eq!(page.state("users", "forced_open"), Some(0.0));
    fail(&registry.breaker("users"));
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("users", "failure"), Some(2.0));
}

/// The clock removes the breaker that a report is reading. A new breaker of the same name is reported
/// before that report continues.
#[test]
fn breaker_removed_during_report_is_counted_once() {
    type Hook = Box<dyn FnOnce() + Send>;
    #[derive(Default)]
    struct HookedClock(Mutex<Option<Hook>>);
    impl Clock for HookedClock {
        fn now(&self) -> Duration {
            let hook = self.0.lock().unwrap().take();
            if let Some(hook) = hook {
                hook();
            }
            Duration::ZERO
        }
    }
    let clock = Arc::<HookedClock>::default();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .unwrap();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Arc::new(Prometheus::new());
    let users = registry.breaker("users");
    (0..5).for_each(|_| succeed(&users));
    prometheus.report(&reporter);

    let interrupt = {
        let (registry, reporter) = (registry.clone(), reporter.clone());
        let prometheus = prometheus.clone();
        move || {
            registry.remove("users");
            succeed(&registry.breaker("users"));
            let page = prometheus.report(&reporter);
            assert_eq!(page.calls("users", "success"), Some(6.0));
        }
    };
    // The first reading is the clock of the registry, the second that of the breaker.
    let hook = clock.clone();
    let interrupt_later: Hook = Box::new(move || {
        *hook.0.lock().unwrap() = Some(Box::new(interrupt));
    });
    *clock.0.lock().unwrap() = Some(interrupt_later);
    let page = prometheus.report(&reporter);
    assert!(
        clock.0.lock().unwrap().is_none(),
        "the report read the clock"
    );
    assert_eq!(page.calls("users", "success"), Some(6.0));
    assert_eq!(page.state("users", "closed"), Some(1.0));
    assert_eq!(prometheus.report(&reporter), page);
}

#[test]
fn hostile_names_create_bounded_series() {
    let registry = with_capacity(10);
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let mut held = Vec::new();
    for number in 0..300 {
        let breaker = registry.breaker(format!("host-{number}"));
        succeed(&breaker);
        if number < 3 {
            held.push(breaker);
        }
        // The newest breaker has not been evicted yet, so the report counts its call.
        prometheus.report(&reporter);
    }
    let page = prometheus.page();
    let breakers = page.breakers();
    assert!(breakers.len() <= 2 * 10 + 1, "{breakers:?}");
    assert!(breakers.contains("host-0") && breakers.contains(""));
    assert_eq!(page.total("success"), 300);
}

#[test]
fn names_are_forgotten_after_idle_timeout() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .capacity(1)
        .clock(clock.clone())
        .build()
        .unwrap();
    let idle = Duration::from_secs(60);
    let reporter = breakerbox::metrics::builder()
        .idle_timeout(idle)
        .install(&registry)
        .unwrap();
    let prometheus = Prometheus::new();
    for name in ["a", "b", "c", "d"] {
        succeed(&registry.breaker(name));
        prometheus.report(&reporter);
    }
    assert_eq!(prometheus.page().breakers(), BTreeSet::from(["", "a", "b"]));
    clock.advance(idle);
    let page = prometheus.report(&reporter);
    assert_eq!(
        page.state("d", "closed"),
        Some(1.0),
        "forgotten names leave room for a new one"
    );
}

#[test]
fn breaker_that_is_not_kept_has_no_series() {
    let registry = with_capacity(1);
    let reporter = breakerbox::metrics::builder()
        .durations(true)
        .install(&registry)
        .unwrap();
    let prometheus = Prometheus::new();
    metrics::with_local_recorder(&prometheus.recorder, || {
        let _held = registry.breaker("kept");
        let long = "x".repeat(1_000);
        for name in ["", "no room", &long] {
            let not_kept = registry.breaker(name);
            not_kept.force_open();
            fail(&not_kept);
            not_kept.reset();
            fail(&not_kept);
        }
    });
    assert_eq!(
        prometheus.report(&reporter).breakers(),
        BTreeSet::from(["", "kept"])
    );
    // The durations of these calls are recorded, but the breakers have no totals.
    assert_eq!(prometheus.page().total("failure"), 0);
}

#[test]
fn label_distinguishes_two_registries() {
    let prometheus = Prometheus::new();
    let registries = [BreakerRegistry::new(), BreakerRegistry::new()];
    let reporters: Vec<_> = ["in", "out"]
        .iter()
        .zip(&registries)
        .map(|(label, registry)| {
            breakerbox::metrics::builder()
                .label("registry", *label)
                .install(registry)
                .unwrap()
        })
        .collect();
    succeed(&registries[0].breaker("users"));
    registries[1].breaker("users").trip();
    prometheus.report(&reporters[0]);
    let page = prometheus.report(&reporters[1]);
    let series = r#"breakerbox_calls_total{breaker="users",outcome="success",registry="in"}"#;
    assert_eq!(page.0.get(series), Some(&1.0));
    let series = r#"breakerbox_state{breaker="users",state="open",registry="out"}"#;
    assert_eq!(page.0.get(series), Some(&1.0));
    let series = r#"breakerbox_state{breaker="users",state="open",registry="in"}"#;
    assert_eq!(page.0.get(series), Some(&0.0));
}

#[test]
fn dropped_registry_keeps_reported_counters() {
    let registry = BreakerRegistry::new();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    fail(&registry.breaker("users"));
    prometheus.report(&reporter);
    drop(registry);
    let page = prometheus.report(&reporter);
    assert_eq!(page.calls("users", "failure"), Some(1.0));
    assert_eq!(page.state("users", "closed"), Some(0.0));
}

/// During concurrent calls, evictions and reports, no call is counted twice and no counter decreases.
#[test]
fn counters_never_decrease_under_eviction() {
    const THREADS: u32 = 4;
    const EACH: u32 = 4_000;
    let (not_kept, evicted) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
    let count = (not_kept.clone(), evicted.clone());
    let registry = BreakerRegistry::builder()
        .capacity(4)
        .on_event(move |event| match event {
            Event::NotKept { .. } => drop(count.0.fetch_add(1, Ordering::Relaxed)),
            Event::BreakerEvicted { .. } => drop(count.1.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        })
        .build()
        .unwrap();
    let reporter = breakerbox::metrics::install(&registry);
    let prometheus = Prometheus::new();
    let done = AtomicBool::new(false);
    let barrier = Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        let callers: Vec<_> = (1..=THREADS)
            .map(|thread| {
                let (registry, barrier) = (&registry, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for number in 0..EACH {
                        let name = format!("name-{}", (number * thread) % 13);
                        succeed(&registry.breaker(name));
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            let (done, reporter, prometheus) = (&done, &reporter, &prometheus);
            scope.spawn(move || {
                let mut before = Page(BTreeMap::new());
                while !done.load(Ordering::Relaxed) {
                    let page = prometheus.report(reporter);
                    for (series, value) in &before.0 {
                        if series.contains("_total") {
                            assert!(page.0[series] >= *value, "{series}");
                        }
                    }
                    before = page;
                }
            });
        }
        for caller in callers {
            caller.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let page = prometheus.report(&reporter);
    assert!(
        evicted.load(Ordering::Relaxed) > 100,
        "breakers were evicted"
    );
    // Calls that were not reported before an eviction are lost.
    let kept = u64::from(THREADS * EACH - not_kept.load(Ordering::Relaxed));
    assert!((1..=kept).contains(&page.total("success")));
    assert!(page.breakers().len() <= 2 * 4 + 1);
    // Without evictions, every call is counted.
    let before = page.total("success");
    let name = registry.iter().next().unwrap().name().to_owned();
    (0..10).for_each(|_| succeed(&registry.breaker(&name)));
    assert_eq!(prometheus.report(&reporter).total("success"), before + 10);
}

#[test]
fn every_reporter_keeps_reported_counters() {
    let registry = with_capacity(10);
    let reporters = [(); 2].map(|()| {
        let reporter = breakerbox::metrics::install(&registry);
        (reporter, Prometheus::new())
    });
    let names: Vec<_> = (0..5).map(|name| name.to_string()).collect();
    for name in &names {
        succeed(&registry.breaker(name));
    }
    for (reporter, prometheus) in &reporters {
        prometheus.report(reporter);
    }
    for name in &names {
        registry.remove(name).unwrap();
    }
    for (reporter, prometheus) in &reporters {
        let page = prometheus.report(reporter);
        for name in &names {
            assert_eq!(page.calls(name, "success"), Some(1.0));
            assert_eq!(page.state(name, "closed"), Some(0.0));
        }
    }
}
