//! Health of a registry: its status, text and serialized form.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Health, HealthStatus, Impaired};
use std::time::Duration;

fn registry() -> (BreakerRegistry, ManualClock) {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder().clock(clock.clone()).build();
    (registry.unwrap(), clock)
}

#[track_caller]
fn assert_status(registry: &BreakerRegistry, named: &[&str], status: HealthStatus) -> Health {
    let health = registry.health(named);
    assert_eq!(health.status(), status, "{health}");
    assert_eq!(health.is_healthy(), status == HealthStatus::Healthy);
    assert_eq!(health.is_unhealthy(), status == HealthStatus::Unhealthy);
    health
}

#[test]
fn only_named_refusing_circuit_makes_unhealthy() {
    use HealthStatus::{Degraded, Healthy, Unhealthy};
    let (registry, clock) = registry();
    assert_status(&registry, &[], Healthy);
    let payments = registry.breaker("payments");
    let search = registry.breaker("search");
    assert_status(&registry, &["payments"], Healthy);
    search.trip();
    assert_status(&registry, &["payments"], Degraded);
    assert_status(&registry, &[], Degraded);
    assert_status(&registry, &["search"], Unhealthy);
    search.force_open();
    assert_status(&registry, &["payments"], Degraded);
    assert_status(&registry, &["payments", "search"], Unhealthy);
    search.reset();
    payments.trip();
    assert_status(&registry, &["payments"], Unhealthy);
    // Past the deadline the circuit is half-open, even before the first trial.
    clock.advance(Duration::from_secs(30));
    assert_status(&registry, &["payments"], Degraded);
    let trial = payments.try_acquire().unwrap();
    assert_status(&registry, &["payments"], Degraded);
    trial.success();
    assert_status(&registry, &["payments"], Healthy);
    assert!(registry.all_closed());
}

#[test]
fn breakers_that_never_refuse_are_healthy() {
    let (registry, _) = registry();
    registry.breaker("watching").metrics_only();
    registry.breaker("off").disable();
    let failing = registry.breaker("failing");
    let _ = failing.call(|| Err::<(), _>("down"));
    let health = assert_status(&registry, &["watching", "off"], HealthStatus::Healthy);
    assert!(health.impaired().is_empty());
    assert_eq!(health.to_string(), "healthy");
}

#[test]
fn unknown_name_is_healthy_and_listed() {
    let (registry, _) = registry();
    let health = assert_status(&registry, &["paymnets"], HealthStatus::Healthy);
    assert_eq!(health.unknown().len(), 1);
    assert_eq!(health.to_string(), "healthy\n  \"paymnets\" has no breaker");
    assert!(registry.is_empty(), "health creates no breaker");
}

#[test]
fn repeated_names_are_listed_once() {
    let (registry, _) = registry();
    registry.breaker("open").force_open();
    registry.breaker("closed");
    let named = ["open", "b", "closed", "a", "open", "a", "b", "closed", "a"];
    let health = assert_status(&registry, &named, HealthStatus::Unhealthy);
    let unknown: Vec<_> = health.unknown().iter().map(|name| &**name).collect();
    assert_eq!(unknown, ["b", "a"]);
    assert_eq!(health.impaired().len(), 1);
    assert_eq!(
        health.to_string(),
        "unhealthy\n  \"open\" is forced_open\n  \"b\" has no breaker\n  \"a\" has no breaker"
    );
}

/// The clock removes the breaker while its snapshot is taken.
#[test]
fn breaker_removed_during_health_is_listed_once() {
    struct RemovingClock(std::sync::Arc<std::sync::OnceLock<BreakerRegistry>>);
    impl breakerbox::clock::Clock for RemovingClock {
        fn now(&self) -> Duration {
            if let Some(registry) = self.0.get() {
                registry.remove("a");
            }
            Duration::ZERO
        }
    }
    let cell = std::sync::Arc::default();
    let clock = RemovingClock(std::sync::Arc::clone(&cell));
    let registry = BreakerRegistry::new();
    let a = registry.register("a", CircuitBreaker::builder().clock(clock));
    a.unwrap().trip();
    let _ = cell.set(registry.clone());
    let health = assert_status(&registry, &["a"], HealthStatus::Unhealthy);
    assert!(registry.get("a").is_none());
    assert!(health.unknown().is_empty(), "{health}");
}

#[test]
fn health_display_lists_impaired_breakers() {
    let (registry, clock) = registry();
    registry.breaker("b\n").trip_for(Duration::MAX);
    registry.breaker("z").trip();
    registry.breaker("a").force_open();
    registry.breaker("h").half_open();
    clock.advance(Duration::from_millis(100));
    let health = registry.health(&["z"]);
    assert_eq!(
        health.to_string(),
        "unhealthy\n  \"z\" is open for another 29.9s\n  \"a\" is forced_open (not named)\n  \
         \"b\\n\" is open until a command closes it (not named)\n  \"h\" is half_open (not named)"
    );
    let first: &Impaired = &health.impaired()[0];
    assert_eq!(
        (&*first.breaker, first.named, first.state),
        ("z", true, State::Open)
    );
    assert_eq!(first.since, Duration::from_millis(100));
    assert_eq!(format!("{:>10}", health.status()), " unhealthy");
}

#[test]
fn clock_may_use_registry_during_health() {
    struct LookupClock(std::sync::Arc<std::sync::OnceLock<BreakerRegistry>>);
    impl breakerbox::clock::Clock for LookupClock {
        fn now(&self) -> Duration {
            if let Some(registry) = self.0.get() {
                let _ = registry.len();
                registry.breaker("seen");
            }
            Duration::ZERO
        }
    }
    let cell = std::sync::Arc::default();
    let clock = LookupClock(std::sync::Arc::clone(&cell));
    let registry = BreakerRegistry::builder().build().unwrap();
    let a = registry
        .register("a", CircuitBreaker::builder().clock(clock))
        .unwrap();
    a.trip();
    let _ = cell.set(registry.clone());
    assert_status(&registry, &["a"], HealthStatus::Unhealthy);
    assert!(registry.get("seen").is_some());
}

#[test]
fn public_types_are_send_and_sync() {
    fn assert_auto_traits<T: Send + Sync + Unpin + Clone + std::fmt::Debug + 'static>() {}
    assert_auto_traits::<Health>();
    assert_auto_traits::<Impaired>();
    assert_auto_traits::<HealthStatus>();
    #[cfg(feature = "serde")]
    {
        assert_auto_traits::<breakerbox::settings::Settings>();
        assert_auto_traits::<breakerbox::settings::Applied>();
        assert_auto_traits::<breakerbox::settings::Change>();
        assert_auto_traits::<breakerbox::settings::ApplyError>();
    }
}

#[cfg(feature = "serde")]
#[test]
fn health_serializes_as_documented() {
    let (registry, clock) = registry();
    registry.breaker("payments").trip();
    clock.advance(Duration::from_secs(10));
    let expected = serde_json::json!({
        "status": "unhealthy",
        "impaired": [{
            "breaker": "payments",
            "named": true,
            "state": "open",
            "since_seconds": 10.0,
            "failure_count": 0,
            "open_remaining_seconds": 20.0,
        }],
        "unknown": ["other"],
    });
    let health = registry.health(&["payments", "other"]);
    assert_eq!(serde_json::to_value(health).unwrap(), expected);
}
