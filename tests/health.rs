//! Health: who makes it worse, and how it is told.

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
fn is(registry: &BreakerRegistry, named: &[&str], status: HealthStatus) -> Health {
    let health = registry.health(named);
    assert_eq!(health.status(), status, "{health}");
    assert_eq!(health.is_healthy(), status == HealthStatus::Healthy);
    assert_eq!(health.is_unhealthy(), status == HealthStatus::Unhealthy);
    health
}

#[test]
fn only_a_named_circuit_that_refuses_makes_it_unhealthy() {
    use HealthStatus::{Degraded, Healthy, Unhealthy};
    let (registry, clock) = registry();
    is(&registry, &[], Healthy);
    let payments = registry.breaker("payments");
    let search = registry.breaker("search");
    is(&registry, &["payments"], Healthy);
    search.trip();
    is(&registry, &["payments"], Degraded);
    is(&registry, &[], Degraded);
    is(&registry, &["search"], Unhealthy);
    search.force_open();
    is(&registry, &["payments"], Degraded);
    is(&registry, &["payments", "search"], Unhealthy);
    search.reset();
    payments.trip();
    is(&registry, &["payments"], Unhealthy);
    // Half-open by time alone, before any trial: the way back.
    clock.advance(Duration::from_secs(30));
    is(&registry, &["payments"], Degraded);
    let trial = payments.try_acquire().unwrap();
    is(&registry, &["payments"], Degraded);
    trial.success();
    is(&registry, &["payments"], Healthy);
    assert!(registry.all_closed());
}

#[test]
fn those_that_refuse_nothing_are_well() {
    let (registry, _) = registry();
    registry.breaker("watching").metrics_only();
    registry.breaker("off").disable();
    let failing = registry.breaker("failing");
    let _ = failing.call(|| Err::<(), _>("down"));
    let health = is(&registry, &["watching", "off"], HealthStatus::Healthy);
    assert!(health.impaired().is_empty());
    assert_eq!(health.to_string(), "healthy");
}

#[test]
fn a_name_without_a_breaker_is_well_but_told() {
    let (registry, _) = registry();
    let health = is(&registry, &["paymnets"], HealthStatus::Healthy);
    assert_eq!(health.unknown().len(), 1);
    assert_eq!(
        health.to_string(),
        "healthy\n  \"paymnets\" has no breaker so far"
    );
    assert!(registry.is_empty(), "looking does not create");
}

#[test]
fn it_prints_for_people() {
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
         \"b\\n\" is open for ever (not named)\n  \"h\" is half_open (not named)"
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
fn a_clock_may_ask_for_health() {
    struct Curious(std::sync::Arc<std::sync::OnceLock<BreakerRegistry>>);
    impl breakerbox::clock::Clock for Curious {
        fn now(&self) -> Duration {
            if let Some(registry) = self.0.get() {
                let _ = registry.len();
                registry.breaker("seen");
            }
            Duration::ZERO
        }
    }
    let cell = std::sync::Arc::default();
    let clock = Curious(std::sync::Arc::clone(&cell));
    let registry = BreakerRegistry::builder().build().unwrap();
    let a = registry
        .register("a", CircuitBreaker::builder().clock(clock))
        .unwrap();
    a.trip();
    let _ = cell.set(registry.clone());
    is(&registry, &["a"], HealthStatus::Unhealthy);
    assert!(registry.get("seen").is_some());
}

#[test]
fn types_go_where_threads_go() {
    fn goes<T: Send + Sync + Unpin + Clone + std::fmt::Debug + 'static>() {}
    goes::<Health>();
    goes::<Impaired>();
    goes::<HealthStatus>();
    #[cfg(feature = "serde")]
    {
        goes::<breakerbox::settings::Settings>();
        goes::<breakerbox::settings::Applied>();
        goes::<breakerbox::settings::Change>();
        goes::<breakerbox::settings::ApplyError>();
    }
}

#[cfg(feature = "serde")]
#[test]
fn it_serializes() {
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
