//! [`BreakerMap`]: the breakers of a registry by name.

use super::handle_table::HandleTables;
use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::sync::Map;
use std::sync::Arc;

/// The number of references to a circuit that do not hold it: those of the map, of the eviction pool and of
/// the caller.
const MAP_POOL_AND_CALLER: usize = 3;

/// The breakers of a registry by name: a concurrent map behind the caches in [`HandleTables`].
///
/// Insertions and removals are serialized by the lock of the eviction pool.
///
/// # Invariants
///
/// 1. **The tables contain only handles of breakers in the map.** A name that is missing in the map is
///    therefore missing in every table, and a table never has more names than the map. A removal by name
///    locks the shard of the map for writing, and has three steps. It marks the breaker as removed, removes
///    the handles from the tables, and removes the breaker from the map. An insertion into a table reads
///    the mark under the lock of the table. If the insertion comes before the removal from that table, the
///    removal undoes the insertion. If the insertion comes after the removal, it sees the mark. An eviction
///    sets the mark last, and relies on invariant 2 instead.
/// 2. **An eviction reads exact reference counts.** It locks the shard and removes the handles from the
///    tables before it reads the count of the circuit. While the shard is locked, no handle can be cloned
///    from the map. A handle that was cloned from a table before keeps its reference, and an insertion into
///    a table has a handle of its own. So if the map, the pool, the caller and the `#[circuit]` sites
///    account for the whole count, no other handle exists. None can be created until the shard is unlocked.
///    With any other count, the breaker is held and is not evicted.
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
        // `found` locks the shard for reading. Cloned under this lock, because an eviction between lookup and
        // clone would miss the new handle.
        let found = self.breakers.get(name)?;
        found.circuit.entry.touch();
        Some(found.clone())
    }

    /// Returns the handle for `name` in this thread's table, and marks its breaker as used.
    #[inline]
    pub(super) fn get_handle(&self, name: &str) -> Option<Arc<CircuitBreaker>> {
        let handle = self.handles.get(name)?;
        handle.circuit.entry.touch();
        Some(handle)
    }

    /// Returns a handle of `breaker`, and caches it for this thread unless the breaker was removed.
    pub(super) fn insert_handle(&self, breaker: CircuitBreaker) -> Arc<CircuitBreaker> {
        self.handles.insert(breaker)
    }

    /// Returns whether there is a breaker called `name`, without marking it as used.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.breakers.contains_key(name)
    }

    /// Calls `read` with the breaker called `name`, without marking it as used. The shard is locked for
    /// reading during the call.
    pub(super) fn peek<T>(&self, name: &str, read: impl FnOnce(&CircuitBreaker) -> T) -> Option<T> {
        let found = self.breakers.get(name)?;
        Some(read(&found))
    }

    /// Calls `read` with each breaker. The shard of the breaker is locked for reading during the call.
    pub(super) fn for_each(&self, mut read: impl FnMut(&CircuitBreaker)) {
        for breaker in &self.breakers {
            read(breaker.value());
        }
    }

    /// Collects the values that `read` returns for the breakers, in no particular order.
    pub(super) fn collect<T>(&self, mut read: impl FnMut(&CircuitBreaker) -> Option<T>) -> Vec<T> {
        let all = self.breakers.iter();
        all.filter_map(|entry| read(entry.value())).collect()
    }

    /// Inserts a breaker whose name is not in the map.
    pub(super) fn insert(&self, breaker: &CircuitBreaker) {
        self.breakers
            .insert(breaker.circuit.name.clone(), breaker.clone());
    }

    /// Removes the breaker called `name`, even if it is held.
    pub(super) fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        // Marked under the lock of the shard: once a lookup misses the name, the breaker has the mark.
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

    /// Returns whether a handle holds the breaker of `circuit`. The answer may change at any time. The
    /// eviction pool and the caller have one reference to the circuit each.
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
