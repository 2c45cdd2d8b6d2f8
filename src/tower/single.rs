//! [`Single`]: one breaker for all requests of a service.
//!
//! Clients and routers clone a service for each request, often on several threads. If all clones
//! shared one reference count, the threads would contend for its cache line. Each thread therefore
//! uses a handle of its own, an `Arc` with a separate count:
//!
//! ```text
//! Single on thread 1 { handle ────────────▶ Arc<CircuitBreaker>   count of thread 1
//!                      clones [ 1 │ 2 │ … ] }
//!                                   └─────▶ Arc<CircuitBreaker>   count of thread 2
//!                                                ▲
//! clone made on thread 2 { handle ───────────────┘ }
//! ```
//!
//! A clone on the thread of its original shares the handle of the original. For clones on other
//! threads, the original keeps one handle per [stripe](crate::sync::striped) of threads. The handles
//! belong to the original, so they end with it, and no cycle of references arises. A call moves the
//! handle of its service to the thread of the call.
//!
//! Threads that share a stripe contend, but their calls are still correct. benches/peers, "tower
//! service, cloned", compares one thread with two.

use super::Choose;
use super::readiness::{Readiness, sealed::Sealed};
use crate::breaker::CircuitBreaker;
use crate::handle::{ByName, Handle};
use crate::sync::striped::thread_index;
use once_cell::race::OnceBox;
use once_cell::sync::OnceCell;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The number of stripes. A constant, as for the links of refusals.
const STRIPES: usize = 16;

/// One breaker for all requests, as set by [`BreakerLayer::new`](super::BreakerLayer::new) and
/// [`BreakerLayer::named`](super::BreakerLayer::named).
///
/// Clones on different threads use different reference counts, so cloning a service on several
/// threads does not make the threads contend.
pub struct Single {
    handle: ByName,
    /// The stripe of the threads that use `handle`.
    stripe: usize,
    /// The handles of clones on other threads, created by the first such clone.
    clones: OnceBox<[OnceCell<ByName>; STRIPES]>,
}

impl Single {
    pub(super) fn new(breaker: CircuitBreaker) -> Self {
        Self::with_handle(ByName(Arc::new(breaker)), stripe())
    }

    fn with_handle(handle: ByName, stripe: usize) -> Self {
        Self {
            handle,
            stripe,
            clones: OnceBox::new(),
        }
    }

    #[inline]
    pub(super) fn breaker(&self) -> &CircuitBreaker {
        self.handle.breaker()
    }

    /// Returns a handle for a call on this thread.
    #[inline]
    pub(super) fn handle(&mut self) -> ByName {
        let stripe = stripe();
        if stripe != self.stripe {
            self.move_to(stripe);
        }
        self.handle.clone()
    }

    #[cold]
    #[inline(never)]
    fn move_to(&mut self, stripe: usize) {
        self.handle = self.new_handle();
        self.stripe = stripe;
    }

    #[cold]
    #[inline(never)]
    fn handle_of_clone(&self, stripe: usize) -> ByName {
        let clones = self.clones.get_or_init(Box::default);
        clones[stripe].get_or_init(|| self.new_handle()).clone()
    }

    fn new_handle(&self) -> ByName {
        ByName(Arc::new(self.breaker().clone()))
    }
}

#[inline]
fn stripe() -> usize {
    thread_index() % STRIPES
}

impl Clone for Single {
    #[inline]
    fn clone(&self) -> Self {
        let stripe = stripe();
        let handle = if stripe == self.stripe {
            self.handle.clone()
        } else {
            self.handle_of_clone(stripe)
        };
        Self::with_handle(handle, stripe)
    }
}

impl Sealed for Single {}

impl<Request> Choose<Request> for Single {
    #[inline]
    fn chosen(&self) -> Option<&CircuitBreaker> {
        Some(self.breaker())
    }

    #[inline]
    fn handle(&mut self, _: &Request) -> ByName {
        self.handle()
    }
}

/// A service is ready while its circuit refuses calls, so that calls are refused at once.
impl<S> Readiness<S> for Single {
    #[inline]
    fn poll_circuit(&mut self, is_refusing: bool, _: &mut S, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(is_refusing)
    }

    #[inline]
    fn release(&mut self, _: &mut S) -> bool {
        false
    }
}

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.breaker().fmt(f)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::thread;

    fn single() -> Single {
        let breaker = CircuitBreaker::builder().build();
        Single::new(breaker.expect("the default settings are valid"))
    }

    fn share_count(one: &Single, other: &Single) -> bool {
        Arc::ptr_eq(&one.handle.0, &other.handle.0)
    }

    /// Runs `test` on a thread of another stripe.
    fn on_other_stripe<T: Send>(test: impl Fn() -> T + Sync) -> T {
        let here = stripe();
        loop {
            let result = thread::scope(|scope| {
                let thread = scope.spawn(|| (stripe() != here).then(&test));
                thread.join().expect("no panic")
            });
            if let Some(result) = result {
                return result;
            }
        }
    }

    #[test]
    fn clones_of_one_thread_share_a_count() {
        let original = single();
        let clone = original.clone();
        assert!(share_count(&original, &clone));
        assert!(share_count(&original, &clone.clone()));
        assert!(original.clones.get().is_none());
    }

    #[test]
    fn clones_of_other_threads_use_another_count() {
        let original = single();
        let clones = on_other_stripe(|| {
            let clone = original.clone();
            assert!(share_count(&clone, &clone.clone()));
            assert!(clone.clones.get().is_none());
            [clone, original.clone()]
        });
        assert!(!share_count(&original, &clones[0]));
        assert!(share_count(&clones[0], &clones[1]));
        let circuit = &original.breaker().circuit;
        assert!(Arc::ptr_eq(circuit, &clones[0].breaker().circuit));
    }

    #[test]
    fn call_moves_handle_to_its_thread() {
        let original = single();
        let moved = on_other_stripe(|| {
            let mut moved = original.clone();
            moved.stripe = original.stripe;
            let handle = moved.handle();
            assert!(Arc::ptr_eq(&handle.0, &moved.handle().0));
            assert_eq!(moved.stripe, stripe());
            moved
        });
        assert!(!share_count(&original, &moved));
    }

    #[test]
    fn handles_end_with_their_services() {
        let original = single();
        let circuit = Arc::downgrade(&original.breaker().circuit);
        let clone = on_other_stripe(|| original.clone());
        drop(original);
        assert_eq!(circuit.strong_count(), 1);
        drop(clone);
        assert_eq!(circuit.strong_count(), 0);
    }
}
