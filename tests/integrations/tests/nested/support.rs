//! Every API that guards a call, as an outer and as an inner guard.

use breakerbox::prelude::*;
use breakerbox::tower::BreakerLayer;
use futures_util::{StreamExt as _, stream};
use std::future::ready;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tower::{Layer, ServiceExt, service_fn};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Answer = Result<u32, BoxError>;

/// Guarded code, which completes without waiting.
pub(crate) type Work = Box<dyn FnOnce() -> Answer + Send>;

/// Runs guarded code through one API.
pub(crate) type Guard = fn(&CircuitBreaker, Work) -> Answer;

/// Polls once.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns the output of a future that completes at its first poll.
#[track_caller]
pub(crate) fn complete<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
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
    complete(service.oneshot(())).map_err(BreakerError::flatten)
}

/// Runs the work in `Service::call`, before the future exists.
fn layered_call(breaker: &CircuitBreaker, work: Work) -> Answer {
    let mut work = Some(work);
    let service = service_fn(move |()| {
        let answer = work
            .take()
            .map_or_else(|| Err("called twice".into()), |work| work());
        std::future::ready(answer)
    });
    let service = BreakerLayer::new(breaker.clone()).layer(service);
    complete(service.oneshot(())).map_err(BreakerError::flatten)
}

fn layered_twice(breaker: &CircuitBreaker, work: Work) -> Answer {
    let mut work = Some(work);
    let service = service_fn(move |()| {
        let work = work.take();
        async move { work.map_or_else(|| Err("called twice".into()), |work| work()) }
    });
    let layer = BreakerLayer::new(breaker.clone());
    let service = layer.layer(layer.layer(service));
    let answer = complete(service.oneshot(()));
    answer.map_err(|error| match error {
        BreakerError::Inner(inner) => inner.flatten(),
        error => error.to_string().into(),
    })
}

/// Nests four calls of the same breaker.
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

/// Every guard, by name. Guards of decorated functions always use the breaker of [`decorated`].
pub(crate) const GUARDS: &[(&str, Guard)] = &[
    ("call", |breaker, work| {
        breaker.call(work).map_err(BreakerError::flatten)
    }),
    ("call_async", |breaker, work| {
        complete(breaker.call_async(async { work() })).map_err(BreakerError::flatten)
    }),
    ("future", |breaker, work| {
        complete(async { work() }.guarded_by(breaker).flatten_err())
    }),
    ("future with a timeout", |breaker, work| {
        let limit = std::time::Duration::from_secs(1);
        complete(
            async { work() }
                .guarded_by(breaker)
                .timeout(limit)
                .flatten_err(),
        )
    }),
    ("future with a fallback", |breaker, work| {
        let guarded = async { work() }.guarded_by(breaker);
        complete(guarded.fallback(|open| async move { Err(open.into()) }))
    }),
    ("owned future", |breaker, work| {
        complete(Box::pin(
            async { work() }.guarded_by(breaker.clone()).flatten_err(),
        ))
    }),
    ("stream", |breaker, work| {
        let work = stream::once(ready(work)).map(|work| work());
        let mut guarded = work.guarded_by(breaker);
        let answer = complete(guarded.next()).ok_or("an empty stream")?;
        assert!(complete(guarded.next()).is_none());
        answer.map_err(BreakerError::flatten)
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
        complete(guarded.call_once(work))
    }),
    ("permit.call", |breaker, work| {
        breaker.try_acquire()?.call(work)
    }),
    ("permit.run", |breaker, work| {
        complete(breaker.try_acquire()?.run(async { work() }))
    }),
    ("until_ready", |breaker, work| {
        complete(async { breaker.until_ready().await.run(async { work() }).await })
    }),
    ("layer", layered),
    ("layer in call", layered_call),
    ("two layers", layered_twice),
    ("decorated", |_, work| decorated_sync(work)),
    ("decorated async", |_, work| complete(decorated_async(work))),
    ("decorated with a fallback", |_, work| {
        decorated_sync_or(work)
    }),
    ("decorated async with a fallback", |_, work| {
        complete(decorated_async_or(work))
    }),
    ("recursion", recursive),
];

/// Guards that do not run the work inside the guarded call, so they are only useful as inner guards.
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
        complete(breaker.ready());
        breaker.call(work).map_err(BreakerError::flatten)
    }),
];
