//! Nested layers: an outer layer ignores the refusal of an inner layer.

use breakerbox::tower::BreakerLayer;
use breakerbox::{CircuitBreaker, first_ready};
use std::error::Error;
use std::future::ready;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

type BoxError = Box<dyn Error + Send + Sync>;

fn complete<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

fn breaker() -> CircuitBreaker {
    let built = CircuitBreaker::builder().build();
    built.expect("the default settings are valid")
}

fn open_breaker() -> CircuitBreaker {
    let breaker = breaker();
    breaker.force_open();
    breaker
}

fn refused_io() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionRefused)
}

fn service() -> impl Service<u8, Response = u8, Error = io::Error> + Clone {
    service_fn(async |request: u8| match request {
        0 => Err(refused_io()),
        n => Ok(n),
    })
}

fn ignored(breaker: &CircuitBreaker) -> u64 {
    breaker.snapshot().totals.ignored
}

#[test]
fn two_layers_ignore_a_refusal() {
    let (inner, outer) = (open_breaker(), breaker());
    let service = BreakerLayer::new(inner.clone()).layer(service());
    let service = BreakerLayer::new(outer.clone()).layer(service);
    let error = complete(service.clone().oneshot(7)).unwrap_err();
    assert!(error.is_open());
    assert_eq!((outer.failure_count(), ignored(&outer)), (0, 1));
    inner.reset();
    let error = complete(service.oneshot(0)).unwrap_err();
    assert!(!error.is_open());
    assert_eq!((inner.failure_count(), outer.failure_count()), (1, 1));
}

#[test]
fn three_layers_ignore_a_refusal() {
    let (inner, middle, outer) = (open_breaker(), breaker(), breaker());
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::new(outer.clone()))
        .layer(BreakerLayer::new(middle.clone()))
        .layer(BreakerLayer::new(inner))
        .service(service());
    let error = complete(service.oneshot(7)).unwrap_err();
    assert!(error.is_open());
    assert_eq!((ignored(&middle), ignored(&outer)), (1, 1));
}

#[test]
fn boxed_layer_ignores_a_refusal() {
    let (inner, outer) = (open_breaker(), breaker());
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::new(outer.clone()))
        .map_err(BoxError::from)
        .layer(BreakerLayer::new(inner))
        .service(service());
    let error = complete(service.oneshot(7)).unwrap_err();
    assert!(!error.is_open() && breakerbox::is_refusal(&**error.inner().unwrap()));
    assert_eq!((outer.failure_count(), ignored(&outer)), (0, 1));
}

#[test]
fn layer_rule_unwraps_inner_layers() {
    let outer = CircuitBreaker::builder()
        .expected_error::<io::Error>()
        .build()
        .unwrap();
    let service = ServiceBuilder::new()
        .layer(BreakerLayer::new(outer.clone()))
        .layer(BreakerLayer::new(breaker()))
        .layer(BreakerLayer::new(breaker()))
        .service(service());
    assert!(complete(service.oneshot(0)).is_err());
    assert_eq!(outer.failure_count(), 1);
}

#[test]
fn layer_ignores_refusal_by_several_breakers() {
    let providers = [open_breaker(), open_breaker()];
    let typed = providers.clone();
    let service = service_fn(move |_: u8| {
        let chosen = first_ready(&typed);
        ready(chosen.map(|(index, permit)| {
            permit.success();
            index
        }))
    });
    let outer = breaker();
    let guarded = BreakerLayer::new(outer.clone()).layer(service);
    let error = complete(guarded.oneshot(7)).unwrap_err();
    assert!(error.is_open());
    assert_eq!((outer.failure_count(), ignored(&outer)), (0, 1));

    let service = service_fn(move |_: u8| {
        let boxed = first_ready(&providers).map(drop).map_err(BoxError::from);
        ready(boxed)
    });
    let guarded = BreakerLayer::new(outer.clone()).layer(service);
    assert!(complete(guarded.oneshot(7)).is_err());
    assert_eq!((outer.failure_count(), ignored(&outer)), (0, 2));
}
