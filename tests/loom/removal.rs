//! Removal against a thread that keeps a handle of that name.
//!
//! The map is no part of the models: its locks are `DashMap`'s own, which loom does not know. So
//! the two threads must never wait for each other there: one removes, the other has the handle in
//! its cache already, and comes to the map only once it has seen the removal.

use super::*;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn fail_by_name(registry: &BreakerRegistry) {
    let call = pin!(std::future::ready(Err::<(), ()>(())).with_breaker(registry, "x"));
    let polled = call.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(BreakerError::Inner(())))));
}

#[test]
fn a_removed_breaker_is_not_served_by_name() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = runs.clone();
    loom::model(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let registry = BreakerRegistry::new();
        let held = registry.register("x", quick(9)).expect("a free name");
        fail_by_name(&registry);
        let emptied = registry.clone();
        let removal = thread::spawn(move || drop(emptied.remove("x")));
        fail_by_name(&registry);
        join(removal);
        // From here on the name has another one, unless the call made it already.
        fail_by_name(&registry);
        let fresh = registry.get("x").expect("made by its name");
        assert_eq!(
            fresh.snapshot().totals.failure + held.snapshot().totals.failure,
            3
        );
        assert!((1..=2).contains(&fresh.failure_count()));
    });
    let runs = runs.load(Ordering::Relaxed);
    println!("remove against a cached handle: {runs} interleavings");
    assert!(runs > 1, "threads that never meet show nothing");
}
