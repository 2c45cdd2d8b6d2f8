//! One breaker a key.

use crate::support::{Ask, Fault, Readiness, Strict, now, poll_ready};
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerRegistry, CircuitBreaker, Outcome, State};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tower::{Layer, Service, ServiceExt, service_fn};

type Request = (&'static str, bool);

async fn serve((host, well): Request) -> Result<&'static str, Fault> {
    if well { Ok(host) } else { Err(Fault) }
}

fn host(request: &Request) -> String {
    format!("host:{}", request.0)
}

#[test]
fn the_failures_of_one_host_are_not_those_of_another() {
    let registry = BreakerRegistry::new();
    // The closure's argument is inferred from the function that it calls.
    let service = BreakerLayer::keyed(&registry, |request| format!("to-{}", host(request)))
        .layer(service_fn(serve));
    for _ in 0..5 {
        let error = now(service.clone().oneshot(("a", false))).unwrap_err();
        assert_eq!(error.inner(), Some(&Fault));
        assert!(matches!(now(service.clone().oneshot(("b", true))), Ok("b")));
    }
    assert!(
        now(service.clone().oneshot(("a", true)))
            .unwrap_err()
            .is_open()
    );
    assert!(matches!(now(service.oneshot(("b", true))), Ok("b")));
    assert_eq!(registry.breaker("to-host:a").state(), State::Open);
    assert_eq!(registry.breaker("to-host:b").state(), State::Closed);
    assert_eq!(registry.len(), 2);
}

#[test]
fn a_key_may_be_any_owned_text() {
    let registry = BreakerRegistry::new();
    let shared: Arc<str> = "shared".into();
    let by_arc = BreakerLayer::keyed(&registry, move |_: &Request| shared.clone());
    let by_static = BreakerLayer::keyed(&registry, |request: &Request| request.0);
    assert!(now(by_arc.layer(service_fn(serve)).oneshot(("a", true))).is_ok());
    assert!(now(by_static.layer(service_fn(serve)).oneshot(("b", true))).is_ok());
    assert!(registry.get("shared").is_some() && registry.get("b").is_some());
}

#[test]
fn a_preset_makes_the_breakers_that_are_new() {
    let registry = BreakerRegistry::builder()
        .preset_for("host:", CircuitBreaker::builder().failure_threshold(9))
        .build()
        .unwrap();
    registry
        .register("host:known", CircuitBreaker::builder().failure_threshold(7))
        .unwrap();
    let preset = CircuitBreaker::builder().failure_threshold(2);
    let layer = BreakerLayer::keyed_with(&registry, host, preset).unwrap();
    let service = layer.layer(service_fn(serve));
    for _ in 0..2 {
        assert!(now(service.clone().oneshot(("new", false))).is_err());
        assert!(now(service.clone().oneshot(("known", false))).is_err());
    }
    assert_eq!(registry.breaker("host:new").state(), State::Open);
    assert_eq!(registry.breaker("host:known").state(), State::Closed);
    // What was registered wins; a look-up elsewhere knows nothing of the preset.
    for _ in 2..7 {
        assert!(now(service.clone().oneshot(("known", false))).is_err());
    }
    assert_eq!(registry.breaker("host:known").state(), State::Open);
    let elsewhere = registry.breaker("host:elsewhere");
    for _ in 0..8 {
        elsewhere.try_acquire().unwrap().failure();
    }
    assert_eq!(elsewhere.state(), State::Closed);
}

#[test]
fn a_preset_that_cannot_work_is_refused_when_the_layer_is_made() {
    let registry = BreakerRegistry::new();
    let broken = CircuitBreaker::builder().failure_threshold(0);
    let error = BreakerLayer::keyed_with(&registry, host, broken).unwrap_err();
    assert_eq!(error.field(), "failure_threshold");
    assert!(registry.is_empty());
}

#[test]
fn poll_ready_asks_the_service_whatever_the_circuits_are() {
    let registry = BreakerRegistry::new();
    registry.breaker("x").trip();
    let (strict, script) = Strict::new();
    let mut service = BreakerLayer::keyed(&registry, |_: &Ask| "x").layer(strict);
    script.is(Readiness::Pending);
    assert!(poll_ready(&mut service).is_pending());
    script.is(Readiness::Fails);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Err(_))));
    assert_eq!(registry.breaker("x").snapshot().totals.failure, 0);
    script.is(Readiness::Ready);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
    assert!(now(service.call(Ask::Answer(7))).unwrap_err().is_open());
    assert_eq!((script.polled(), script.called()), (3, 0));
    // Still ready, since it was not called.
    registry.breaker("x").reset();
    assert!(matches!(now(service.call(Ask::Answer(7))), Ok(7)));
}

#[test]
#[should_panic(expected = "needs a `poll_ready`")]
fn a_service_that_failed_to_become_ready_is_not_called() {
    let registry = BreakerRegistry::new();
    let (strict, script) = Strict::new();
    let mut service = BreakerLayer::keyed(&registry, |_: &Ask| "x").layer(strict);
    assert!(poll_ready(&mut service).is_ready());
    script.is(Readiness::Fails);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Err(_))));
    drop(service.call(Ask::Answer(7)));
}

#[test]
fn hosts_from_outside_exhaust_nothing() {
    let registry = BreakerRegistry::builder().capacity(100).build().unwrap();
    let service = BreakerLayer::keyed(&registry, |number: &u32| format!("host:{number}"))
        .classify_response(|well: &bool| {
            if *well {
                Outcome::Success
            } else {
                Outcome::Failure
            }
        })
        .layer(service_fn(|number: u32| async move {
            Ok::<_, Infallible>(number != 0)
        }));
    registry
        .breaker("host:0")
        .trip_for(Duration::from_secs(3600));
    for number in 1..10_000 {
        assert!(now(service.clone().oneshot(number)).is_ok());
    }
    assert!(registry.len() <= 100);
    assert!(now(service.oneshot(0)).unwrap_err().is_open());
}

#[test]
fn a_breaker_that_was_removed_is_not_used_again() {
    let registry = BreakerRegistry::new();
    let service = BreakerLayer::keyed(&registry, host).layer(service_fn(serve));
    registry.breaker("host:a").force_open();
    assert!(
        now(service.clone().oneshot(("a", true)))
            .unwrap_err()
            .is_open()
    );
    drop(registry.remove("host:a"));
    assert!(now(service.oneshot(("a", true))).is_ok());
}

#[test]
fn a_preset_is_due_to_a_breaker_of_a_document_that_was_used_by_name_before() {
    let registry = BreakerRegistry::new();
    let document = serde_json::from_str(r#"{"breakers": {"host:a": {"success_threshold": 1}}}"#);
    registry.apply(&document.unwrap()).unwrap();
    let by_name = breakerbox::BreakerExt::with_breaker(serve(("a", true)), &registry, "host:a");
    assert!(now(by_name).is_ok());
    let preset = CircuitBreaker::builder().failure_threshold(2);
    let layer = BreakerLayer::keyed_with(&registry, host, preset).unwrap();
    let service = layer.layer(service_fn(serve));
    for _ in 0..2 {
        assert!(now(service.clone().oneshot(("a", false))).is_err());
    }
    assert_eq!(registry.breaker("host:a").state(), State::Open);
}
