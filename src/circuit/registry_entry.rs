//! What a registry knows of one breaker.

use super::call_sites::CallSites;
use crate::event::Warned;
use crate::sync::{AtomicU32, Ordering};
use std::sync::atomic::AtomicUsize;

/// What a registry knows of one breaker, stored in the circuit, so that a lookup needs no second map.
///
/// # Invariants
///
/// 1. `REMOVED` is set on the way out of the map, with the map's shard locked for writing, and never
///    cleared. Eviction sets it only on a breaker that is not held; removal by name sets it on any.
/// 2. An error of a refused call holds its breaker: see `Circuit::is_held`.
pub(crate) struct RegistryEntry {
    marks: AtomicU32,
    /// The position in the registry's eviction pool, if the breaker is there. It changes under the lock of the
    /// pool, and is atomic only to be shared.
    position: AtomicUsize,
    /// Which mistakes were printed. The padding of `marks` has room for it.
    pub(crate) warned: Warned,
    pub(crate) call_sites: CallSites,
}

/// Set when an eviction examines the breaker, cleared on use. Inverted, so that a lookup tests `IDLE` and `REMOVED` for
/// zero in one instruction.
const IDLE: u32 = 1;
/// Registered or configured: stays until it is removed by name.
const PERMANENT: u32 = 1 << 1;
/// No longer in the registry.
const REMOVED: u32 = 1 << 2;
/// Named by the document that was applied last; stays as long as the document names it.
const PINNED: u32 = 1 << 3;
/// Created by a document, and not looked up by code so far.
const CONFIG_ONLY: u32 = 1 << 4;
/// Never evicted.
const NOT_EVICTABLE: u32 = PERMANENT | PINNED;

/// The result of [`RegistryEntry::make_permanent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MadePermanent {
    /// The breaker had been created by use.
    Now,
    /// The breaker had been registered or configured before.
    Already,
    /// The breaker is no longer in the registry.
    Removed,
}

impl Default for RegistryEntry {
    fn default() -> Self {
        Self {
            marks: AtomicU32::new(IDLE),
            position: AtomicUsize::new(0),
            warned: Warned::default(),
            call_sites: CallSites::default(),
        }
    }
}

impl RegistryEntry {
    /// Marks the breaker as used. Returns false if the breaker was removed.
    #[inline]
    pub(crate) fn touch(&self) -> bool {
        self.marks.load(Ordering::Acquire) & (IDLE | REMOVED) == 0 || self.touch_idle()
    }

    #[inline(never)]
    fn touch_idle(&self) -> bool {
        self.marks.fetch_and(!IDLE, Ordering::AcqRel) & REMOVED == 0
    }

    /// Clears the mark of use, and returns whether it was set.
    pub(crate) fn clear_used(&self) -> bool {
        let used = self.marks.load(Ordering::Acquire) & IDLE == 0;
        used && self.marks.fetch_or(IDLE, Ordering::AcqRel) & IDLE == 0
    }

    /// The position in the eviction pool, as it was set last.
    pub(crate) fn position(&self) -> usize {
        // Ordering: `Relaxed`, because the lock of the pool orders all accesses.
        self.position.load(Ordering::Relaxed)
    }

    pub(crate) fn set_position(&self, position: usize) {
        self.position.store(position, Ordering::Relaxed);
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.marks.load(Ordering::Acquire) & REMOVED != 0
    }

    pub(crate) fn is_evictable(&self) -> bool {
        self.marks.load(Ordering::Acquire) & NOT_EVICTABLE == 0
    }

    /// Excludes the breaker from eviction, unless it was removed.
    pub(crate) fn make_permanent(&self) -> MadePermanent {
        let mark = |marks| {
            let permanent = marks & !(CONFIG_ONLY | IDLE) | PERMANENT;
            (marks & REMOVED == 0).then_some(permanent)
        };
        match self
            .marks
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, mark)
        {
            Ok(before) if before & PERMANENT == 0 => MadePermanent::Now,
            Ok(_) => MadePermanent::Already,
            Err(_) => MadePermanent::Removed,
        }
    }

    /// A document names the breaker from now on.
    pub(crate) fn pin(&self) {
        self.marks.fetch_or(PINNED, Ordering::AcqRel);
    }

    /// Records that code uses the breaker. Returns whether only a document had named it before.
    pub(crate) fn mark_used_by_code(&self) -> bool {
        self.is_config_only()
            && self.marks.fetch_and(!CONFIG_ONLY, Ordering::AcqRel) & CONFIG_ONLY != 0
    }

    /// Whether a document created the breaker, and code has not looked it up so far.
    pub(crate) fn is_config_only(&self) -> bool {
        self.marks.load(Ordering::Acquire) & CONFIG_ONLY != 0
    }

    /// Marks the breaker as removed, unless it is not evictable.
    pub(crate) fn try_evict(&self) -> bool {
        let evict = |marks| (marks & NOT_EVICTABLE == 0).then_some(marks | REMOVED);
        self.marks
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, evict)
            .is_ok()
    }

    /// Marks the breaker as removed, whatever holds it.
    pub(crate) fn mark_removed(&self) {
        self.marks.fetch_or(REMOVED, Ordering::AcqRel);
    }
}

#[cfg(feature = "serde")]
impl RegistryEntry {
    /// A document created the breaker.
    pub(crate) fn mark_from_config(&self) {
        self.marks.fetch_or(PINNED | CONFIG_ONLY, Ordering::AcqRel);
    }

    /// No document names the breaker any more. Returns whether it may be evicted now.
    pub(crate) fn unpin(&self) -> bool {
        self.marks.fetch_and(!PINNED, Ordering::AcqRel) & PERMANENT == 0
    }
}
