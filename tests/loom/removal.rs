//! Removal of a breaker, against a thread that has cached a handle of it.
//!
//! Loom does not know the locks of `DashMap`, so the map is not part of the model. The two threads
//! must therefore never wait for each other at the map. One thread removes the breaker. The other
//! has a cached handle, and uses the map only after it has seen the removal.

use super::*;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn fail_by_name(registry: &BreakerRegistry) {
    let call = pin!(std::future::ready(Err::<(), ()>(())).with_breaker(registry, "x"));
    let polled = call.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(BreakerError::Inner(())))));
}

#[test]
fn removed_breaker_is_not_called_by_name() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = runs.clone();
    loom::model(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let registry = BreakerRegistry::new();
        let held = registry
            .register("x", settings_with_threshold(9))
            .expect("a free name");
        fail_by_name(&registry);
        let other = registry.clone();
        let removal = thread::spawn(move || drop(other.remove("x")));
        fail_by_name(&registry);
        join(removal);
        // Creates the next breaker of this name, unless the racing call has created it.
        fail_by_name(&registry);
        let fresh = registry.get("x").expect("created by the call");
        assert_eq!(
            fresh.snapshot().totals.failure + held.snapshot().totals.failure,
            3
        );
        assert!((1..=2).contains(&fresh.failure_count()));
    });
    let runs = runs.load(Ordering::Relaxed);
    println!("remove against a cached handle: {runs} interleavings");
    assert!(runs > 1, "the threads never interleaved");
}
