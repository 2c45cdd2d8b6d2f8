//! [`Dirty`]: the names of the circuits that have changed since the task last looked.

use std::collections::BTreeSet;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The names of the circuits that have changed since the task last looked.
///
/// Filled by the threads that make the changes. A set, so it is at most as large as the registry, and
/// nothing is dropped: the task looks at a circuit once, however often it has changed.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    names: Mutex<BTreeSet<Arc<str>>>,
    /// Keeps one permit, so a change between two looks is never missed.
    changed: Notify,
    /// How many changes found their name in the set.
    coalesced: AtomicU64,
}

impl Dirty {
    fn names(&self) -> MutexGuard<'_, BTreeSet<Arc<str>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, name: &Arc<str>) {
        let is_new = self.names().insert(name.clone());
        if is_new {
            self.changed.notify_one();
        } else {
            // Ordering: `Relaxed`, because the number publishes nothing.
            self.coalesced.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Removes and returns all names.
    pub(crate) fn take(&self) -> BTreeSet<Arc<str>> {
        mem::take(&mut *self.names())
    }

    /// Waits until a name was inserted.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn coalesced(&self) -> u64 {
        self.coalesced.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn change_before_wait_is_not_missed() {
        let dirty = Dirty::default();
        let name: Arc<str> = "users-api".into();
        dirty.insert(&name);
        dirty.insert(&name);
        dirty.changed().await;
        assert_eq!(dirty.take().len(), 1);
        assert_eq!(dirty.coalesced(), 1);
        dirty.insert(&name);
        dirty.changed().await;
        assert_eq!(dirty.take().len(), 1);
    }
}
