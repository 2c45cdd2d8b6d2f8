//! [`Dirty`]: the names of the circuits that have changed since the task last looked.

use breakerbox::fleet::Change;
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
    /// How many transitions found their name in the set.
    coalesced: AtomicU64,
}

impl Dirty {
    fn names(&self) -> MutexGuard<'_, BTreeSet<Arc<str>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the name of the circuit that has changed.
    pub(crate) fn note(&self, change: &Change) {
        let is_transition = matches!(change, Change::Transition { .. });
        if !self.insert(change.breaker()) && is_transition {
            // Ordering: `Relaxed`, because the number publishes nothing.
            self.coalesced.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds a name. Returns `false` if the set contains it already.
    pub(crate) fn insert(&self, name: &Arc<str>) -> bool {
        let is_new = self.names().insert(name.clone());
        if is_new {
            self.changed.notify_one();
        }
        is_new
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
    use breakerbox::BreakerRegistry;
    use breakerbox::fleet::Port;

    #[tokio::test]
    async fn change_before_wait_is_not_missed() {
        let dirty = Arc::new(Dirty::default());
        let registry = BreakerRegistry::new();
        let told = dirty.clone();
        let _port = Port::attach(&registry, move |change| told.note(change));
        let users = registry.breaker("users-api");
        dirty.changed().await;
        assert_eq!(dirty.take().len(), 1);
        users.trip();
        users.reset();
        users.trip();
        dirty.changed().await;
        assert_eq!(dirty.take().len(), 1);
        assert_eq!(dirty.coalesced(), 2);
    }
}
