//! Handles that a call site keeps, and when it looks up its breaker again.

use crate::support::{CallResult, Error, assert_send, expect_ready};
use breakerbox::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::thread;

#[test]
fn lookup_happens_once_per_breaker() {
    static LOOKUPS: AtomicU32 = AtomicU32::new(0);
    #[circuit(name = "lookup-once", builder = { LOOKUPS.fetch_add(1, Ordering::Relaxed); CircuitBreaker::builder() })]
    fn generic<T>(value: T) -> CallResult<T> {
        Ok(value)
    }
    for number in 0..10 {
        assert_eq!(generic(number).ok(), Some(number));
        assert_eq!(generic("x").ok(), Some("x"));
    }
    assert_eq!(LOOKUPS.load(Ordering::Relaxed), 1);
    for count in 2..10 {
        let removed = BreakerRegistry::global()
            .remove("lookup-once")
            .expect("the breaker exists");
        assert_eq!(generic(1).ok(), Some(1));
        assert_eq!(generic(1).ok(), Some(1));
        assert_eq!(
            LOOKUPS.load(Ordering::Relaxed),
            count,
            "the breaker was created again"
        );
        let fresh = BreakerRegistry::global()
            .get("lookup-once")
            .expect("the breaker exists");
        assert_eq!(fresh.snapshot().totals.success, Some(2));
        removed.trip();
        assert_eq!(
            generic(1).ok(),
            Some(1),
            "a removed breaker guards no calls"
        );
        fresh.trip();
        assert!(generic(1).is_err_and(|error| error.is_open()));
    }
}

struct Service {
    registry: BreakerRegistry,
}

impl Service {
    #[circuit(name = "charge", registry = self.registry)]
    async fn charge(&self, ok: bool) -> CallResult<()> {
        if ok { Ok(()) } else { Err(Error::NoAnswer) }
    }

    #[circuit(name = "mutable", registry = self.registry)]
    fn mutable(&mut self) -> CallResult<&mut BreakerRegistry> {
        Ok(&mut self.registry)
    }
}

#[test]
fn each_registry_has_its_own_breaker() {
    let services: Vec<_> = (0..9)
        .map(|_| Service {
            registry: BreakerRegistry::new(),
        })
        .collect();
    for _ in 0..3 {
        for (number, service) in services.iter().enumerate() {
            let answer = expect_ready(assert_send(service.charge(number % 2 == 0)));
            assert_eq!(answer.is_ok(), number % 2 == 0);
        }
    }
    for (number, mut service) in services.into_iter().enumerate() {
        let totals = service.registry.breaker("charge").snapshot().totals;
        let expected = if number % 2 == 0 {
            (Some(3), 0)
        } else {
            (Some(0), 3)
        };
        assert_eq!((totals.success, totals.failure), expected, "{number}");
        service.registry.breaker("charge").trip();
        assert!(expect_ready(service.charge(true)).is_err_and(|error| error.is_open()));
        service.mutable().expect("closed").breaker("mutable").trip();
        assert!(service.mutable().is_err());
    }
}

fn registry_of_capacity_one() -> BreakerRegistry {
    let registry = BreakerRegistry::builder().capacity(1).build();
    registry.expect("valid settings")
}

#[test]
fn call_site_does_not_prevent_eviction() {
    #[circuit(name = "lookup-evicted", registry = registry)]
    fn function(registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
    let registry = registry_of_capacity_one();
    for round in 0..10 {
        function(&registry).expect("closed");
        assert!(registry.get("lookup-evicted").is_some(), "round {round}");
        registry.breaker("another");
        assert!(
            registry.get("lookup-evicted").is_none(),
            "still registered in round {round}"
        );
    }
}

#[test]
fn user_handle_prevents_eviction() {
    #[circuit(name = "lookup-shared", registry = registry)]
    fn one(registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
    #[circuit(name = "lookup-shared", registry = registry)]
    async fn other(registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
    let registry = registry_of_capacity_one();
    for round in 0..10 {
        one(&registry).expect("closed");
        expect_ready(other(&registry)).expect("closed");
        let held = registry
            .get("lookup-shared")
            .expect("the breaker was just called");
        registry.breaker("another");
        assert!(
            registry.get("lookup-shared").is_some(),
            "held in round {round}"
        );
        drop(held);
        registry.breaker("another");
        assert!(
            registry.get("lookup-shared").is_none(),
            "still registered in round {round}"
        );
    }
}

#[test]
fn open_breaker_is_not_evicted() {
    #[circuit(name = "lookup-open", registry = registry)]
    fn function(registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
    let registry = registry_of_capacity_one();
    function(&registry).expect("closed");
    registry
        .get("lookup-open")
        .expect("the breaker exists")
        .trip();
    registry.breaker("another");
    assert!(function(&registry).is_err_and(|error| error.is_open()));
}

#[test]
fn full_registry_guards_without_storing() {
    #[circuit(name = "lookup-no-room", registry = registry)]
    fn function(registry: &BreakerRegistry) -> CallResult<()> {
        Ok(())
    }
    let registry = registry_of_capacity_one();
    let held = registry.breaker("held");
    function(&registry).expect("closed");
    function(&registry).expect("closed");
    assert!(registry.get("lookup-no-room").is_none());
    drop(held);
    function(&registry).expect("closed");
    assert!(registry.get("lookup-no-room").is_some());
}

#[test]
fn concurrent_first_calls_share_one_breaker() {
    #[circuit(name = "lookup-threads", failure_threshold = 3)]
    fn function() -> CallResult<()> {
        Ok(())
    }
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..100).for_each(|_| function().expect("closed")));
        }
    });
    let breaker = BreakerRegistry::global()
        .get("lookup-threads")
        .expect("the breaker exists");
    assert_eq!(breaker.snapshot().totals.success, Some(800));
}

#[test]
fn unpolled_call_uses_current_breaker() {
    let registry = BreakerRegistry::new();
    let service = Service {
        registry: registry.clone(),
    };
    expect_ready(service.charge(true)).expect("closed");
    let call = service.charge(false);
    let old = registry.remove("charge").expect("the breaker exists");
    assert!(expect_ready(call).is_err());
    // The lookup happens at the first poll, so the removed breaker counts nothing.
    assert_eq!(old.failure_count(), 0);
    assert_eq!(registry.breaker("charge").failure_count(), 1);
}

/// A call through the handle of a call site does not prevent eviction, unless the call is a trial.
#[test]
fn breaker_with_running_trial_is_not_evicted() {
    struct Tried(BreakerRegistry);
    impl Tried {
        #[circuit(name = "tried", registry = self.0)]
        async fn call(&self) -> CallResult<()> {
            std::future::pending().await
        }
    }
    let registry = BreakerRegistry::builder().capacity(2).build();
    let tried = Tried(registry.expect("valid settings"));
    let fill_registry = || {
        for name in 0..50 {
            let breaker = tried.0.breaker(name.to_string());
            let _ = breaker.call(|| Err::<(), _>("down"));
        }
    };
    tried.0.breaker("tried").half_open();
    let mut trial = Box::pin(tried.call());
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(trial.as_mut().poll(cx).is_pending());
    fill_registry();
    assert!(tried.0.get("tried").is_some(), "a trial is running");
    drop(trial);
    fill_registry();
    assert!(tried.0.get("tried").is_none());
}
