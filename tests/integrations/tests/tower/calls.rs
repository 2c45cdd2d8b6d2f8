//! Admission, and every way a call can end.

use crate::support::{Ask, Bench, Fault, RECOVERY, Strict, ask, poll, poll_ready};
use breakerbox::tower::BreakerLayer;
use breakerbox::{BreakerError, BreakerRegistry, CircuitBreaker, Refusal, State};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use tower::{Layer, Service};

#[test]
fn results_pass_and_count() {
    let mut bench = Bench::new();
    assert!(matches!(ask(&mut bench.service, Ask::Answer(7)), Ok(7)));
    assert_eq!(
        ask(&mut bench.service, Ask::Fail).unwrap_err().into_inner(),
        Some(Fault)
    );
    assert!(
        ask(&mut bench.service, Ask::Answer(7))
            .unwrap_err()
            .is_open()
    );
    let totals = bench.breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.refused),
        (Some(1), 1, 1)
    );
    assert_eq!(bench.script.called(), 2);
}

#[test]
fn a_call_is_admitted_in_call_and_not_when_its_future_is_polled() {
    let mut bench = Bench::new();
    bench.half_open();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    let trial = bench.service.call(Ask::Answer(7));
    assert_eq!(bench.script.called(), 1);
    let Err(BreakerError::Open(open)) = ask(&mut bench.service.clone(), Ask::Answer(8)) else {
        panic!("two trials");
    };
    assert_eq!(open.reason(), Refusal::TrialsTaken);
    assert!(matches!(poll(pin!(trial)), Poll::Ready(Ok(7))));
    assert_eq!(bench.breaker.state(), State::Closed);
}

#[test]
fn a_response_future_that_is_dropped_frees_its_trial() {
    let mut bench = Bench::new();
    bench.half_open();
    for polled in [false, true] {
        assert!(matches!(
            poll_ready(&mut bench.service),
            Poll::Ready(Ok(()))
        ));
        let mut trial = Box::pin(bench.service.call(Ask::Hang));
        if polled {
            assert!(poll(trial.as_mut()).is_pending());
        }
        assert!(
            ask(&mut bench.service.clone(), Ask::Answer(7))
                .unwrap_err()
                .is_open()
        );
        drop(trial);
    }
    assert!(matches!(ask(&mut bench.service, Ask::Answer(7)), Ok(7)));
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.snapshot().totals.cancelled, 2);
}

#[test]
fn the_work_is_over_when_its_slot_is_free() {
    /// Tells, when it is dropped, whether the slot was free already.
    struct Worker(
        breakerbox::CircuitBreaker,
        std::sync::Arc<std::sync::OnceLock<bool>>,
    );
    impl Future for Worker {
        type Output = Result<(), Fault>;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Self::Output> {
            Poll::Pending
        }
    }
    impl Drop for Worker {
        fn drop(&mut self) {
            self.1.set(self.0.try_acquire().is_ok()).unwrap();
        }
    }
    let breaker = breakerbox::CircuitBreaker::builder().build().unwrap();
    let was_free = std::sync::Arc::default();
    let mut service = BreakerLayer::new(breaker.clone()).layer(tower::service_fn(|()| {
        Worker(breaker.clone(), std::sync::Arc::clone(&was_free))
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
fn a_panic_is_a_failure_in_the_future_and_in_call() {
    for panicking in [Ask::Panic, Ask::PanicInCall] {
        let mut bench = Bench::new();
        let call = AssertUnwindSafe(|| ask(&mut bench.service, panicking).is_ok());
        assert!(catch_unwind(call).is_err());
        assert_eq!(bench.breaker.state(), State::Open);
        assert_eq!(bench.breaker.last_failure().as_deref(), Some("panicked"));
        // A panicking trial holds nothing up.
        bench.clock.advance(RECOVERY);
        let call = AssertUnwindSafe(|| ask(&mut bench.service, panicking).is_ok());
        assert!(catch_unwind(call).is_err());
        assert_eq!(bench.breaker.state(), State::Open);
        bench.clock.advance(RECOVERY);
        assert!(matches!(ask(&mut bench.service, Ask::Answer(7)), Ok(7)));
        assert_eq!(bench.breaker.state(), State::Closed);
    }
}

#[test]
fn a_result_from_before_a_change_of_state_is_late() {
    let mut bench = Bench::new();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    let old = bench.service.call(Ask::Fail);
    bench.breaker.trip();
    bench.breaker.reset();
    assert!(matches!(
        poll(pin!(old)),
        Poll::Ready(Err(BreakerError::Inner(Fault)))
    ));
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.snapshot().totals.late, 1);
}

#[test]
fn a_refused_future_that_is_never_polled_is_counted_once() {
    let mut bench = Bench::new();
    bench.breaker.trip();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    let refused = bench.service.call(Ask::Answer(7));
    assert_eq!(
        format!("{refused:?}"),
        "ResponseFuture { state: \"refused\", .. }"
    );
    drop(refused);
    let totals = bench.breaker.snapshot().totals;
    assert_eq!((totals.refused, totals.cancelled), (1, 0));
}

#[test]
fn a_future_that_has_completed_panics_when_it_is_polled_again() {
    let mut bench = Bench::new();
    assert!(matches!(
        poll_ready(&mut bench.service),
        Poll::Ready(Ok(()))
    ));
    let mut call = pin!(bench.service.call(Ask::Answer(7)));
    assert!(poll(call.as_mut()).is_ready());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(call).is_ready())).is_err());
    assert_eq!(bench.breaker.snapshot().totals.success, Some(1));
}

#[test]
fn services_of_one_layer_share_their_breaker() {
    let registry = BreakerRegistry::new();
    let layer = BreakerLayer::named(&registry, "x");
    let mut services: Vec<_> = (0..5)
        .map(|_| layer.clone().layer(Strict::new().0))
        .collect();
    for service in &mut services {
        assert!(ask(service, Ask::Fail).unwrap_err().inner().is_some());
    }
    for service in &mut services {
        assert!(ask(service, Ask::Answer(7)).unwrap_err().is_open());
    }
    assert_eq!(registry.breaker("x").failure_count(), 5);
    assert_eq!(registry.len(), 1);
}

#[test]
fn remove_releases_handle_cached_for_service() {
    let registry = BreakerRegistry::new();
    let token = std::sync::Arc::new(());
    let kept = token.clone();
    let settings = CircuitBreaker::builder().on_event(move |_| {
        let _ = &kept;
    });
    let users = registry.register("users", settings).unwrap();
    let mut service = BreakerLayer::new(users).layer(Strict::new().0);
    for _ in 0..2 {
        assert!(matches!(ask(&mut service, Ask::Answer(7)), Ok(7)));
    }
    drop(service);
    drop(registry.remove("users").unwrap());
    assert_eq!(std::sync::Arc::strong_count(&token), 1);
}

#[test]
fn the_inner_service_can_be_reached() {
    let mut bench = Bench::new();
    assert!(matches!(
        ask(bench.service.get_mut(), Ask::Answer(7)),
        Ok(7)
    ));
    assert!(format!("{:?}", bench.service.get_ref()).starts_with("Strict"));
    assert!(matches!(
        ask(&mut bench.service.into_inner(), Ask::Answer(7)),
        Ok(7)
    ));
    assert_eq!(bench.breaker.snapshot().totals.success, Some(0));
}

/// Neither `Clone` nor `Send` nor `'static`, and a future that borrows.
#[test]
fn nothing_is_asked_of_the_service_that_tower_does_not_ask() {
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
    assert!(matches!(crate::support::now(service.call(4)), Ok("hell")));
    // The type of the future can be written down.
    assert!(
        service
            .poll_ready(&mut crate::support::context())
            .is_ready()
    );
    let named: breakerbox::tower::ResponseFuture<std::future::Ready<Result<&str, Fault>>> =
        service.call(9);
    assert!(matches!(
        crate::support::now(named),
        Err(BreakerError::Inner(Fault))
    ));
}
