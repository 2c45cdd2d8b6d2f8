//! Breakers and registries that are dropped while futures, streams and threads still use them.

use breakerbox::prelude::*;
use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

/// The new states of the state changes that a listener received.
type StateLog = Arc<Mutex<Vec<State>>>;

/// Creates settings with a failure threshold of one, and a listener that fills `log`.
fn logging_settings(log: &StateLog) -> BreakerBuilder {
    let log = log.clone();
    let builder = CircuitBreaker::builder().failure_threshold(1);
    builder.on_event(move |event| {
        if let Event::StateChanged { to, .. } = event {
            log.lock().unwrap().push(*to);
        }
    })
}

#[tokio::test]
async fn future_without_handles_still_counts() {
    let log = StateLog::default();
    let (send, receive) = tokio::sync::oneshot::channel::<()>();
    let breaker = logging_settings(&log).build().unwrap();
    let work = async move { receive.await.map_err(|_| "down") };
    let mut call = Box::pin(work.guarded_by(breaker.clone()));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(cx).is_pending());
    drop(breaker);
    drop(send);
    assert!(call.await.is_err());
    assert_eq!(*log.lock().unwrap(), [State::Open]);
    assert_eq!(
        Arc::strong_count(&log),
        1,
        "the breaker is dropped with the call"
    );
}

#[test]
fn dropped_pending_future_releases_its_breaker() {
    let log = StateLog::default();
    let registry = BreakerRegistry::new();
    registry.register("users", logging_settings(&log)).unwrap();
    let mut call = Box::pin(pending::<Result<(), &str>>().with_breaker(&registry, "users"));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(cx).is_pending());
    drop(registry.remove("users"));
    drop(registry);
    assert!(call.as_mut().poll(cx).is_pending());
    drop(call);
    assert_eq!(Arc::strong_count(&log), 1);
}

#[test]
fn permit_outlives_its_registry() {
    let log = StateLog::default();
    let registry = BreakerRegistry::new();
    let permit = registry
        .register("users", logging_settings(&log))
        .unwrap()
        .try_acquire()
        .unwrap();
    drop(registry);
    permit.failure();
    assert_eq!(*log.lock().unwrap(), [State::Open]);
}

#[test]
fn stream_ends_with_last_handle_after_queued_events() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let mut events = breaker.subscribe();
    breaker.trip();
    drop(breaker);
    let cx = &mut Context::from_waker(Waker::noop());
    {
        let event = pin!(events.recv());
        assert!(matches!(event.poll(cx), Poll::Ready(Some(_))));
    }
    let end = pin!(events.recv());
    assert_eq!(
        end.poll(cx),
        Poll::Ready(None),
        "queued events are read before the end"
    );
}

/// A registry caches handles for threads that call by name. The handles are dropped with the
/// registry, although the threads live on. A later registry at the same address does not get them.
#[test]
fn dropped_registry_releases_cached_handles() {
    let log = StateLog::default();
    let (send, registries) = mpsc::channel::<BreakerRegistry>();
    let (done, is_done) = mpsc::channel();
    let worker = thread::spawn(move || {
        for registry in registries {
            let call = || Err::<(), _>("down").call_users(&registry);
            assert!(call(), "the call ran on a breaker of this registry");
            assert!(!call(), "and tripped that breaker");
            drop(registry);
            done.send(()).unwrap();
        }
    });
    for round in 1..=1_000 {
        let registry = BreakerRegistry::builder()
            .default_preset(logging_settings(&log))
            .build()
            .unwrap();
        let mut events = registry.subscribe();
        send.send(registry.clone()).unwrap();
        is_done.recv().unwrap();
        assert_eq!(registry.breaker("users").state(), State::Open);
        drop(registry);
        assert_eq!(log.lock().unwrap().len(), round);
        while events.try_next().is_some() {}
        let end = pin!(events.recv());
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(end.poll(cx), Poll::Ready(None));
    }
    assert_eq!(Arc::strong_count(&log), 1, "every breaker was dropped");
    drop(send);
    worker.join().unwrap();
}

/// A removed breaker is dropped with its last handle, although the threads that called it live on.
#[test]
fn removed_breaker_is_dropped_while_threads_live() {
    let log = StateLog::default();
    let registry = BreakerRegistry::new();
    registry.register("users", logging_settings(&log)).unwrap();
    let (send, receive) = mpsc::channel::<()>();
    let (done, is_done) = mpsc::channel();
    let thread_registry = registry.clone();
    let worker = thread::spawn(move || {
        assert!(Err::<(), _>("down").call_users(&thread_registry));
        done.send(()).unwrap();
        receive.recv().unwrap_err();
    });
    is_done.recv().unwrap();
    drop(registry.remove("users"));
    assert_eq!(Arc::strong_count(&log), 1);
    drop(send);
    worker.join().unwrap();
}

/// Calls `users` by name, and returns whether the call ran.
trait CallUsers {
    fn call_users(self, registry: &BreakerRegistry) -> bool;
}

impl CallUsers for Result<(), &'static str> {
    fn call_users(self, registry: &BreakerRegistry) -> bool {
        let result = (move || self).with_breaker(registry, "users").call();
        result.is_err_and(|error| !error.is_open())
    }
}

/// A thread may get its index before or after `LAST` is set. The destructor can call either way.
#[test]
fn thread_local_destructor_can_call_by_name() {
    struct Last(BreakerRegistry);
    impl Drop for Last {
        fn drop(&mut self) {
            let _ = Err::<(), _>("down").call_users(&self.0);
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<Last>> = const { std::cell::RefCell::new(None) };
    }
    for is_first in [true, false] {
        let registry = BreakerRegistry::new();
        let thread_registry = registry.clone();
        let ended = thread::spawn(move || {
            let call = || Err::<(), _>("down").call_users(&thread_registry);
            if is_first {
                call();
            }
            LAST.set(Some(Last(thread_registry.clone())));
            call();
        });
        assert!(ended.join().is_ok());
        let expected = if is_first { 3 } else { 2 };
        assert_eq!(registry.breaker("users").failure_count(), expected);
    }
}
