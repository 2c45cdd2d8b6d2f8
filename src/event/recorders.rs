//! [`Recorders`]: receivers of all calls of a registry.
//!
//! A recorder is not a [`Listener`](super::Listener). It receives neither events nor changes. A call
//! is passed by reference, without an allocation.

use super::{CallRecord, Event, ListenerDepth};
use crate::panic::{Contained, catch};
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type Closure = Box<dyn Fn(&CallRecord<'_>) + Send + Sync>;

/// A closure that receives calls.
pub(crate) struct Recorder(Contained<Closure>);

impl Recorder {
    pub(crate) fn new(record: impl Fn(&CallRecord<'_>) + Send + Sync + 'static) -> Self {
        Self(Contained::new(Box::new(record)))
    }
}

/// The recorders of a registry.
///
/// # Invariants
///
/// 1. The list is loaded only outside every lock. A loaded list may be the last reference to a
///    closure, and then drops user values.
/// 2. `count` is at least the length of the list, and may be read under a lock.
#[derive(Default)]
pub(crate) struct Recorders {
    /// Not modelled by loom and shuttle, like the list of listeners.
    list: ArcSwap<Vec<Arc<Recorder>>>,
    count: AtomicUsize,
}

impl Recorders {
    pub(crate) fn attach(&self, recorder: &Arc<Recorder>) {
        // Ordering: see `has_any`.
        self.count.fetch_add(1, Ordering::Relaxed);
        self.list.rcu(|current| {
            let mut next = current.to_vec();
            next.push(recorder.clone());
            next
        });
    }

    /// Removes `recorder`, unless it was removed before.
    pub(crate) fn detach(&self, recorder: &Arc<Recorder>) {
        let is_other = |other: &&Arc<Recorder>| !Arc::ptr_eq(other, recorder);
        let before = self
            .list
            .rcu(|current| current.iter().filter(is_other).cloned().collect::<Vec<_>>());
        let removed = before.iter().filter(|other| !is_other(other)).count();
        self.count.fetch_sub(removed, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        let before = self.list.swap(Arc::default());
        self.count.fetch_sub(before.len(), Ordering::Relaxed);
    }

    /// Returns `true` if there are recorders.
    #[inline]
    pub(crate) fn has_any(&self) -> bool {
        // Ordering: `Relaxed`. The flags of a breaker are set after `attach`, under the lock of its
        // circuit, so a call that clears them under that lock sees the new count. Other stale counts
        // only move the start or the end of a recording.
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Passes a call to the recorders, and returns an event for each one that panicked. Must be
    /// called outside every lock.
    ///
    /// Recorders that make calls are nested like listeners. Calls that are nested too deep are not
    /// recorded.
    pub(crate) fn record(&self, call: &CallRecord<'_>) -> Vec<Event> {
        let Some(_depth) = ListenerDepth::enter() else {
            return Vec::new();
        };
        let recorders = self.list.load();
        recorders
            .iter()
            .filter_map(|recorder| catch(|| (recorder.0)(call)).err())
            .map(|panicked| Event::of_panic(call.name, &panicked))
            .collect()
    }
}

impl fmt::Debug for Recorders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} recorders", self.count.load(Ordering::Relaxed))
    }
}
