//! Eviction: removes breakers from a full registry, and breakers that have been idle for too long.
//!
//! The breakers that were created by use are in an [`EvictionPool`]. An insertion examines a random sample
//! of them and evicts the idlest one. This is the approximated LRU algorithm of Redis
//! (<https://redis.io/docs/latest/develop/reference/eviction/#approximated-lru-algorithm>). The cost of an
//! insertion therefore does not depend on the number of breakers, and a lookup maintains no order of use.
//! If every breaker in the sample is protected, there is no room.
//!
//! A lock protects the pool, and no user code runs while it is held. An eviction therefore has three
//! steps:
//!
//! 1. [`EvictionPool::sample`] draws candidates under the lock.
//! 2. [`Candidate::decide`] reads the clocks of open breakers outside the lock.
//! 3. [`EvictionPool::rank`] and [`EvictionPool::evict`] run under the lock. A decision of step 2 holds only
//!    while the packed state is the same.

mod candidate;

use super::breaker_map::BreakerMap;
use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::clock::Moment;
pub(super) use candidate::Candidate;
use candidate::{Class, classify};
use fastrand::Rng;
use std::sync::Arc;
use std::time::Duration;

/// The number of candidates of an insertion. Redis draws five by default, and ten approximate an exact LRU
/// well. This number is larger, because some candidates may be protected.
pub(super) const SAMPLE_SIZE: usize = 16;

/// The breakers that were created by use, in no particular order.
///
/// # Invariants
///
/// 1. A circuit in the pool is in the map, and stores its position in the pool. Both change only under the
///    lock of the pool. A reference from the pool is therefore never the last one, and may be dropped under
///    the lock.
/// 2. Every evictable breaker in the map is in the pool. A breaker that became permanent stays in the pool
///    until a sample contains it.
#[derive(Debug)]
pub(super) struct EvictionPool {
    entries: Vec<Entry>,
    /// The number of breakers in the map, evictable or not. It changes with the map, under the same lock.
    pub(super) map_len: usize,
    /// The number of insertions, which is the time of a registry without an idle timeout.
    insertions: u64,
    /// Has a fixed seed, so that runs are reproducible. No protection depends on random numbers.
    rng: Rng,
}

#[derive(Debug)]
struct Entry {
    circuit: Arc<Circuit>,
    /// The last time at which a sample found the breaker used or held.
    last_used: Moment,
}

/// An unprotected candidate. Candidates are evicted in ascending order of their rank.
pub(super) struct Ranked {
    rank: Rank,
    circuit: Arc<Circuit>,
    unprotected_word: u64,
}

/// The order of eviction. The derived `Ord` compares the fields from top to bottom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// False if the breaker has been idle for longer than the timeout.
    in_time: bool,
    used: bool,
    class: Class,
    last_used: Moment,
}

impl EvictionPool {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            map_len: 0,
            insertions: 0,
            rng: Rng::with_seed(0),
        }
    }

    /// Counts an insertion, and returns the time that measures idleness: the time of `clock`, or else the
    /// number of insertions.
    pub(super) fn advance(&mut self, clock: Option<Moment>) -> Moment {
        self.insertions += 1;
        clock.unwrap_or(Moment::from_nanos(self.insertions))
    }

    /// Adds a breaker that is in the map. Does nothing if the breaker is in the pool.
    pub(super) fn insert(&mut self, breaker: &CircuitBreaker, now: Moment) {
        let circuit = &breaker.circuit;
        if self.position(circuit).is_some() {
            return;
        }
        // Grows by an eighth. The default strategy doubles, and may leave half of the memory unused.
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(self.entries.len() / 8 + 8);
        }
        circuit.entry.set_position(self.entries.len());
        self.entries.push(Entry {
            circuit: circuit.clone(),
            last_used: now,
        });
    }

    /// Removes a breaker, if it is in the pool.
    pub(super) fn remove(&mut self, circuit: &Arc<Circuit>) {
        let Some(position) = self.position(circuit) else {
            return;
        };
        self.entries.swap_remove(position);
        if let Some(moved) = self.entries.get(position) {
            moved.circuit.entry.set_position(position);
        }
    }

    fn position(&self, circuit: &Arc<Circuit>) -> Option<usize> {
        let position = circuit.entry.position();
        let entry = self.entries.get(position)?;
        Arc::ptr_eq(&entry.circuit, circuit).then_some(position)
    }

    #[cfg(all(test, feature = "serde"))]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Draws at most `size` candidates. Divides the pool into that number of equal parts, and draws one
    /// candidate from each part, so that no candidate is drawn twice.
    pub(super) fn sample(&mut self, size: usize) -> Vec<Candidate> {
        let len = self.entries.len();
        let size = size.min(len);
        if size == 0 {
            return Vec::new();
        }
        // The first part begins at a random position, because the entries after the last part are left out.
        let (part, begin) = (len / size, self.rng.usize(..len));
        (0..size)
            .map(|at| (begin + at * part + self.rng.usize(..part)) % len)
            .map(|position| Candidate::new(position, &self.entries[position].circuit))
            .collect()
    }

    /// Returns the breakers of a sample that are not protected, in the order of eviction.
    pub(super) fn rank(
        &mut self,
        sample: &[Candidate],
        idle_timeout: Option<Duration>,
        now: Moment,
    ) -> Vec<Ranked> {
        let (mut ranked, mut permanent) = (Vec::new(), Vec::new());
        for candidate in sample {
            let Some(Entry { circuit, last_used }) = self.entries.get_mut(candidate.position)
            else {
                continue;
            };
            if !circuit.entry.is_evictable() {
                permanent.push(circuit.clone());
                continue;
            }
            let used = circuit.entry.clear_used();
            if used {
                *last_used = now;
            }
            let unprotected_word = candidate.unprotected_word(circuit);
            let class = classify(circuit, unprotected_word);
            if class == Class::Protected {
                continue;
            }
            let rank = Rank {
                in_time: idle_timeout.is_none_or(|timeout| now.since(*last_used) < timeout),
                used,
                class,
                last_used: *last_used,
            };
            ranked.push(Ranked {
                rank,
                circuit: circuit.clone(),
                unprotected_word,
            });
        }
        for circuit in permanent {
            self.remove(&circuit);
        }
        ranked.sort_unstable_by_key(|ranked| ranked.rank);
        ranked
    }

    /// Evicts all breakers that have been idle for too long, and then others until the map has at most
    /// `max_len` breakers.
    pub(super) fn evict(
        &mut self,
        ranked: &[Ranked],
        max_len: usize,
        breakers: &BreakerMap,
        now: Moment,
    ) -> Vec<CircuitBreaker> {
        let mut evicted = Vec::new();
        for Ranked {
            rank,
            circuit,
            unprotected_word,
        } in ranked
        {
            if rank.in_time && self.map_len <= max_len {
                break;
            }
            // Classified again: calls do not take the lock of the pool, and may have opened the circuit.
            let is_unprotected = || classify(circuit, *unprotected_word) != Class::Protected;
            if let Some(breaker) = breakers.remove_if_evictable(circuit, is_unprotected) {
                self.remove(circuit);
                self.map_len -= 1;
                evicted.push(breaker);
            } else if let Some(position) = self.position(circuit) {
                // The breaker is held, or protected by now, and counts as used.
                self.entries[position].last_used = now;
            }
        }
        evicted
    }
}

#[cfg(feature = "serde")]
impl EvictionPool {
    /// Removes breakers that are held from `ranked`. Its length is then the number of breakers that can be
    /// evicted.
    pub(super) fn drop_held(ranked: &mut Vec<Ranked>, breakers: &BreakerMap) {
        ranked.retain(|ranked| !breakers.is_held(&ranked.circuit));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::BreakerRegistry;
    use crate::clock::ManualClock;
    use std::collections::HashSet;

    fn registry_of(capacity: usize) -> BreakerRegistry {
        let builder = BreakerRegistry::builder().capacity(capacity);
        builder.build().expect("a valid capacity")
    }

    fn create(registry: &BreakerRegistry, names: std::ops::Range<usize>) {
        names.for_each(|name| drop(registry.breaker(name.to_string())));
    }

    fn pooled(registry: &BreakerRegistry) -> usize {
        registry.inner.pool.lock().entries.len()
    }

    fn sampled(registry: &BreakerRegistry, size: usize) -> HashSet<usize> {
        let sample = registry.inner.pool.lock().sample(size);
        sample.iter().map(|candidate| candidate.position).collect()
    }

    #[test]
    fn sample_has_no_position_twice() {
        for len in [1, 15, 16, 17, 31, 33, 1_000] {
            let registry = registry_of(len);
            create(&registry, 0..len);
            for size in [1, SAMPLE_SIZE, usize::MAX] {
                assert_eq!(sampled(&registry, size).len(), size.min(len));
            }
        }
    }

    #[test]
    fn samples_reach_every_position() {
        let registry = registry_of(100);
        create(&registry, 0..100);
        let reached: HashSet<_> = (0..100)
            .flat_map(|_| sampled(&registry, SAMPLE_SIZE))
            .collect();
        assert_eq!(reached.len(), 100);
    }

    #[test]
    fn removed_breaker_leaves_pool() {
        let registry = registry_of(300);
        create(&registry, 0..200);
        for name in (0..200).step_by(3).chain(0..100) {
            registry.remove(name.to_string());
            assert_eq!(pooled(&registry), registry.len());
        }
        for name in 100..200 {
            if let Some(breaker) = registry.get(name.to_string()) {
                let position = registry.inner.pool.lock().position(&breaker.circuit);
                assert!(position.is_some(), "{name}");
            }
        }
    }

    #[test]
    fn registered_breaker_leaves_pool() {
        let registry = registry_of(10);
        create(&registry, 0..10);
        for name in 0..4 {
            let settings = crate::CircuitBreaker::builder();
            registry
                .register(name.to_string(), settings)
                .expect("there is room");
        }
        registry.breaker("new");
        assert_eq!(pooled(&registry), 6);
    }

    /// Returns a registry with two open breakers, and a sample of both. The deadline of `passed` has passed,
    /// that of `waits` has not.
    fn open_breakers() -> (BreakerRegistry, Vec<Candidate>) {
        let clock = ManualClock::new();
        let registry = BreakerRegistry::builder().clock(clock.clone());
        let registry = registry.build().expect("settings that work");
        registry.breaker("passed").trip_for(Duration::from_secs(1));
        registry.breaker("waits").trip_for(Duration::from_secs(60));
        clock.advance(Duration::from_secs(1));
        let mut sample = registry.inner.pool.lock().sample(2);
        sample.iter_mut().for_each(Candidate::decide);
        (registry, sample)
    }

    fn ranked(registry: &BreakerRegistry, sample: &[Candidate]) -> Vec<Arc<str>> {
        let mut pool = registry.inner.pool.lock();
        let ranked = pool.rank(sample, None, Moment::ORIGIN);
        let names = ranked.iter().map(|ranked| ranked.circuit.name.clone());
        names.collect()
    }

    #[test]
    fn open_breaker_past_deadline_is_ranked() {
        let (registry, sample) = open_breakers();
        assert_eq!(ranked(&registry, &sample), ["passed".into()]);
    }

    #[test]
    fn decision_holds_for_one_breaker_only() {
        let (registry, sample) = open_breakers();
        registry.remove("passed");
        // `waits` has the same packed state, and has moved to the position of `passed`.
        assert_eq!(ranked(&registry, &sample), []);
    }

    #[test]
    fn decision_ends_with_state() {
        let commands: [fn(&CircuitBreaker); 2] = [CircuitBreaker::trip, |breaker| {
            breaker.trip_for(Duration::from_secs(9));
        }];
        for command in commands {
            let (registry, sample) = open_breakers();
            command(&registry.breaker("passed"));
            assert_eq!(ranked(&registry, &sample), []);
        }
    }

    #[test]
    fn breaker_tripped_after_ranking_stays() {
        let registry = registry_of(2);
        let (trips, inner) = (registry.breaker("trips"), &registry.inner);
        registry.breaker("closed");
        let mut pool = inner.pool.lock();
        let sample = pool.sample(2);
        let ranked = pool.rank(&sample, None, Moment::ORIGIN);
        assert_eq!(ranked.len(), 2);
        trips.trip();
        drop(trips);
        let evicted = pool.evict(&ranked, 0, &inner.breakers, Moment::ORIGIN);
        drop(pool);
        let names: Vec<_> = evicted.iter().map(CircuitBreaker::name).collect();
        assert_eq!(names, ["closed"]);
    }
}
