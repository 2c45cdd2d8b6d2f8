//! Layers that choose the breaker by a key of the request.

use crate::support::{Fault, Readiness, StrictService, TestRequest, complete, poll_ready};
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerRegistry, CircuitBreaker, Outcome, State};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tower::{Layer, Service, ServiceExt, service_fn};

type Request = (&'static str, bool);

async fn serve((host, succeeds): Request) -> Result<&'static str, Fault> {
    if succeeds { Ok(host) } else { Err(Fault) }
}

fn host(request: &Request) -> String {
    format!("host:{}", request.0)
}

#[test]
fn hosts_have_separate_breakers() {
    let registry = BreakerRegistry::new();
    // The type of the argument is inferred from the call of `host`.
    let service = BreakerLayer::keyed(&registry, |request| format!("to-{}", host(request)))
        .layer(service_fn(serve));
    for _ in 0..5 {
        let error = complete(service.clone().oneshot(("a", false))).unwrap_err();
        assert_eq!(error.inner(), Some(&Fault));
        assert!(matches!(
            complete(service.clone().oneshot(("b", true))),
            Ok("b")
        ));
    }
    assert!(
        complete(service.clone().oneshot(("a", true)))
            .unwrap_err()
            .is_open()
    );
    assert!(matches!(complete(service.oneshot(("b", true))), Ok("b")));
    assert_eq!(registry.breaker("to-host:a").state(), State::Open);
    assert_eq!(registry.breaker("to-host:b").state(), State::Closed);
    assert_eq!(registry.len(), 2);
}

#[test]
fn key_may_be_any_owned_text() {
    let registry = BreakerRegistry::new();
    let shared: Arc<str> = "shared".into();
    let by_arc = BreakerLayer::keyed(&registry, move |_: &Request| shared.clone());
    let by_static = BreakerLayer::keyed(&registry, |request: &Request| request.0);
    assert!(complete(by_arc.layer(service_fn(serve)).oneshot(("a", true))).is_ok());
    assert!(complete(by_static.layer(service_fn(serve)).oneshot(("b", true))).is_ok());
    assert!(registry.get("shared").is_some() && registry.get("b").is_some());
}

#[test]
fn keyed_preset_configures_new_breakers() {
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
        assert!(complete(service.clone().oneshot(("new", false))).is_err());
        assert!(complete(service.clone().oneshot(("known", false))).is_err());
    }
    assert_eq!(registry.breaker("host:new").state(), State::Open);
    assert_eq!(registry.breaker("host:known").state(), State::Closed);
    // Registered settings override the preset, and other lookups do not use it.
    for _ in 2..7 {
        assert!(complete(service.clone().oneshot(("known", false))).is_err());
    }
    assert_eq!(registry.breaker("host:known").state(), State::Open);
    let elsewhere = registry.breaker("host:elsewhere");
    for _ in 0..8 {
        elsewhere.try_acquire().unwrap().failure();
    }
    assert_eq!(elsewhere.state(), State::Closed);
}

#[test]
fn keyed_with_rejects_invalid_preset() {
    let registry = BreakerRegistry::new();
    let invalid = CircuitBreaker::builder().failure_threshold(0);
    let error = BreakerLayer::keyed_with(&registry, host, invalid).unwrap_err();
    assert_eq!(error.field(), "failure_threshold");
    assert!(registry.is_empty());
}

#[test]
fn keyed_poll_ready_always_polls_service() {
    let registry = BreakerRegistry::new();
    registry.breaker("x").trip();
    let (strict, script) = StrictService::new();
    let mut service = BreakerLayer::keyed(&registry, |_: &TestRequest| "x").layer(strict);
    script.set_readiness(Readiness::Pending);
    assert!(poll_ready(&mut service).is_pending());
    script.set_readiness(Readiness::Fails);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Err(_))));
    assert_eq!(registry.breaker("x").snapshot().totals.failure, 0);
    script.set_readiness(Readiness::Ready);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Ok(()))));
    assert!(
        complete(service.call(TestRequest::Answer(7)))
            .unwrap_err()
            .is_open()
    );
    assert_eq!((script.polled(), script.called()), (3, 0));
    // The service is still ready, because it was not called.
    registry.breaker("x").reset();
    assert!(matches!(
        complete(service.call(TestRequest::Answer(7))),
        Ok(7)
    ));
}

#[test]
#[should_panic(expected = "before `poll_ready` returned")]
fn service_is_not_called_after_failed_poll_ready() {
    let registry = BreakerRegistry::new();
    let (strict, script) = StrictService::new();
    let mut service = BreakerLayer::keyed(&registry, |_: &TestRequest| "x").layer(strict);
    assert!(poll_ready(&mut service).is_ready());
    script.set_readiness(Readiness::Fails);
    assert!(matches!(poll_ready(&mut service), Poll::Ready(Err(_))));
    drop(service.call(TestRequest::Answer(7)));
}

#[test]
fn hostile_hosts_do_not_exhaust_registry() {
    let registry = BreakerRegistry::builder().capacity(100).build().unwrap();
    let service = BreakerLayer::keyed(&registry, |number: &u32| format!("host:{number}"))
        .classify_response(|succeeded: &bool| {
            if *succeeded {
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
        assert!(complete(service.clone().oneshot(number)).is_ok());
    }
    assert!(registry.len() <= 100);
    assert!(complete(service.oneshot(0)).unwrap_err().is_open());
}

#[test]
fn removed_breaker_is_not_used_again() {
    let registry = BreakerRegistry::new();
    let service = BreakerLayer::keyed(&registry, host).layer(service_fn(serve));
    registry.breaker("host:a").force_open();
    assert!(
        complete(service.clone().oneshot(("a", true)))
            .unwrap_err()
            .is_open()
    );
    drop(registry.remove("host:a"));
    assert!(complete(service.oneshot(("a", true))).is_ok());
}

#[test]
fn keyed_preset_reaches_breaker_created_by_document() {
    let registry = BreakerRegistry::new();
    let document = serde_json::from_str(r#"{"breakers": {"host:a": {"success_threshold": 1}}}"#);
    registry.apply(&document.unwrap()).unwrap();
    let by_name = breakerbox::BreakerExt::with_breaker(serve(("a", true)), &registry, "host:a");
    assert!(complete(by_name).is_ok());
    let preset = CircuitBreaker::builder().failure_threshold(2);
    let layer = BreakerLayer::keyed_with(&registry, host, preset).unwrap();
    let service = layer.layer(service_fn(serve));
    for _ in 0..2 {
        assert!(complete(service.clone().oneshot(("a", false))).is_err());
    }
    assert_eq!(registry.breaker("host:a").state(), State::Open);
}
