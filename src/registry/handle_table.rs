//! [`HandleTables`]: caches of handles, so that threads that call one name share no reference count.
//!
//! # Problem
//!
//! A guarded call by name needs a handle that outlives the lookup. To clone a handle from the registry's
//! map, a thread locks a shard and increments the circuit's reference count. All threads that call the
//! name contend for both. Bench `registry` compares calls by name on one thread and on two.
//!
//! # Protocol
//!
//! The registry owns a few tables, about two per core. Each table has a mutex and maps names to an
//! `Arc<CircuitBreaker>`: a handle with a reference count that only this table uses. The number of a
//! thread determines its table. A thread that finds its table locked takes another number, and with it
//! another table. Threads that run at the same time therefore soon use different tables, and a mutex is
//! nearly always free. Related techniques are the cells of `Striped64` in `java.util.concurrent`, whose
//! threads rehash when they collide, and the magazines of Bonwick and Adams (*Magazines and Vmem*, USENIX
//! 2001).
//!
//! * [`get`](HandleTables::get) clones the handle in the table of the thread.
//! * [`insert`](HandleTables::insert) adds a handle after a miss, unless the breaker has been removed from
//!   the registry.
//! * [`remove`](HandleTables::remove) removes the handles of one name from all tables.
//!
//! The tables are only a cache. Without them, `get` would always miss and `insert` would only create an
//! `Arc`, and every call would still be correct.
//!
//! # Invariants
//!
//! [`BreakerMap`](super::breaker_map::BreakerMap) states the invariants that involve the map. The tables
//! have two more:
//!
//! 1. **A table has at most [`LIMIT`] names**, which bounds the memory of registries with a large
//!    capacity. A full table is cleared. To evict single names, each call would have to record its use.
//! 2. **No handle is dropped while a table is locked.** A handle may own the last reference to a listener
//!    or a predicate of the user. Their `Drop` may call the registry.
//!
//! # Orderings
//!
//! The mutex of a table orders all accesses. If a handle was cloned before `remove` locked the table, the
//! counts that are read after `remove` include it. No atomic here is part of a protocol. No other lock is
//! acquired while a table is locked.

use crate::breaker::CircuitBreaker;
#[cfg(any(feature = "serde", test))]
use crate::circuit::Circuit;
use crate::sync::striped::{reassign_index, stripe, stripes};
use crate::sync::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::sync::Arc;

/// The maximum number of names in one table, about 1.2 MiB. A registry with the default capacity stays
/// below this limit. Above the limit, cycling through all names misses each time (bench `registry`).
const LIMIT: usize = if cfg!(shuttle) { 2 } else { 16_384 };

#[cfg(not(shuttle))]
type Hasher = foldhash::fast::RandomState;
/// A fixed seed, so that a schedule can be replayed.
#[cfg(shuttle)]
type Hasher = foldhash::fast::FixedState;

type Names = HashMap<Arc<str>, Arc<CircuitBreaker>, Hasher>;

/// One table, aligned to two cache lines, because some processors prefetch lines in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Table(Mutex<Names>);

/// The tables of one registry.
pub(super) struct HandleTables(Box<[Table]>);

impl HandleTables {
    pub(super) fn new() -> Self {
        // Loom: the thread numbers outlive one run of a model, so with several tables the runs would differ.
        if cfg!(loom) {
            return Self(Box::new([Table::default()]));
        }
        Self(stripes())
    }

    /// Returns the handle for `name` in this thread's table.
    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<Arc<CircuitBreaker>> {
        self.own_table().get(name).cloned()
    }

    /// Returns a handle of `breaker`, and adds it to this thread's table unless the breaker was removed.
    pub(super) fn insert(&self, breaker: CircuitBreaker) -> Arc<CircuitBreaker> {
        let handle = Arc::new(breaker);
        let name = handle.circuit.name.clone();
        let (displaced, full) = {
            let mut table = self.own_table();
            // Read under the lock of the table: see invariant 1 of `BreakerMap`.
            if handle.circuit.entry.is_removed() {
                return handle;
            }
            let full = (table.len() >= LIMIT).then(|| std::mem::take(&mut *table));
            (table.insert(name, handle.clone()), full)
        };
        // After the lock is released: see invariant 2.
        drop((displaced, full));
        handle
    }

    /// Removes the handles of `name` from all tables.
    pub(super) fn remove(&self, name: &str) {
        for Table(table) in &self.0 {
            // Two statements, because the guard would otherwise outlive the drop of the handle.
            let removed = table.lock().remove(name);
            drop(removed);
        }
    }

    /// Returns whether a handle holds the breaker, apart from the tables, the call sites and `known`
    /// references.
    ///
    /// The answer may change at any time. It is final only after [`remove`](Self::remove).
    #[cfg(any(feature = "serde", test))]
    pub(super) fn is_held(&self, circuit: &Arc<Circuit>, known: usize) -> bool {
        let mut idle = 0;
        for Table(table) in &self.0 {
            // Counted under the lock, without a clone that would itself count as a holder.
            match table.lock().get(&*circuit.name).map(Arc::strong_count) {
                None => {}
                Some(1) => idle += 1,
                Some(_) => return true,
            }
        }
        circuit.is_held(known + idle)
    }

    fn own_table(&self) -> MutexGuard<'_, Names> {
        let Table(table) = stripe(&self.0);
        table.try_lock().unwrap_or_else(|| self.other_table())
    }

    #[cold]
    #[inline(never)]
    fn other_table(&self) -> MutexGuard<'_, Names> {
        reassign_index();
        let Table(table) = stripe(&self.0);
        table.lock()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::{BreakerExt, BreakerRegistry};
    use std::thread;
    use std::time::Instant;

    fn call(registry: &BreakerRegistry, name: &str) {
        let call = (|| Ok::<(), ()>(())).with_breaker(registry, name);
        call.call().expect("a closed circuit");
    }

    /// The number of handles in all tables.
    fn handles_of(registry: &BreakerRegistry) -> usize {
        let tables = &registry.inner.breakers.handles().0;
        tables.iter().map(|Table(table)| table.lock().len()).sum()
    }

    #[test]
    fn calls_of_one_thread_share_a_handle() {
        let registry = BreakerRegistry::new();
        let (first, second) = (
            registry.get_or_create_handle("users"),
            registry.get_or_create_handle("users"),
        );
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(handles_of(&registry), 1);
    }

    #[test]
    fn removal_empties_every_table() {
        let registry = BreakerRegistry::new();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let registry = registry.clone();
                thread::spawn(move || call(&registry, "users"))
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert!(
            handles_of(&registry) > 1,
            "threads with tables of their own"
        );
        let users = registry.remove("users").expect("it was there");
        assert_eq!(handles_of(&registry), 0);
        assert_eq!(Arc::strong_count(&users.circuit), 1);
    }

    #[test]
    fn handle_of_removed_breaker_is_not_inserted() {
        let registry = BreakerRegistry::new();
        let users = registry.breaker("users");
        registry.remove("users");
        drop(registry.inner.breakers.insert_handle(users));
        assert_eq!(handles_of(&registry), 0);
    }

    #[test]
    fn breaker_in_tables_is_not_held() {
        let registry = BreakerRegistry::new();
        let users = registry.get_or_create_handle("users");
        let circuit = users.circuit.clone();
        let is_held = || registry.inner.breakers.is_held(&circuit);
        assert!(is_held());
        drop(users);
        assert!(!is_held());
        let clone = registry.breaker("users");
        assert!(is_held());
        drop(clone);
        assert!(!is_held());
    }

    #[test]
    fn full_table_is_cleared() {
        let registry = BreakerRegistry::builder().capacity(2 * LIMIT);
        let registry = registry.build().expect("settings that work");
        for name in 0..=LIMIT {
            call(&registry, &name.to_string());
            assert!(handles_of(&registry) <= LIMIT);
        }
        assert_eq!(handles_of(&registry), 1);
        assert_eq!(registry.len(), LIMIT + 1);
    }

    /// Prints the time of a call by a new name in a full registry, by the number of tables. A machine with
    /// 32 processors has 64 tables.
    ///
    /// `cargo test --release --lib eviction_empties -- --nocapture`
    #[test]
    fn eviction_empties_any_number_of_tables() {
        const CAPACITY: u32 = 1000;
        for count in [1, 4, 64] {
            let registry = BreakerRegistry::builder().capacity(CAPACITY as usize);
            let mut registry = registry.build().expect("settings that work");
            let inner = Arc::get_mut(&mut registry.inner).expect("no clone yet");
            let tables = HandleTables((0..count).map(|_| Table::default()).collect());
            *inner.breakers.handles_mut() = tables;
            let tables = || registry.inner.breakers.handles().0.iter();
            for number in 0..CAPACITY {
                let breaker = registry.breaker(format!("old:{number}"));
                for Table(table) in tables() {
                    let name = breaker.circuit.name.clone();
                    table.lock().insert(name, Arc::new(breaker.clone()));
                }
            }
            let names: Vec<_> = (0..CAPACITY)
                .map(|number| format!("new:{number}"))
                .collect();
            let begin = Instant::now();
            for name in &names {
                call(&registry, name);
            }
            println!("{count} tables: {:?} per call", begin.elapsed() / CAPACITY);
            assert_eq!(registry.len(), CAPACITY as usize);
            for Table(table) in tables() {
                let table = table.lock();
                assert!(table.keys().all(|name| registry.get(name).is_some()));
            }
        }
    }
}
