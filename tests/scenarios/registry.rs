//! R40: what a name may be told, and when.

use crate::support::{Fault, Log, now, poll};
use breakerbox::{
    BreakerExt, BreakerRegistry, CircuitBreaker, Event, RegistryError, State, TripRule,
};
use std::pin::pin;
use std::task::Poll;
use tokio::sync::oneshot;

fn threshold(failures: u32) -> breakerbox::BreakerBuilder {
    CircuitBreaker::builder().failure_threshold(failures)
}

#[track_caller]
fn trips_after(breaker: &CircuitBreaker, failures: u32) {
    assert_eq!(breaker.config().trip_rules(), [TripRule::consecutive_failures(failures)]);
}

#[test]
fn r40_a_name_is_registered_once() {
    let registry = BreakerRegistry::new();
    let payments = registry.register("payments", threshold(7)).expect("a new name");
    let again = registry.register("payments", threshold(8)).expect_err("registered before");
    let RegistryError::AlreadyRegistered { name, .. } = again else { panic!("{again:?}") };
    assert_eq!(name, "payments");
    trips_after(&payments, 7);
    registry.configure("refunds", threshold(9)).expect("a new name");
    registry.register("refunds", threshold(8)).expect_err("configured before");
}

#[test]
fn r40_a_breaker_created_by_use_is_adopted_as_it_stands() {
    let log = Log::default();
    let registry = BreakerRegistry::builder().on_event(log.listener()).build().expect("valid");
    let used = registry.breaker("payments");
    used.call(|| Err::<(), _>(Fault)).expect_err("its own error");
    let adopted = registry.register("payments", threshold(2)).expect("free to register");
    trips_after(&used, 2);
    assert_eq!(used.failure_count(), 1, "counts stay");
    adopted.call(|| Err::<(), _>(Fault)).expect_err("its own error");
    assert_eq!(used.state(), State::Open, "the same breaker");
    assert_eq!(log.count(|event| matches!(event, Event::BreakerAdopted { .. })), 1);
    registry.register("payments", threshold(3)).expect_err("registered before");
}

#[test]
fn r40_configuring_an_unknown_name_creates_it() {
    let registry = BreakerRegistry::new();
    registry.configure("payments", threshold(7)).expect("created");
    assert_eq!(registry.len(), 1);
    trips_after(&registry.breaker("payments"), 7);
}

#[test]
fn r40_a_call_in_flight_survives_the_removal_of_its_breaker() {
    let registry = BreakerRegistry::new();
    let (answer, dependency) = oneshot::channel();
    let mut call = pin!(dependency.with_breaker(&registry, "payments"));
    assert!(poll(call.as_mut()).is_pending());
    let removed = registry.remove("payments").expect("it was there");
    answer.send("done").expect("somebody waits");
    let Poll::Ready(result) = poll(call) else { panic!("it has ended") };
    assert_eq!(result.expect("its own result"), "done");
    assert_eq!(removed.snapshot().totals.success, Some(1));
    assert!(registry.get("payments").is_none());
}

#[test]
fn r40_a_name_that_was_removed_is_free_again() {
    let registry = BreakerRegistry::new();
    registry.register("payments", threshold(1)).expect("a new name");
    let fail = || now(async { Err::<(), _>(Fault) }.with_breaker(&registry, "payments"));
    assert!(fail().expect_err("its own error").inner().is_some());
    assert!(fail().expect_err("refused").is_open());
    registry.remove("payments").expect("it was there");
    assert!(fail().expect_err("its own error").inner().is_some(), "a fresh breaker");
    registry.register("payments", threshold(2)).expect("free again");
}

#[test]
fn r40_what_cannot_work_changes_nothing() {
    let registry = BreakerRegistry::new();
    for settings in [threshold(0), threshold(1).half_open_calls(0)] {
        let error = registry.register("payments", settings.clone()).expect_err("refused");
        assert!(matches!(error, RegistryError::Config(_)), "{error:?}");
        registry.configure("payments", settings).expect_err("refused");
    }
    for name in [String::new(), "n".repeat(257)] {
        let error = registry.register(&name, threshold(1)).expect_err("refused");
        assert!(matches!(error, RegistryError::InvalidName { .. }), "{error:?}");
        registry.configure(&name, threshold(1)).expect_err("refused");
    }
    assert_eq!(registry.len(), 0);
}
