//! The map of a registry under shuttle: a hash map behind a lock that shuttle sees.
//!
//! A locked shard of a `DashMap` blocks the thread. Under shuttle all tasks share one thread, which
//! would then wait for itself.

use foldhash::fast::FixedState;
use shuttle::sync::{RwLock, RwLockReadGuard};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::vec;

/// The hash seed is fixed, so that a schedule can be replayed.
type Entries<V> = HashMap<Arc<str>, V, FixedState>;

#[derive(Debug)]
pub(crate) struct Map<V>(RwLock<Entries<V>>);

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self(RwLock::new(Entries::default()))
    }
}

impl<V: Clone> Map<V> {
    fn read(&self) -> RwLockReadGuard<'_, Entries<V>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the value of `name`, which keeps the map locked for reading.
    pub(crate) fn get(&self, name: &str) -> Option<impl Deref<Target = V>> {
        let entries = self.read();
        entries.get(name)?;
        let name = name.to_owned();
        Some(Ref { entries, name })
    }

    pub(crate) fn contains_key(&self, name: &str) -> bool {
        self.read().contains_key(name)
    }

    pub(crate) fn insert(&self, name: Arc<str>, value: V) -> Option<V> {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(name, value)
    }

    /// Removes `name` if `predicate` returns `true`, which is called while the map is locked for
    /// writing.
    pub(crate) fn remove_if(
        &self,
        name: &str,
        predicate: impl FnOnce(&Arc<str>, &V) -> bool,
    ) -> Option<(Arc<str>, V)> {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (key, value) = entries.get_key_value(name)?;
        if predicate(key, value) {
            entries.remove_entry(name)
        } else {
            None
        }
    }

    /// Returns an iterator over a copy of the present values.
    pub(crate) fn iter(&self) -> vec::IntoIter<Value<V>> {
        let entries = self.read();
        let all: Vec<_> = entries.values().cloned().map(Value).collect();
        all.into_iter()
    }
}

impl<V: Clone> IntoIterator for &Map<V> {
    type Item = Value<V>;
    type IntoIter = vec::IntoIter<Value<V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

struct Ref<'a, V> {
    entries: RwLockReadGuard<'a, Entries<V>>,
    name: String,
}

impl<V> Deref for Ref<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.entries[&*self.name]
    }
}

pub(crate) struct Value<V>(V);

impl<V> Value<V> {
    pub(crate) fn value(&self) -> &V {
        &self.0
    }
}

impl<V> Deref for Value<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0
    }
}
