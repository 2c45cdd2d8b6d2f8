//! Refusal links: how the error of a refused call refers to its circuit.
//!
//! During an outage nearly every call is refused, so a refusal must neither allocate nor make
//! threads contend for one cache line. An error needs two things from its circuit: the name, even
//! after the circuit has ended, and access to the last failure while the circuit lives. A
//! [`RefusalLink`] contains both, and an error holds a reference-counted pointer to a link:
//!
//! ```text
//! CircuitOpen { link, refused } ──strong──▶ RefusalLink { name, circuit } ──weak──▶ Circuit
//!                                                ▲                                    │
//!                                                └───────strong, one per stripe───────┘
//! ```
//!
//! One link for all threads would be correct; [`RefusalLinks`] is that link, striped. A clone of an
//! `Arc` writes the reference count, and two threads that clone the same `Arc` move its cache line
//! back and forth. Therefore a circuit has up to [`LINKS`] links, and a thread clones the link of
//! its own [stripe](crate::sync::striped). Striping is the idea of Java's `LongAdder` (Lea, the
//! `Striped64`); here it is applied to a reference count that is compared with one, never summed.
//! Threads that share a link are slower, but still correct. A refusal is counted first, and a
//! collision of two threads in [`Counters`](super::counters) assigns one of them to another stripe.
//!
//! The array is allocated by the first refusal of a circuit, and a link by the first refusal in its
//! stripe. Both stay until the circuit ends, so a thread allocates only at its first refusal by a
//! circuit, or after it was assigned to another stripe.
//!
//! The array and the links are published by [`once_cell`], and reference counts by `Arc`. The only
//! ordering here is the fence in [`RefusalLinks::are_referenced`].
//!
//! # Invariants
//!
//! 1. A link refers to its circuit weakly. An error keeps no circuit alive: the circuit, its
//!    streams and the closures in its settings end with the last handle. Only the memory of the
//!    `Arc` remains until the last error is dropped.
//! 2. A stripe holds one reference to its link, and every other reference belongs to an error. A
//!    circuit therefore has errors if and only if the strong count of a link is above one. Eviction
//!    relies on this (see [`RefusalLinks::are_referenced`]).
//! 3. A link never changes. Everything that describes the moment of a refusal is copied into the
//!    error.
//! 4. Dropping a link runs no user code: a link owns a name and a weak reference.

use crate::error::{RefusalLink, RefusingCircuit};
use crate::sync::striped::stripe;
use crate::sync::{Ordering, fence};
use once_cell::race::OnceBox;
use once_cell::sync::OnceCell;
use std::sync::Arc;

/// The maximum number of links of one circuit; a power of two.
///
/// A constant, so that the memory of a circuit does not depend on the number of processors.
const LINKS: usize = 16;

/// The links of one circuit, one for each stripe of threads.
#[derive(Default)]
pub(crate) struct RefusalLinks {
    stripes: OnceBox<[OnceCell<Arc<RefusalLink>>; LINKS]>,
}

impl RefusalLinks {
    /// Returns this thread's link to the circuit called `name`, which owns these links.
    #[inline]
    pub(super) fn link_to<C: RefusingCircuit + 'static>(
        &self,
        name: &Arc<str>,
        circuit: &Arc<C>,
    ) -> Arc<RefusalLink> {
        let stripes = self.stripes.get();
        match stripes.and_then(|stripes| stripe(&stripes[..]).get()) {
            Some(link) => link.clone(),
            None => self.create_link(name, circuit),
        }
    }

    #[cold]
    #[inline(never)]
    fn create_link<C: RefusingCircuit + 'static>(
        &self,
        name: &Arc<str>,
        circuit: &Arc<C>,
    ) -> Arc<RefusalLink> {
        let stripes = self.stripes.get_or_init(Box::default);
        let link = stripe(&stripes[..]).get_or_init(|| {
            let circuit = Arc::downgrade(circuit);
            Arc::new(RefusalLink::new(name.clone(), circuit))
        });
        link.clone()
    }

    /// Returns `true` if the error of a refused call refers to the circuit.
    ///
    /// A refused call first clones a link, and may then drop its handle. A caller that also counts
    /// the handles must therefore do so *before* it calls this function. A call that is in neither
    /// count has ended.
    pub(crate) fn are_referenced(&self) -> bool {
        // Ordering: `Acquire` here pairs with the `Release` decrement in the drop of a handle,
        // which the caller's relaxed read of the handles may have seen; without it the clone of the
        // link before that drop could be missed below.
        fence(Ordering::Acquire);
        let stripes = self.stripes.get().into_iter();
        let mut links = stripes.flat_map(|stripes| stripes.iter().filter_map(OnceCell::get));
        links.any(|link| Arc::strong_count(link) > 1)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::{BreakerRegistry, CircuitBreaker, CircuitOpen};
    use std::sync::Arc;
    use std::thread;

    fn open() -> CircuitBreaker {
        let breaker = BreakerRegistry::new().breaker("users");
        breaker.trip();
        breaker
    }

    fn refuse(breaker: &CircuitBreaker) -> CircuitOpen {
        breaker.try_acquire().expect_err("it is open")
    }

    #[test]
    fn errors_of_one_thread_share_one_link() {
        let users = open();
        let held: Vec<_> = (0..100).map(|_| refuse(&users)).collect();
        let link = users
            .circuit
            .refusal_links
            .link_to(&users.circuit.name, &users.circuit);
        // One reference of the stripe, `link`, and one for each error.
        assert_eq!(Arc::strong_count(&link), 2 + held.len());
        drop(held);
        assert_eq!(Arc::strong_count(&link), 2);
    }

    #[test]
    fn circuit_is_referenced_while_any_error_lives() {
        let users = open();
        let is_referenced = || users.circuit.refusal_links.are_referenced();
        assert!(!is_referenced());
        let first = refuse(&users);
        let there = users.clone();
        let worker = thread::spawn(move || refuse(&there));
        let second = worker.join().expect("no panic").clone();
        drop(first);
        assert!(is_referenced());
        drop(second);
        assert!(!is_referenced());
    }

    #[test]
    fn refusals_of_all_threads_are_counted_exactly() {
        const THREADS: u64 = 4;
        const EACH: u64 = 1_000;
        let users = open();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| (0..EACH).for_each(|_| drop(refuse(&users))));
            }
        });
        assert_eq!(users.snapshot().totals.refused, THREADS * EACH);
    }
}
