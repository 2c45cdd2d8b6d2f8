//! Handles of breakers, kept so that threads which call one name share no reference count.
//!
//! # Problem
//!
//! A guarded call by name needs a handle that outlives the look-up. A handle cloned from the
//! registry's map costs the lock of a shard and an increment of the circuit's reference count. Both
//! are shared with every other thread that calls the name, and a contended increment costs several
//! times what the rest of a call does.
//!
//! # Protocol
//!
//! The registry owns a few tables, about two per core. A table maps names to an
//! `Arc<CircuitBreaker>`: a handle behind a reference count of the table's own, under the table's own
//! mutex. A thread keeps to one table, which it finds by its thread number. A thread that finds its
//! table locked takes another number, and with it another table. So threads that run at the same
//! time soon use different tables, and a mutex is nearly always free. (The same idea: the cells of
//! `Striped64` in `java.util.concurrent`, whose threads rehash when they collide; the magazines of
//! Bonwick and Adams, *Magazines and Vmem*, USENIX 2001.)
//!
//! * [`get`](HandleTables::get) clones the handle in the table of the thread.
//! * [`insert`](HandleTables::insert) puts a handle there after a miss, unless the breaker left the
//!   registry in the meantime.
//! * [`remove`](HandleTables::remove) takes the handles of one name out of all tables.
//!
//! The plain version, `get` that finds nothing and `insert` that only makes an `Arc`, is correct: the
//! tables change what a call costs, and nothing else.
//!
//! # Invariants
//!
//! 1. **A table has handles of breakers in the map only.** A breaker is marked as gone, then taken
//!    out of the tables, then out of the map, all of it while the map's shard is locked. An insertion
//!    reads the mark under the lock of its table. An insertion before the removal from that table is
//!    undone by the removal; an insertion after it sees the mark. So a name that is missing in the map
//!    is missing in every table, and each table has at most as many names as the registry.
//! 2. **After `remove`, reference counts are exact.** With the shard locked, no handle can be cloned
//!    from the map. Each handle that was cloned from a table keeps its reference to the circuit, and an
//!    insertion in progress has a handle of its own. So if the count of the circuit is no higher than
//!    what the map, the evictor and `#[circuit]` sites account for, no other handle exists, and none
//!    can come to exist until the shard is unlocked. Otherwise the breaker is held, and stays.
//! 3. **A table has at most [`LIMIT`] names**, which bounds the memory of registries with a large
//!    capacity. A table that is full starts over. An order of use, to displace one name only, would cost
//!    every call something.
//! 4. **Nothing ends under a lock.** Handles that leave a table are dropped after it is unlocked. A
//!    handle may be the last to hold a listener or predicate of the user's, whose `Drop` may call the
//!    registry.
//!
//! # Orderings
//!
//! The mutex of a table orders everything: a handle cloned before `remove` locked the table is in the
//! counts that are read afterwards. No atomic here is part of a protocol.
//!
//! Locks are taken in the order population, shard of the map, table. No lock is taken while a table
//! is locked.

use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::sync::striped::{move_over, stripe, stripes};
use crate::sync::{Guard, Lock};
use std::collections::HashMap;
use std::sync::Arc;

/// At most so many names in one table, which are about 1.2 MiB: more than a registry of the default
/// capacity has. Above the limit, a round of all names misses each time (bench `registry`).
const LIMIT: usize = if cfg!(shuttle) { 2 } else { 16_384 };

#[cfg(not(shuttle))]
type Hasher = foldhash::fast::RandomState;
/// Hashes the same in every run, so that a schedule can be played again.
#[cfg(shuttle)]
type Hasher = foldhash::fast::FixedState;

type Names = HashMap<Arc<str>, Arc<CircuitBreaker>, Hasher>;

/// Two cache lines wide: processors fetch them in pairs.
#[derive(Default)]
#[repr(align(128))]
struct Table(Lock<Names>);

/// The tables of one registry.
pub(super) struct HandleTables(Box<[Table]>);

impl HandleTables {
    pub(super) fn new() -> Self {
        // In loom's models thread numbers outlive a run, so that only one table is the same in each.
        if cfg!(loom) {
            return Self(Box::new([Table::default()]));
        }
        Self(stripes())
    }

    /// The handle of `name`, if this thread's table has it.
    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<Arc<CircuitBreaker>> {
        self.own_table().get(name).cloned()
    }

    /// A handle of `breaker` for this call and, while the breaker is in the registry, for the next
    /// calls of this thread.
    pub(super) fn insert(&self, breaker: CircuitBreaker) -> Arc<CircuitBreaker> {
        let handle = Arc::new(breaker);
        let name = handle.circuit.name.clone();
        let (displaced, full) = {
            let mut table = self.own_table();
            if handle.circuit.entry.is_removed() {
                return handle;
            }
            let full = (table.len() >= LIMIT).then(|| std::mem::take(&mut *table));
            (table.insert(name, handle.clone()), full)
        };
        drop((displaced, full));
        handle
    }

    /// Takes the handles of `name` out of all tables. Returns once no table has one.
    pub(super) fn remove(&self, name: &str) {
        for Table(table) in &self.0 {
            let removed = table.lock().remove(name);
            drop(removed);
        }
    }

    /// Whether anything but the tables, the sites and `known` references holds the breaker, which may
    /// change at any time. Only after [`remove`](Self::remove) the plain count is the last word.
    pub(super) fn is_held(&self, circuit: &Arc<Circuit>, known: usize) -> bool {
        let mut idle = 0;
        for Table(table) in &self.0 {
            // Counted under the lock, and not cloned: a clone would count as a holder.
            match table.lock().get(&*circuit.name).map(Arc::strong_count) {
                None => {}
                Some(1) => idle += 1,
                Some(_) => return true,
            }
        }
        circuit.is_held(known + idle)
    }

    fn own_table(&self) -> Guard<'_, Names> {
        let Table(table) = stripe(&self.0);
        table.try_lock().unwrap_or_else(|| self.other_table())
    }

    #[cold]
    #[inline(never)]
    fn other_table(&self) -> Guard<'_, Names> {
        move_over();
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

    /// How many handles the tables have.
    fn kept(registry: &BreakerRegistry) -> usize {
        let tables = &registry.shared.handles.0;
        tables.iter().map(|Table(table)| table.lock().len()).sum()
    }

    #[test]
    fn calls_of_one_thread_share_a_handle() {
        let registry = BreakerRegistry::new();
        let (first, second) = (registry.by_name("users"), registry.by_name("users"));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(kept(&registry), 1);
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
        assert!(kept(&registry) > 1, "threads with tables of their own");
        let users = registry.remove("users").expect("it was there");
        assert_eq!(kept(&registry), 0);
        assert_eq!(Arc::strong_count(&users.circuit), 1);
    }

    #[test]
    fn handle_of_removed_breaker_is_not_inserted() {
        let registry = BreakerRegistry::new();
        let users = registry.breaker("users");
        registry.remove("users");
        drop(registry.shared.handles.insert(users));
        assert_eq!(kept(&registry), 0);
    }

    #[test]
    fn breaker_in_tables_is_not_held() {
        let registry = BreakerRegistry::new();
        let users = registry.by_name("users");
        let circuit = users.circuit.clone();
        let is_held = || registry.shared.handles.is_held(&circuit, 2);
        assert!(is_held());
        drop(users);
        assert!(!is_held());
        let clone = registry.breaker("users");
        assert!(is_held());
        drop(clone);
        assert!(!is_held());
    }

    #[test]
    fn full_table_starts_over() {
        let registry = BreakerRegistry::builder().capacity(2 * LIMIT);
        let registry = registry.build().expect("settings that work");
        for name in 0..=LIMIT {
            call(&registry, &name.to_string());
            assert!(kept(&registry) <= LIMIT);
        }
        assert_eq!(kept(&registry), 1);
        assert_eq!(registry.len(), LIMIT + 1);
    }

    /// Prints the time of a call by a new name in a full registry, by the number of tables. 64 tables
    /// are those of a machine with 32 processors.
    ///
    /// `cargo test --release --lib eviction_empties -- --nocapture`
    #[test]
    fn eviction_empties_any_number_of_tables() {
        const CAPACITY: u32 = 1000;
        for count in [1, 4, 64] {
            let registry = BreakerRegistry::builder().capacity(CAPACITY as usize);
            let mut registry = registry.build().expect("settings that work");
            let shared = Arc::get_mut(&mut registry.shared).expect("no clone yet");
            shared.handles = HandleTables((0..count).map(|_| Table::default()).collect());
            let tables = || registry.shared.handles.0.iter();
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
