//! Responses to refused calls by `on_refused`.

use crate::support::{Fault, StrictService, TestRequest, send};
use breakerbox::tower::BreakerLayer;
use breakerbox::{CircuitBreaker, CircuitOpen};
use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::{Layer, Service, ServiceExt, service_fn};

fn open() -> CircuitBreaker {
    let breaker = CircuitBreaker::builder().name("x").build().unwrap();
    breaker.trip();
    breaker
}

#[test]
fn on_refused_answers_with_service_error_type() {
    let breaker = open();
    let layer = BreakerLayer::new(breaker.clone()).on_refused(|open: CircuitOpen, _| {
        assert_eq!(open.name(), "x");
        Ok(99)
    });
    let (strict, script) = StrictService::new();
    let mut service = layer.layer(strict);
    assert_eq!(
        send(&mut service, TestRequest::Answer(7)),
        Ok::<u32, Fault>(99)
    );
    assert_eq!(script.called(), 0);
    // `on_refused` only answers refusals, and its results are not classified.
    breaker.reset();
    assert_eq!(send(&mut service, TestRequest::Answer(7)), Ok(7));
    assert_eq!(send(&mut service, TestRequest::Fail), Err(Fault));
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.failure, totals.refused),
        (Some(1), 1, 1)
    );
}

#[test]
fn on_refused_may_return_error() {
    let layer = BreakerLayer::new(open()).on_refused(|_, _| Err(Fault));
    assert_eq!(
        send(
            &mut layer.layer(StrictService::new().0),
            TestRequest::Answer(7)
        ),
        Err::<u32, _>(Fault)
    );
}

#[test]
fn on_refused_panic_is_no_failure() {
    let breaker = open();
    let layer = BreakerLayer::new(breaker.clone())
        .on_refused(|_, _: TestRequest| -> Result<u32, Fault> { panic!("deliberate panic") });
    let mut service = layer.layer(StrictService::new().0);
    assert!(
        catch_unwind(AssertUnwindSafe(|| send(
            &mut service,
            TestRequest::Answer(7)
        )))
        .is_err()
    );
    assert_eq!(breaker.failure_count(), 0);
    assert_eq!(breaker.snapshot().totals.refused, 1);
}

/// A request that cannot be cloned.
#[derive(Debug, PartialEq)]
struct Ticket(u32);

/// Counts its clones, in the place of a value that a closure captures.
#[derive(Debug, Default)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn check(&self) {
        assert!(Arc::strong_count(&self.0) > 1);
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

fn answer(Ticket(number): Ticket) -> Ready<Result<u32, Ticket>> {
    ready(Ok(number))
}

#[test]
fn on_refused_gets_request_by_value() {
    let breaker = open();
    let layer = BreakerLayer::new(breaker.clone()).on_refused(|_, ticket| Err(ticket));
    let service = layer.layer(service_fn(answer));
    let call = |ticket| futures_executor::block_on(service.clone().oneshot(ticket));
    assert_eq!(call(Ticket(7)), Err(Ticket(7)));
    breaker.reset();
    assert_eq!(call(Ticket(7)), Ok(7));
    // Both decisions pass the request: that of `poll_ready`, and that of `call`.
    let mut ready = service.clone();
    assert!(futures_executor::block_on(ready.ready()).is_ok());
    breaker.trip();
    assert_eq!(
        futures_executor::block_on(ready.call(Ticket(8))),
        Err(Ticket(8))
    );
}

#[test]
fn only_refused_calls_clone_closure() {
    let breaker = open();
    let counted = Counted::default();
    let clones = counted.0.clone();
    let layer = BreakerLayer::new(breaker.clone()).on_refused(move |_, ticket: Ticket| {
        counted.check();
        Err(ticket)
    });
    let mut service = layer.layer(service_fn(answer));
    let mut call = |number| {
        let before = clones.load(Ordering::Relaxed);
        let called = futures_executor::block_on(async {
            service.ready().await.unwrap().call(Ticket(number)).await
        });
        (called.is_ok(), clones.load(Ordering::Relaxed) - before)
    };
    assert_eq!(call(1), (false, 1));
    breaker.reset();
    assert_eq!(call(2), (true, 0));
}

#[test]
fn on_refused_runs_when_future_is_polled() {
    let request = Arc::new(());
    let layer = BreakerLayer::new(open())
        .on_refused(|_, _: Arc<()>| -> Result<u32, Fault> { panic!("not polled") });
    let mut service = layer.layer(service_fn(|_| ready(Ok(7))));
    assert!(futures_executor::block_on(service.ready()).is_ok());
    let future = service.call(request.clone());
    assert_eq!(Arc::strong_count(&request), 2);
    drop(future);
    assert_eq!(Arc::strong_count(&request), 1);
}

#[test]
fn refusal_without_on_refused_drops_request_at_once() {
    let request = Arc::new(());
    let mut service = BreakerLayer::new(open()).layer(service_fn(|_| ready(Ok::<_, Fault>(7))));
    assert!(futures_executor::block_on(service.ready()).is_ok());
    let future = service.call(request.clone());
    assert_eq!(Arc::strong_count(&request), 1);
    assert!(futures_executor::block_on(future).unwrap_err().is_open());
}
