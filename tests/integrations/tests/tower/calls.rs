//! Admission of calls, and every completion of a call.

use crate::support::{
    Fault, Fixture, RECOVERY, StrictService, TestRequest, poll, poll_ready, send,
};
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerError, BreakerRegistry, CircuitBreaker, Refusal, State};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use tower::{Layer, Service};

#[test]
fn results_are_returned_and_counted() {
    let mut fixture = Fixture::new();
    assert!(matches!(
        send(&mut fixture.service, TestRequest::Answer(7)),
        Ok(7)
    ));
    assert_eq!(
        send(&mut fixture.service, TestRequest::Fail)
            .unwrap_err()
            .into_inner(),
        Some(Fault)
    );
    assert!(
        send(&mut fixture.service, TestRequest::Answer(7))
            .unwrap_err()
            .is_open()
    );
    let totals = fixture.breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.refused),
        (Some(1), 1, 1)
    );
    assert_eq!(fixture.script.called(), 2);
}

#[test]
fn call_is_admitted_before_first_poll() {
    let mut fixture = Fixture::new();
    fixture.half_open();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    let trial = fixture.service.call(TestRequest::Answer(7));
    assert_eq!(fixture.script.called(), 1);
    let Err(BreakerError::Open(open)) = send(&mut fixture.service.clone(), TestRequest::Answer(8))
    else {
        panic!("a second trial was admitted");
    };
    assert_eq!(open.reason(), Refusal::TrialsTaken);
    assert!(matches!(poll(pin!(trial)), Poll::Ready(Ok(7))));
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[test]
fn dropped_response_future_frees_its_slot() {
    let mut fixture = Fixture::new();
    fixture.half_open();
    for polled in [false, true] {
        assert!(matches!(
            poll_ready(&mut fixture.service),
            Poll::Ready(Ok(()))
        ));
        let mut trial = Box::pin(fixture.service.call(TestRequest::Hang));
        if polled {
            assert!(poll(trial.as_mut()).is_pending());
        }
        assert!(
            send(&mut fixture.service.clone(), TestRequest::Answer(7))
                .unwrap_err()
                .is_open()
        );
        drop(trial);
    }
    assert!(matches!(
        send(&mut fixture.service, TestRequest::Answer(7)),
        Ok(7)
    ));
    assert_eq!(fixture.breaker.state(), State::Closed);
    assert_eq!(fixture.breaker.snapshot().totals.cancelled, 2);
}

#[test]
fn future_is_dropped_before_slot_is_free() {
    /// Records in its destructor whether the slot was already free.
    struct SlotProbe(
        breakerbox::CircuitBreaker,
        std::sync::Arc<std::sync::OnceLock<bool>>,
    );
    impl Future for SlotProbe {
        type Output = Result<(), Fault>;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Self::Output> {
            Poll::Pending
        }
    }
    impl Drop for SlotProbe {
        fn drop(&mut self) {
            self.1.set(self.0.try_acquire().is_ok()).unwrap();
        }
    }
    let breaker = breakerbox::CircuitBreaker::builder().build().unwrap();
    let was_free = std::sync::Arc::default();
    let mut service = BreakerLayer::new(breaker.clone()).layer(tower::service_fn(|()| {
        SlotProbe(breaker.clone(), std::sync::Arc::clone(&was_free))
    }));
    breaker.half_open();
    assert!(
        service
            .poll_ready(&mut crate::support::context())
            .is_ready()
    );
    drop(service.call(()));
    assert_eq!(was_free.get(), Some(&false));
    assert!(breaker.try_acquire().is_ok());
}

#[test]
fn panic_in_call_or_future_is_failure() {
    for panicking in [TestRequest::Panic, TestRequest::PanicInCall] {
        let mut fixture = Fixture::new();
        let call = AssertUnwindSafe(|| send(&mut fixture.service, panicking).is_ok());
        assert!(catch_unwind(call).is_err());
        assert_eq!(fixture.breaker.state(), State::Open);
        assert_eq!(fixture.breaker.last_failure().as_deref(), Some("panicked"));
        // A panicking trial frees its slot, so the circuit can recover later.
        fixture.clock.advance(RECOVERY);
        let call = AssertUnwindSafe(|| send(&mut fixture.service, panicking).is_ok());
        assert!(catch_unwind(call).is_err());
        assert_eq!(fixture.breaker.state(), State::Open);
        fixture.clock.advance(RECOVERY);
        assert!(matches!(
            send(&mut fixture.service, TestRequest::Answer(7)),
            Ok(7)
        ));
        assert_eq!(fixture.breaker.state(), State::Closed);
    }
}

#[test]
fn result_after_transition_is_late() {
    let mut fixture = Fixture::new();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    let old = fixture.service.call(TestRequest::Fail);
    fixture.breaker.trip();
    fixture.breaker.reset();
    assert!(matches!(
        poll(pin!(old)),
        Poll::Ready(Err(BreakerError::Inner(Fault)))
    ));
    assert_eq!(fixture.breaker.state(), State::Closed);
    assert_eq!(fixture.breaker.snapshot().totals.late, 1);
}

#[test]
fn unpolled_refusal_is_counted_once() {
    let mut fixture = Fixture::new();
    fixture.breaker.trip();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    let refused = fixture.service.call(TestRequest::Answer(7));
    assert_eq!(
        format!("{refused:?}"),
        "ResponseFuture { state: \"refused\", .. }"
    );
    drop(refused);
    let totals = fixture.breaker.snapshot().totals;
    assert_eq!((totals.refused, totals.cancelled), (1, 0));
}

#[test]
fn completed_future_panics_when_polled_again() {
    let mut fixture = Fixture::new();
    assert!(matches!(
        poll_ready(&mut fixture.service),
        Poll::Ready(Ok(()))
    ));
    let mut call = pin!(fixture.service.call(TestRequest::Answer(7)));
    assert!(poll(call.as_mut()).is_ready());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(call).is_ready())).is_err());
    assert_eq!(fixture.breaker.snapshot().totals.success, Some(1));
}

#[test]
fn services_of_one_layer_share_breaker() {
    let registry = BreakerRegistry::new();
    let layer = BreakerLayer::named(&registry, "x");
    let mut services: Vec<_> = (0..5)
        .map(|_| layer.clone().layer(StrictService::new().0))
        .collect();
    for service in &mut services {
        assert!(
            send(service, TestRequest::Fail)
                .unwrap_err()
                .inner()
                .is_some()
        );
    }
    for service in &mut services {
        assert!(send(service, TestRequest::Answer(7)).unwrap_err().is_open());
    }
    assert_eq!(registry.breaker("x").failure_count(), 5);
    assert_eq!(registry.len(), 1);
}

#[test]
fn remove_releases_handle_cached_for_service() {
    let registry = BreakerRegistry::new();
    let token = std::sync::Arc::new(());
    let captured = token.clone();
    let settings = CircuitBreaker::builder().on_event(move |_| {
        let _ = &captured;
    });
    let users = registry.register("users", settings).unwrap();
    let mut service = BreakerLayer::new(users).layer(StrictService::new().0);
    for _ in 0..2 {
        assert!(matches!(send(&mut service, TestRequest::Answer(7)), Ok(7)));
    }
    drop(service);
    drop(registry.remove("users").unwrap());
    assert_eq!(std::sync::Arc::strong_count(&token), 1);
}

#[test]
fn inner_service_is_accessible() {
    let mut fixture = Fixture::new();
    assert!(matches!(
        send(fixture.service.get_mut(), TestRequest::Answer(7)),
        Ok(7)
    ));
    assert!(format!("{:?}", fixture.service.get_ref()).starts_with("StrictService"));
    assert!(matches!(
        send(&mut fixture.service.into_inner(), TestRequest::Answer(7)),
        Ok(7)
    ));
    assert_eq!(fixture.breaker.snapshot().totals.success, Some(0));
}

/// The service is neither `Clone` nor `Send` nor `'static`, and its future borrows from it.
#[test]
fn layer_requires_no_extra_bounds() {
    struct Local<'a>(&'a str, std::marker::PhantomData<std::rc::Rc<()>>);
    impl<'a> Service<usize> for Local<'a> {
        type Response = &'a str;
        type Error = Fault;
        type Future = std::future::Ready<Result<&'a str, Fault>>;
        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Fault>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, length: usize) -> Self::Future {
            std::future::ready(self.0.get(..length).ok_or(Fault))
        }
    }
    let text = String::from("hello");
    let registry = BreakerRegistry::new();
    let layer = BreakerLayer::named(&registry, "x");
    let mut service = layer.layer(Local(&text, std::marker::PhantomData));
    assert!(
        service
            .poll_ready(&mut crate::support::context())
            .is_ready()
    );
    assert!(matches!(
        crate::support::complete(service.call(4)),
        Ok("hell")
    ));
    // The type of the future can be named.
    assert!(
        service
            .poll_ready(&mut crate::support::context())
            .is_ready()
    );
    let named: breakerbox::tower::ResponseFuture<std::future::Ready<Result<&str, Fault>>> =
        service.call(9);
    assert!(matches!(
        crate::support::complete(named),
        Err(BreakerError::Inner(Fault))
    ));
}
