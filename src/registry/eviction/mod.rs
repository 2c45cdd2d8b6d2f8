//! Eviction: which breakers leave a registry that is full, and which have been idle for too long.
//!
//! Breakers created by use wait in three queues, by how much would be lost with them: *clean* (closed,
//! without failures), *failing*, and *protected* (open with time left to wait, forced open, or held). The
//! oldest entry is evicted first, with a second chance for breakers that were used since the last scan.
//!
//! A change of a breaker does not move its entry: the next scan does. The change pays for that move, so an
//! insertion scans few entries on average however many names there are. [`SCANNED_PER_INSERT`] bounds the
//! worst case.
//!
//! The [`EvictionQueues`] are under one lock, and no user code runs under it. [`Candidate::reclassify`] reads
//! clocks between two acquisitions of the lock, and [`Evicted`] carries breakers out of it.

mod queue_entry;
#[cfg(feature = "serde")]
mod reserve;

use super::breaker_map::BreakerMap;
use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::clock::Moment;
pub(super) use queue_entry::Candidate;
use queue_entry::{Class, QueueEntry};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Entries of one queue that an insertion scans at most to evict one breaker.
const SCANNED_PER_INSERT: usize = 128;
/// Protected breakers that an insertion classifies again.
const CANDIDATES_PER_INSERT: usize = 8;
/// Entries of one queue that an insertion scans to find idle or removed breakers.
const CLEANED_PER_INSERT: usize = 2;

/// The breakers created by use, in the order of eviction.
#[derive(Debug, Default)]
pub(super) struct EvictionQueues {
    clean: VecDeque<QueueEntry>,
    failing: VecDeque<QueueEntry>,
    protected: VecDeque<QueueEntry>,
    /// The number of breakers in the map, queued or not. It changes with the map, under the same lock.
    pub(super) map_len: usize,
}

/// Breakers that were evicted, and references to drop outside the lock.
#[derive(Default)]
pub(super) struct Evicted {
    pub(super) breakers: Vec<CircuitBreaker>,
    /// References of a scan, each of which may be the last one by now.
    references: Vec<Arc<Circuit>>,
}

/// The result of scanning one entry.
enum ScanResult {
    Evicted,
    /// The breaker was removed before, or became permanent. The entry is dropped.
    Dropped,
    /// The entry is in the queue of another class.
    Moved,
    /// The breaker was used. The entry is at the back of its queue.
    Requeued,
    /// The breaker is not idle for long enough. The entry is at the front of its queue.
    TooEarly,
}

/// Which entries a scan evicts.
#[derive(Clone, Copy)]
enum Filter {
    Idle,
    Any,
    IdleFor(Duration),
}

impl EvictionQueues {
    /// Queues a breaker that was created by use.
    pub(super) fn push(&mut self, breaker: &CircuitBreaker, now: Moment) {
        // Nearly all entries are in this queue, and doubling it would waste more memory than an eighth.
        if self.clean.len() == self.clean.capacity() {
            self.clean.reserve_exact(self.clean.len() / 8 + 8);
        }
        let circuit = Arc::downgrade(&breaker.circuit);
        self.clean.push_back(QueueEntry::new(circuit, now));
    }

    /// Takes some protected breakers, to be classified again outside the lock.
    pub(super) fn take_candidates(&mut self) -> Vec<Candidate> {
        self.take_first_candidates(CANDIDATES_PER_INSERT)
    }

    fn take_first_candidates(&mut self, limit: usize) -> Vec<Candidate> {
        let count = self.protected.len().min(limit);
        let entries = self.protected.drain(..count);
        entries
            .map(|entry| Candidate {
                entry,
                class: Class::Protected,
            })
            .collect()
    }

    /// Queues candidates by their class.
    pub(super) fn put_back(&mut self, candidates: Vec<Candidate>) {
        for Candidate { entry, class } in candidates {
            self.queue(class).push_back(entry);
        }
    }

    /// Evicts one breaker. Returns false if the scan found none.
    pub(super) fn evict_one(
        &mut self,
        breakers: &BreakerMap,
        now: Moment,
        evicted: &mut Evicted,
    ) -> bool {
        let filters = [Filter::Idle, Filter::Any];
        filters.into_iter().any(|filter| {
            [Class::Clean, Class::Failing].into_iter().any(|class| {
                let is_evicted = |result| matches!(result, Some(ScanResult::Evicted));
                (0..SCANNED_PER_INSERT.min(self.queue(class).len()))
                    .any(|_| is_evicted(self.scan_front(class, filter, breakers, now, evicted)))
            })
        })
    }

    /// Evicts a few breakers that have been idle for `idle`.
    pub(super) fn expire_idle(
        &mut self,
        idle: Duration,
        breakers: &BreakerMap,
        now: Moment,
        evicted: &mut Evicted,
    ) {
        for class in [Class::Clean, Class::Failing] {
            for _ in 0..CLEANED_PER_INSERT {
                let result = self.scan_front(class, Filter::IdleFor(idle), breakers, now, evicted);
                if matches!(result, None | Some(ScanResult::TooEarly)) {
                    break;
                }
            }
        }
    }

    /// Drops a few entries of breakers that were removed by name, once such entries may be the majority. So
    /// the queues have at most about twice as many entries as the map.
    pub(super) fn compact(&mut self) {
        if self.queued() <= 2 * self.map_len + 64 {
            return;
        }
        for class in [Class::Clean, Class::Failing, Class::Protected] {
            for _ in 0..CLEANED_PER_INSERT {
                let queue = self.queue(class);
                let Some(entry) = queue.pop_front() else {
                    break;
                };
                // Not upgraded: the reference could become the last one, and end the breaker here.
                if entry.circuit.strong_count() > 0 {
                    queue.push_back(entry);
                }
            }
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.clean.len() + self.failing.len() + self.protected.len()
    }

    fn queue(&mut self, class: Class) -> &mut VecDeque<QueueEntry> {
        match class {
            Class::Clean => &mut self.clean,
            Class::Failing => &mut self.failing,
            Class::Protected => &mut self.protected,
        }
    }

    /// Scans the first entry of a queue. Returns `None` if the queue is empty.
    fn scan_front(
        &mut self,
        queue: Class,
        filter: Filter,
        breakers: &BreakerMap,
        now: Moment,
        evicted: &mut Evicted,
    ) -> Option<ScanResult> {
        let mut entry = self.queue(queue).pop_front()?;
        let Some(circuit) = entry.circuit.upgrade() else {
            return Some(ScanResult::Dropped);
        };
        if circuit.entry.is_removed() || !circuit.entry.is_evictable() {
            evicted.references.push(circuit);
            return Some(ScanResult::Dropped);
        }
        // From here on the map holds the breaker too, since removals need the lock of the queues. So
        // dropping `circuit` does not end the breaker.
        let mut class = entry.class(&circuit);
        if class == queue {
            if !matches!(filter, Filter::Any) && circuit.entry.clear_used() {
                entry.last_used = now;
                self.queue(queue).push_back(entry);
                return Some(ScanResult::Requeued);
            }
            if matches!(filter, Filter::IdleFor(time) if now.since(entry.last_used) < time) {
                self.queue(queue).push_front(entry);
                return Some(ScanResult::TooEarly);
            }
            let must_be_idle = !matches!(filter, Filter::Any);
            let is_unprotected = || entry.class(&circuit) == queue;
            if let Some(breaker) =
                breakers.remove_if_evictable(&circuit, must_be_idle, is_unprotected)
            {
                self.map_len -= 1;
                evicted.breakers.push(breaker);
                return Some(ScanResult::Evicted);
            }
            class = Class::Protected;
        }
        self.queue(class).push_back(entry);
        Some(ScanResult::Moved)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::BreakerRegistry;

    fn queued(registry: &BreakerRegistry) -> usize {
        registry.inner.queues.lock().queued()
    }

    fn fail(registry: &BreakerRegistry, name: &str) {
        let _ = registry.breaker(name).call(|| Err::<(), _>("down"));
    }

    fn registry_of(capacity: usize) -> BreakerRegistry {
        let builder = BreakerRegistry::builder().capacity(capacity);
        builder.build().expect("a valid capacity")
    }

    #[test]
    fn breaker_is_in_one_queue() {
        let registry = registry_of(9);
        for name in ["a", "b", "c"] {
            fail(&registry, name);
        }
        registry.breaker("d").trip();
        registry.breaker("e").trip();
        // Enough insertions to scan all queues.
        for name in 0..50 {
            registry.breaker(name.to_string());
        }
        for name in ["a", "b", "c", "d", "e"] {
            assert!(registry.get(name).is_some(), "{name} is evicted later");
        }
        assert_eq!(queued(&registry), 9);
    }

    #[test]
    fn removed_names_leave_the_queues() {
        let registry = registry_of(300);
        for name in 0..200 {
            registry.breaker(format!("old {name}"));
        }
        for _ in 0..2_000 {
            registry.breaker("x");
            registry.remove("x");
            // Some insertions pass until a scan finds the entries of removed breakers.
            assert!(queued(&registry) <= 3 * registry.len() + 64);
        }
        for name in 0..1_000 {
            registry.breaker(format!("new {name}"));
        }
        assert!(registry.get("new 999").is_some());
        for name in 0..200 {
            assert!(registry.get(format!("old {name}")).is_none());
        }
    }
}
