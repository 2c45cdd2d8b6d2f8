//! [`BreakerMap`]: the breakers of a registry by name.

use super::handle_table::HandleTables;
use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::sync::Map;
use std::sync::Arc;

/// References to a circuit in the eviction pool that do not count as a holder: in the map, in the pool, and
/// of the function that asks.
const MAP_POOL_AND_CALLER: usize = 3;

/// The breakers of a registry by name: a concurrent map with handle tables in front.
///
/// Insertions and removals are serialized by the lock of the eviction pool.
///
/// # Invariants
///
/// 1. **The tables have handles of breakers in the map only.** So a name that is missing in the map is
///    missing in every table, and a table has at most as many names as the map. A removal by name marks
///    the breaker as removed, then takes its handles out of the tables, then takes it out of the map.
///    The shard of the map is locked for writing meanwhile. An insertion into a table reads the mark under
///    the lock of the table. An insertion before the removal from that table is undone by the removal; an
///    insertion after it sees the mark. An eviction sets the mark last, and needs invariant 2.
/// 2. **An eviction reads exact reference counts.** It locks the shard and takes the handles out of the
///    tables before it reads the count of the circuit. No handle can be cloned from the map then. Each
///    handle that was cloned from a table keeps its reference, and an insertion into a table has a handle
///    of its own. So if the count is that of the map, the pool, the caller and the `#[circuit]` sites, no
///    other handle exists, and none can come to exist until the shard is unlocked. Otherwise the breaker is
///    held, and stays.
pub(super) struct BreakerMap {
    breakers: Map<CircuitBreaker>,
    handles: HandleTables,
}

impl BreakerMap {
    pub(super) fn new() -> Self {
        Self {
            breakers: Map::default(),
            handles: HandleTables::new(),
        }
    }

    /// Returns the breaker called `name`, and marks it as used.
    pub(super) fn get(&self, name: &str) -> Option<CircuitBreaker> {
        // The shard is locked for reading until the clone exists, so an eviction cannot come in between.
        let found = self.breakers.get(name)?;
        found.circuit.entry.touch();
        Some(found.clone())
    }

    /// Returns the handle that this thread's table has for `name`, and marks its breaker as used.
    #[inline]
    pub(super) fn get_handle(&self, name: &str) -> Option<Arc<CircuitBreaker>> {
        let handle = self.handles.get(name)?;
        handle.circuit.entry.touch();
        Some(handle)
    }

    /// Returns a handle of `breaker`, and keeps it for the next calls of this thread while the breaker is
    /// in the map.
    pub(super) fn insert_handle(&self, breaker: CircuitBreaker) -> Arc<CircuitBreaker> {
        self.handles.insert(breaker)
    }

    /// Whether there is a breaker called `name`, without marking it as used.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.breakers.contains_key(name)
    }

    /// Calls `read` with the breaker called `name`, without marking it as used. The shard is locked for
    /// reading meanwhile.
    #[cfg(feature = "serde")]
    pub(super) fn peek<T>(&self, name: &str, read: impl FnOnce(&CircuitBreaker) -> T) -> Option<T> {
        let found = self.breakers.get(name)?;
        Some(read(&found))
    }

    /// Calls `read` with each breaker, while its shard is locked for reading.
    pub(super) fn for_each(&self, mut read: impl FnMut(&CircuitBreaker)) {
        for breaker in &self.breakers {
            read(breaker.value());
        }
    }

    /// Collects what `read` returns for each breaker, in no order.
    pub(super) fn collect<T>(&self, mut read: impl FnMut(&CircuitBreaker) -> Option<T>) -> Vec<T> {
        let all = self.breakers.iter();
        all.filter_map(|entry| read(entry.value())).collect()
    }

    /// Inserts a breaker whose name is not in the map.
    pub(super) fn insert(&self, breaker: &CircuitBreaker) {
        self.breakers
            .insert(breaker.circuit.name.clone(), breaker.clone());
    }

    /// Removes the breaker called `name`, whatever holds it.
    pub(super) fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        // With the shard locked, so that a lookup that misses the name finds the breaker marked.
        let mark = |name: &Arc<str>, breaker: &CircuitBreaker| {
            breaker.circuit.entry.mark_removed();
            self.handles.remove(name);
            true
        };
        let (_, breaker) = self.breakers.remove_if(name, mark)?;
        Some(breaker)
    }

    /// Removes the breaker of `circuit` unless it is held, permanent, or protected.
    ///
    /// The eviction pool and the caller have one reference to the circuit each.
    pub(super) fn remove_if_evictable(
        &self,
        circuit: &Arc<Circuit>,
        is_unprotected: impl FnOnce() -> bool,
    ) -> Option<CircuitBreaker> {
        let evict = |name: &Arc<str>, _: &CircuitBreaker| {
            self.handles.remove(name);
            !circuit.is_held(MAP_POOL_AND_CALLER) && is_unprotected() && circuit.entry.try_evict()
        };
        let (_, breaker) = self.breakers.remove_if(&*circuit.name, evict)?;
        Some(breaker)
    }

    /// Whether anything holds the breaker of `circuit`, which may change at any time. The eviction pool and
    /// the caller have one reference to the circuit each.
    #[cfg(any(feature = "serde", test))]
    pub(super) fn is_held(&self, circuit: &Arc<Circuit>) -> bool {
        self.handles.is_held(circuit, MAP_POOL_AND_CALLER)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
impl BreakerMap {
    pub(super) fn handles(&self) -> &HandleTables {
        &self.handles
    }

    pub(super) fn handles_mut(&mut self) -> &mut HandleTables {
        &mut self.handles
    }
}
