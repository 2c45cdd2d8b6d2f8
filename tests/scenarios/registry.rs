//! Registration, configuration and removal of names.

use crate::support::{Fault, Log, expect_ready, poll};
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
fn assert_threshold(breaker: &CircuitBreaker, failures: u32) {
    assert_eq!(
        breaker.config().trip_rules(),
        [TripRule::consecutive_failures(failures)]
    );
}

#[test]
fn r40_second_registration_is_an_error() {
    let registry = BreakerRegistry::new();
    let payments = registry
        .register("payments", threshold(7))
        .expect("a new name");
    let again = registry
        .register("payments", threshold(8))
        .expect_err("registered before");
    let RegistryError::AlreadyRegistered { name, .. } = again else {
        panic!("{again:?}")
    };
    assert_eq!(name, "payments");
    assert_threshold(&payments, 7);
    registry
        .configure("refunds", threshold(9))
        .expect("a new name");
    registry
        .register("refunds", threshold(8))
        .expect_err("configured before");
}

#[test]
fn r40_register_adopts_existing_breaker() {
    let log = Log::default();
    let registry = BreakerRegistry::builder()
        .on_event(log.listener())
        .build()
        .expect("valid");
    let used = registry.breaker("payments");
    used.call(|| Err::<(), _>(Fault))
        .expect_err("the call's own error");
    let adopted = registry
        .register("payments", threshold(2))
        .expect("free to register");
    assert_threshold(&used, 2);
    assert_eq!(used.failure_count(), 1, "counts are kept");
    adopted
        .call(|| Err::<(), _>(Fault))
        .expect_err("the call's own error");
    assert_eq!(used.state(), State::Open, "the same breaker");
    assert_eq!(
        log.count(|event| matches!(event, Event::BreakerAdopted { .. })),
        1
    );
    registry
        .register("payments", threshold(3))
        .expect_err("registered before");
}

#[test]
fn r40_configure_creates_unknown_name() {
    let registry = BreakerRegistry::new();
    registry
        .configure("payments", threshold(7))
        .expect("created");
    assert_eq!(registry.len(), 1);
    assert_threshold(&registry.breaker("payments"), 7);
}

#[test]
fn r40_removed_breaker_records_call_in_flight() {
    let registry = BreakerRegistry::new();
    let (answer, dependency) = oneshot::channel();
    let mut call = pin!(dependency.with_breaker(&registry, "payments"));
    assert!(poll(call.as_mut()).is_pending());
    let removed = registry.remove("payments").expect("the breaker exists");
    answer.send("done").expect("the receiver exists");
    let Poll::Ready(result) = poll(call) else {
        panic!("the call must have completed")
    };
    assert_eq!(result.expect("the call's own result"), "done");
    assert_eq!(removed.snapshot().totals.success, Some(1));
    assert!(registry.get("payments").is_none());
}

#[test]
fn r40_removed_name_can_be_registered_again() {
    let registry = BreakerRegistry::new();
    registry
        .register("payments", threshold(1))
        .expect("a new name");
    let fail = || expect_ready(async { Err::<(), _>(Fault) }.with_breaker(&registry, "payments"));
    assert!(fail().expect_err("the call's own error").inner().is_some());
    assert!(fail().expect_err("refused").is_open());
    registry.remove("payments").expect("the breaker exists");
    assert!(
        fail().expect_err("the call's own error").inner().is_some(),
        "a new breaker"
    );
    registry
        .register("payments", threshold(2))
        .expect("free again");
}

#[test]
fn r40_invalid_settings_or_names_change_nothing() {
    let registry = BreakerRegistry::new();
    for settings in [threshold(0), threshold(1).half_open_calls(0)] {
        let error = registry
            .register("payments", settings.clone())
            .expect_err("invalid settings");
        assert!(matches!(error, RegistryError::Config(_)), "{error:?}");
        registry
            .configure("payments", settings)
            .expect_err("invalid settings");
    }
    for name in [String::new(), "n".repeat(257)] {
        let error = registry
            .register(&name, threshold(1))
            .expect_err("invalid name");
        assert!(
            matches!(error, RegistryError::InvalidName { .. }),
            "{error:?}"
        );
        registry
            .configure(&name, threshold(1))
            .expect_err("invalid name");
    }
    assert_eq!(registry.len(), 0);
}
