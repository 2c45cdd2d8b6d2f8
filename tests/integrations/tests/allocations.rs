//! Checks that the tower layer and the `tracing` integration do not allocate on admitted and refused calls.
#![allow(missing_docs)]

use allocation_counter::measure;
use breakerbox::prelude::*;
use breakerbox::tower::BreakerLayer;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Bytes;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use tower::{Layer, Service, service_fn};
use tracing_subscriber::filter::LevelFilter;

/// Asserts that calls allocate nothing after the first call, which fills the caches of the thread.
fn assert_no_allocations(api: &str, mut call: impl FnMut()) {
    call();
    let info = measure(|| (0..100).for_each(|_| call()));
    assert_eq!(info.count_total, 0, "{api}: {info:?}");
}

fn healthy() -> CircuitBreaker {
    let built = CircuitBreaker::builder().build();
    built.expect("the default settings are valid")
}

fn open() -> CircuitBreaker {
    let breaker = healthy();
    breaker.trip_for(Duration::from_secs(3600));
    breaker
}

fn forced() -> CircuitBreaker {
    let breaker = healthy();
    breaker.force_open();
    breaker
}

fn poll<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

fn work() -> Ready<Result<u32, Infallible>> {
    ready(Ok(7))
}

/// The integration is installed, and the subscriber accepts everything except calls.
#[test]
fn call_that_is_not_logged_allocates_nothing() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::DEBUG)
        .with_writer(std::io::sink)
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        for (breaker, is_admitted) in [(healthy(), true), (open(), false), (forced(), false)] {
            breakerbox::tracing::install_for(&breaker);
            assert_no_allocations("future", || {
                assert_eq!(poll(work().guarded_by(&breaker)).is_ok(), is_admitted);
            });
            assert_no_allocations("call", || {
                assert_eq!(breaker.call(|| Ok::<_, Infallible>(7)).is_ok(), is_admitted);
            });
            assert_no_allocations("permit", || {
                let permit = breaker.try_acquire();
                assert_eq!(permit.is_ok(), is_admitted);
                if let Ok(permit) = permit {
                    permit.success();
                }
            });
        }
    });
}

fn call<S: Service<(), Response = u32>>(service: &mut S) -> bool {
    let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(ready, Poll::Ready(Ok(()))));
    poll(service.call(())).is_ok()
}

#[test]
fn layer_allocates_nothing() {
    for (breaker, is_admitted) in [(healthy(), true), (open(), false), (forced(), false)] {
        let layer = BreakerLayer::new(breaker);
        let mut service = layer.layer(service_fn(|()| work()));
        assert_no_allocations("layer", || assert_eq!(call(&mut service), is_admitted));
        let classifying = layer.classify_response(|_: &u32| Outcome::Success);
        let mut service = classifying.layer(service_fn(|()| work()));
        assert_no_allocations("layer with a classifier", || {
            assert_eq!(call(&mut service), is_admitted);
        });
    }
}

#[test]
fn clone_of_service_allocates_nothing() {
    for (breaker, is_admitted) in [(healthy(), true), (open(), false), (forced(), false)] {
        let layer = BreakerLayer::new(breaker).on_refused(|_, ()| Err(()));
        let service = layer.layer(service_fn(|()| ready(Ok::<u32, ()>(7))));
        let call = || assert_eq!(call(&mut service.clone()), is_admitted);
        assert_no_allocations("clone", call);
        // On another thread, only the first clone allocates.
        thread::scope(|scope| scope.spawn(|| assert_no_allocations("clone", call)).join())
            .expect("no allocations");
    }
}

#[test]
fn pending_while_open_allocates_nothing_while_ready() {
    let breaker = healthy();
    let layer = BreakerLayer::new(breaker.clone()).pending_while_open();
    let mut service = layer.layer(service_fn(|()| work()));
    assert_no_allocations("pending_while_open", || assert!(call(&mut service)));
    assert_no_allocations("clone of pending_while_open", || {
        assert!(call(&mut service.clone()));
    });
}

#[test]
fn keyed_layer_allocates_nothing() {
    let registry = BreakerRegistry::new();
    let name: Arc<str> = "host:a".into();
    let layer = BreakerLayer::keyed(&registry, |(): &()| name.clone());
    let mut service = layer.layer(service_fn(|()| work()));
    assert_no_allocations("keyed layer", || assert!(call(&mut service)));
    registry.breaker("host:a").force_open();
    assert_no_allocations("keyed layer, refused", || assert!(!call(&mut service)));
}

/// A body of this many frames.
struct Frames(u32);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(rest) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = rest;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"hello")))))
    }
}

#[test]
fn guarded_body_allocates_nothing() {
    let breaker = healthy();
    let layer = BreakerLayer::new(breaker.clone()).until_body_end();
    let service =
        service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Frames(100)))));
    let mut service = layer.layer(service);
    let mut context = Context::from_waker(Waker::noop());
    assert_no_allocations("body", || {
        let _ = service.poll_ready(&mut context);
        let response = poll(service.call(Request::new(()))).unwrap();
        let mut body = pin!(response.into_body());
        let mut frames = 0;
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut context) {
            assert!(frame.is_ok());
            frames += 1;
        }
        assert_eq!(frames, 100);
    });
    assert_eq!(breaker.snapshot().totals.success, Some(101));
}
