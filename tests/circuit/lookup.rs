//! The handle that is kept at the function, and when it is looked up again.

use crate::support::{Answer, Error, assert_send, now};
use breakerbox::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};
use std::thread;

#[test]
fn the_look_up_happens_once() {
    static LOOK_UPS: AtomicU32 = AtomicU32::new(0);
    #[circuit(name = "lookup-once", builder = { LOOK_UPS.fetch_add(1, Ordering::Relaxed); CircuitBreaker::builder() })]
    fn generic<T>(value: T) -> Answer<T> {
        Ok(value)
    }
    for number in 0..10 {
        assert_eq!(generic(number).ok(), Some(number));
        assert_eq!(generic("x").ok(), Some("x"));
    }
    assert_eq!(LOOK_UPS.load(Ordering::Relaxed), 1);
    for count in 2..10 {
        let removed = BreakerRegistry::global()
            .remove("lookup-once")
            .expect("it is there");
        assert_eq!(generic(1).ok(), Some(1));
        assert_eq!(generic(1).ok(), Some(1));
        assert_eq!(LOOK_UPS.load(Ordering::Relaxed), count, "it was made anew");
        let fresh = BreakerRegistry::global()
            .get("lookup-once")
            .expect("it is there");
        assert_eq!(fresh.snapshot().totals.success, Some(2));
        removed.trip();
        assert_eq!(generic(1).ok(), Some(1), "what was removed guards nothing");
        fresh.trip();
        assert!(generic(1).is_err_and(|error| error.is_open()));
    }
}

struct Service {
    registry: BreakerRegistry,
}

impl Service {
    #[circuit(name = "charge", registry = self.registry)]
    async fn charge(&self, ok: bool) -> Answer<()> {
        if ok { Ok(()) } else { Err(Error::NoAnswer) }
    }

    #[circuit(name = "mutable", registry = self.registry)]
    fn mutable(&mut self) -> Answer<&mut BreakerRegistry> {
        Ok(&mut self.registry)
    }
}

#[test]
fn each_registry_has_its_own() {
    let services: Vec<_> = (0..9)
        .map(|_| Service {
            registry: BreakerRegistry::new(),
        })
        .collect();
    for _ in 0..3 {
        for (number, service) in services.iter().enumerate() {
            let answer = now(assert_send(service.charge(number % 2 == 0)));
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
        assert!(now(service.charge(true)).is_err_and(|error| error.is_open()));
        service.mutable().expect("closed").breaker("mutable").trip();
        assert!(service.mutable().is_err());
    }
}

fn with_room_for_one() -> BreakerRegistry {
    let registry = BreakerRegistry::builder().capacity(1).build();
    registry.expect("these can work")
}

#[test]
fn a_function_does_not_keep_its_breaker_from_leaving() {
    #[circuit(name = "lookup-evicted", registry = registry)]
    fn function(registry: &BreakerRegistry) -> Answer<()> {
        Ok(())
    }
    let registry = with_room_for_one();
    for round in 0..10 {
        function(&registry).expect("closed");
        assert!(registry.get("lookup-evicted").is_some(), "round {round}");
        registry.breaker("another");
        assert!(
            registry.get("lookup-evicted").is_none(),
            "it left in round {round}"
        );
    }
}

#[test]
fn two_functions_do_not_keep_their_breaker_but_a_handle_does() {
    #[circuit(name = "lookup-shared", registry = registry)]
    fn one(registry: &BreakerRegistry) -> Answer<()> {
        Ok(())
    }
    #[circuit(name = "lookup-shared", registry = registry)]
    async fn other(registry: &BreakerRegistry) -> Answer<()> {
        Ok(())
    }
    let registry = with_room_for_one();
    for round in 0..10 {
        one(&registry).expect("closed");
        now(other(&registry)).expect("closed");
        let held = registry.get("lookup-shared").expect("it was just called");
        registry.breaker("another");
        assert!(
            registry.get("lookup-shared").is_some(),
            "held in round {round}"
        );
        drop(held);
        registry.breaker("another");
        assert!(
            registry.get("lookup-shared").is_none(),
            "it left in round {round}"
        );
    }
}

#[test]
fn a_breaker_that_waits_does_not_leave() {
    #[circuit(name = "lookup-open", registry = registry)]
    fn function(registry: &BreakerRegistry) -> Answer<()> {
        Ok(())
    }
    let registry = with_room_for_one();
    function(&registry).expect("closed");
    registry.get("lookup-open").expect("it is there").trip();
    registry.breaker("another");
    assert!(function(&registry).is_err_and(|error| error.is_open()));
}

#[test]
fn a_full_registry_guards_but_does_not_keep() {
    #[circuit(name = "lookup-no-room", registry = registry)]
    fn function(registry: &BreakerRegistry) -> Answer<()> {
        Ok(())
    }
    let registry = with_room_for_one();
    let held = registry.breaker("held");
    function(&registry).expect("closed");
    function(&registry).expect("closed");
    assert!(registry.get("lookup-no-room").is_none());
    drop(held);
    function(&registry).expect("closed");
    assert!(registry.get("lookup-no-room").is_some());
}

#[test]
fn threads_that_come_at_once_share_one_breaker() {
    #[circuit(name = "lookup-threads", failure_threshold = 3)]
    fn function() -> Answer<()> {
        Ok(())
    }
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..100).for_each(|_| function().expect("closed")));
        }
    });
    let breaker = BreakerRegistry::global()
        .get("lookup-threads")
        .expect("it is there");
    assert_eq!(breaker.snapshot().totals.success, Some(800));
}

#[test]
fn a_call_in_flight_ends_where_it_began() {
    let registry = BreakerRegistry::new();
    let service = Service {
        registry: registry.clone(),
    };
    now(service.charge(true)).expect("closed");
    let call = service.charge(false);
    let old = registry.remove("charge").expect("it is there");
    assert!(now(call).is_err());
    // It had not begun: nothing is looked up before the first poll.
    assert_eq!(old.failure_count(), 0);
    assert_eq!(registry.breaker("charge").failure_count(), 1);
}

/// A call by the handle that the function keeps does not hold its breaker in the registry; a trial does.
#[test]
fn a_breaker_stays_while_its_trial_runs() {
    struct Tried(BreakerRegistry);
    impl Tried {
        #[circuit(name = "tried", registry = self.0)]
        async fn call(&self) -> Answer<()> {
            std::future::pending().await
        }
    }
    let registry = BreakerRegistry::builder().capacity(2).build();
    let tried = Tried(registry.expect("it can work"));
    let flood = || {
        for name in 0..50 {
            let breaker = tried.0.breaker(name.to_string());
            let _ = breaker.call(|| Err::<(), _>("down"));
        }
    };
    tried.0.breaker("tried").half_open();
    let mut trial = Box::pin(tried.call());
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(trial.as_mut().poll(cx).is_pending());
    flood();
    assert!(tried.0.get("tried").is_some(), "somebody tries it");
    drop(trial);
    flood();
    assert!(tried.0.get("tried").is_none());
}
