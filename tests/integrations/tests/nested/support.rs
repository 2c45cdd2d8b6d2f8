//! Every way through a breaker, as an outer and as an inner guard.

use breakerbox::prelude::*;
use breakerbox::tower::BreakerLayer;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tower::{Layer, ServiceExt, service_fn};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Answer = Result<u32, BoxError>;

/// Work that is called or polled, but never waits.
pub(crate) type Work = Box<dyn FnOnce() -> Answer + Send>;

/// A way through a breaker.
pub(crate) type Guard = fn(&CircuitBreaker, Work) -> Answer;

/// Polls once.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The output of a future that never waits.
#[track_caller]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

/// The global breaker that the decorated functions use.
const DECORATED: &str = "nested";

pub(crate) fn decorated() -> CircuitBreaker {
    BreakerRegistry::global().breaker(DECORATED)
}

#[circuit(name = DECORATED)]
fn decorated_sync(work: Work) -> Answer {
    work()
}

#[circuit(name = DECORATED)]
async fn decorated_async(work: Work) -> Answer {
    work()
}

#[circuit(name = DECORATED, fallback = refused)]
fn decorated_sync_or(work: Work) -> Answer {
    work()
}

#[circuit(name = DECORATED, fallback = refused)]
async fn decorated_async_or(work: Work) -> Answer {
    work()
}

fn refused(_: Work) -> Answer {
    Err("the fallback answered".into())
}

fn layered(breaker: &CircuitBreaker, work: Work) -> Answer {
    let mut work = Some(work);
    let service = service_fn(move |()| {
        let work = work.take();
        async move { work.map_or_else(|| Err("called twice".into()), |work| work()) }
    });
    let service = BreakerLayer::new(breaker.clone()).layer(service);
    now(service.oneshot(())).map_err(BreakerError::flatten)
}

/// Work inside `Service::call`, before there is a future.
fn layered_call(breaker: &CircuitBreaker, work: Work) -> Answer {
    let mut work = Some(work);
    let service = service_fn(move |()| {
        let answer = work
            .take()
            .map_or_else(|| Err("called twice".into()), |work| work());
        std::future::ready(answer)
    });
    let service = BreakerLayer::new(breaker.clone()).layer(service);
    now(service.oneshot(())).map_err(BreakerError::flatten)
}

fn layered_twice(breaker: &CircuitBreaker, work: Work) -> Answer {
    let mut work = Some(work);
    let service = service_fn(move |()| {
        let work = work.take();
        async move { work.map_or_else(|| Err("called twice".into()), |work| work()) }
    });
    let layer = BreakerLayer::new(breaker.clone());
    let service = layer.layer(layer.layer(service));
    let answer = now(service.oneshot(()));
    answer.map_err(|error| match error {
        BreakerError::Inner(inner) => inner.flatten(),
        error => error.to_string().into(),
    })
}

/// Calls itself three times.
fn recursive(breaker: &CircuitBreaker, work: Work) -> Answer {
    fn descend(breaker: &CircuitBreaker, depth: u32, work: Work) -> Answer {
        let call = breaker.call(|| match depth {
            0 => work(),
            depth => descend(breaker, depth - 1, work),
        });
        call.map_err(BreakerError::flatten)
    }
    descend(breaker, 3, work)
}

/// Every guard, by name. Those of decorated functions use [`decorated`], whatever they are given.
pub(crate) const GUARDS: &[(&str, Guard)] = &[
    ("call", |breaker, work| {
        breaker.call(work).map_err(BreakerError::flatten)
    }),
    ("call_async", |breaker, work| {
        now(breaker.call_async(async { work() })).map_err(BreakerError::flatten)
    }),
    ("future", |breaker, work| {
        now(async { work() }.guarded_by(breaker).flatten_err())
    }),
    ("future with a timeout", |breaker, work| {
        let limit = std::time::Duration::from_secs(1);
        now(async { work() }
            .guarded_by(breaker)
            .timeout(limit)
            .flatten_err())
    }),
    ("future with a fallback", |breaker, work| {
        let guarded = async { work() }.guarded_by(breaker);
        now(guarded.fallback(|open| async move { Err(open.into()) }))
    }),
    ("owned future", |breaker, work| {
        now(Box::pin(
            async { work() }.guarded_by(breaker.clone()).flatten_err(),
        ))
    }),
    ("function", |breaker, work| {
        let guarded = (move || work()).guarded_by(breaker).flatten_err();
        guarded.call_once()
    }),
    ("function with a fallback", |breaker, work| {
        let guarded = (|work: Work| work()).guarded_by(breaker).fallback(refused);
        guarded.call(work)
    }),
    ("async function", |breaker, work| {
        let guarded = (async |work: Work| work())
            .guarded_by(breaker)
            .flatten_err();
        now(guarded.call_once(work))
    }),
    ("permit.call", |breaker, work| {
        breaker.try_acquire()?.call(work)
    }),
    ("permit.run", |breaker, work| {
        now(breaker.try_acquire()?.run(async { work() }))
    }),
    ("until_ready", |breaker, work| {
        now(async { breaker.until_ready().await.run(async { work() }).await })
    }),
    ("layer", layered),
    ("layer in call", layered_call),
    ("two layers", layered_twice),
    ("decorated", |_, work| decorated_sync(work)),
    ("decorated async", |_, work| now(decorated_async(work))),
    ("decorated with a fallback", |_, work| {
        decorated_sync_or(work)
    }),
    ("decorated async with a fallback", |_, work| {
        now(decorated_async_or(work))
    }),
    ("recursion", recursive),
];

/// Guards that only take a permit, and so can only be inside.
pub(crate) const INNER_ONLY: &[(&str, Guard)] = &[
    ("permit", |breaker, work| {
        let permit = breaker.try_acquire()?;
        let answer = work();
        permit.record_result(&answer);
        answer
    }),
    ("dropped permit", |breaker, work| {
        drop(breaker.try_acquire()?);
        work()
    }),
    ("ready, then call", |breaker, work| {
        now(breaker.ready());
        breaker.call(work).map_err(BreakerError::flatten)
    }),
];
