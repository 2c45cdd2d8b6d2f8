//! Breakers and registries that go while futures, streams and threads still use them.

use breakerbox::prelude::*;
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

/// The changes of state that a listener heard of.
type Heard = Arc<Mutex<Vec<State>>>;

fn telling(heard: &Heard) -> BreakerBuilder {
    let heard = heard.clone();
    let builder = CircuitBreaker::builder().failure_threshold(1);
    builder.on_event(move |event| {
        if let Event::StateChanged { to, .. } = event {
            heard.lock().unwrap().push(*to);
        }
    })
}

#[tokio::test]
async fn a_future_outlives_every_handle_and_still_counts() {
    let heard = Heard::default();
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let breaker = telling(&heard).build().unwrap();
    let work = async move { receive.await.map_err(|_| "down") };
    let mut call = Box::pin(work.guarded_by(breaker.clone()));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(cx).is_pending());
    drop(breaker);
    drop(send);
    assert!(call.await.is_err());
    assert_eq!(*heard.lock().unwrap(), [State::Open]);
    assert_eq!(Arc::strong_count(&heard), 1, "the breaker went with it");
}

#[test]
fn a_future_that_is_never_finished_keeps_nothing_once_it_is_dropped() {
    let heard = Heard::default();
    let registry = BreakerRegistry::new();
    registry.register("users", telling(&heard)).unwrap();
    let mut call = Box::pin(pending::<Result<(), &str>>().with_breaker(&registry, "users"));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(cx).is_pending());
    drop(registry.remove("users"));
    drop(registry);
    assert!(call.as_mut().poll(cx).is_pending());
    drop(call);
    assert_eq!(Arc::strong_count(&heard), 1);
}

#[test]
fn a_permit_outlives_its_registry() {
    let heard = Heard::default();
    let registry = BreakerRegistry::new();
    let permit = registry
        .register("users", telling(&heard))
        .unwrap()
        .try_acquire()
        .unwrap();
    drop(registry);
    permit.failure();
    assert_eq!(*heard.lock().unwrap(), [State::Open]);
}

#[test]
fn a_stream_of_a_breaker_ends_with_its_last_handle_although_a_call_was_told() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let mut events = breaker.subscribe();
    breaker.trip();
    drop(breaker);
    let cx = &mut Context::from_waker(Waker::noop());
    {
        let told = pin!(events.recv());
        assert!(matches!(told.poll(cx), Poll::Ready(Some(_))));
    }
    let end = pin!(events.recv());
    assert_eq!(
        end.poll(cx),
        Poll::Ready(None),
        "what was told is read first"
    );
}

/// A registry keeps handles for the threads that call it. They end with the registry, although the
/// threads live on, and none is served to a registry at the same address.
#[test]
fn registry_takes_its_cached_handles_along() {
    let heard = Heard::default();
    let (send, orders) = mpsc::channel::<BreakerRegistry>();
    let (done, is_done) = mpsc::channel();
    let worker = thread::spawn(move || {
        for registry in orders {
            let call = || Err::<(), _>("down").with_one(&registry);
            assert!(call(), "it ran, on a breaker of this registry");
            assert!(!call(), "and opened that one's circuit");
            drop(registry);
            done.send(()).unwrap();
        }
    });
    for round in 1..=1_000 {
        let registry = BreakerRegistry::builder()
            .default_preset(telling(&heard))
            .build()
            .unwrap();
        let mut events = registry.subscribe();
        send.send(registry.clone()).unwrap();
        is_done.recv().unwrap();
        assert_eq!(registry.breaker("users").state(), State::Open);
        drop(registry);
        assert_eq!(heard.lock().unwrap().len(), round);
        while events.try_next().is_some() {}
        let end = pin!(events.recv());
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(end.poll(cx), Poll::Ready(None));
    }
    assert_eq!(Arc::strong_count(&heard), 1, "no breaker is left");
    drop(send);
    worker.join().unwrap();
}

/// A removed breaker ends with its last handle, although the threads that called it live on.
#[test]
fn removed_breaker_ends_while_its_callers_live() {
    let heard = Heard::default();
    let registry = BreakerRegistry::new();
    registry.register("users", telling(&heard)).unwrap();
    let (send, receive) = mpsc::channel::<()>();
    let (done, is_done) = mpsc::channel();
    let theirs = registry.clone();
    let worker = thread::spawn(move || {
        assert!(Err::<(), _>("down").with_one(&theirs));
        done.send(()).unwrap();
        receive.recv().unwrap_err();
    });
    is_done.recv().unwrap();
    drop(registry.remove("users"));
    assert_eq!(Arc::strong_count(&heard), 1);
    drop(send);
    worker.join().unwrap();
}

/// Calls `users` by name; whether it ran.
trait WithOne {
    fn with_one(self, registry: &BreakerRegistry) -> bool;
}

impl WithOne for Result<(), &'static str> {
    fn with_one(self, registry: &BreakerRegistry) -> bool {
        let result = (move || self).with_breaker(registry, "users").call();
        result.is_err_and(|error| !error.is_open())
    }
}

/// A thread's number goes before or after its other locals: a destructor that calls by name finds a
/// breaker either way.
#[test]
fn a_destructor_may_call_by_name_while_its_thread_ends() {
    struct Last(BreakerRegistry);
    impl Drop for Last {
        fn drop(&mut self) {
            let _ = Err::<(), _>("down").with_one(&self.0);
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) };
    }
    for is_first in [true, false] {
        let registry = BreakerRegistry::new();
        let theirs = registry.clone();
        let ended = thread::spawn(move || {
            let call = || Err::<(), _>("down").with_one(&theirs);
            if is_first {
                call();
            }
            LAST.set(Some(Last(theirs.clone())));
            call();
        });
        assert!(ended.join().is_ok());
        let expected = if is_first { 3 } else { 2 };
        assert_eq!(registry.breaker("users").failure_count(), expected);
    }
}
