//! A registry's map under shuttle.
//!
//! `DashMap` blocks a real thread where somebody else has the shard; under shuttle all threads are one, which
//! would wait for itself. So the map is one with shuttle's lock: a map of one shard.

use foldhash::fast::FixedState;
use shuttle::sync::{RwLock, RwLockReadGuard};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};
use std::vec;

/// Hashes the same in every run, so that a schedule can be played again.
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

    /// The map is locked for reading while the answer lives.
    pub(crate) fn get(&self, name: &str) -> Option<impl Deref<Target = V>> {
        let entries = self.read();
        entries.get(name)?;
        let name = name.to_owned();
        Some(Found { entries, name })
    }

    pub(crate) fn contains_key(&self, name: &str) -> bool {
        self.read().contains_key(name)
    }

    pub(crate) fn insert(&self, name: Arc<str>, value: V) -> Option<V> {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(name, value)
    }

    /// The map is locked for writing while `leave` is asked.
    pub(crate) fn remove_if(
        &self,
        name: &str,
        leave: impl FnOnce(&Arc<str>, &V) -> bool,
    ) -> Option<(Arc<str>, V)> {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let (key, value) = entries.get_key_value(name)?;
        if leave(key, value) {
            entries.remove_entry(name)
        } else {
            None
        }
    }

    /// As they are now.
    pub(crate) fn iter(&self) -> vec::IntoIter<Shown<V>> {
        let entries = self.read();
        let all: Vec<_> = entries.values().cloned().map(Shown).collect();
        all.into_iter()
    }
}

impl<V: Clone> IntoIterator for &Map<V> {
    type Item = Shown<V>;
    type IntoIter = vec::IntoIter<Shown<V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

struct Found<'a, V> {
    entries: RwLockReadGuard<'a, Entries<V>>,
    name: String,
}

impl<V> Deref for Found<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.entries[&*self.name]
    }
}

pub(crate) struct Shown<V>(V);

impl<V> Shown<V> {
    pub(crate) fn value(&self) -> &V {
        &self.0
    }
}

impl<V> Deref for Shown<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0
    }
}
