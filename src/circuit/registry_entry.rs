//! [`RegistryEntry`]: what a registry knows about one breaker.

use super::call_sites::CallSites;
use crate::event::Warned;
use crate::sync::{AtomicU32, Ordering};
use std::sync::atomic::AtomicUsize;

/// What a registry knows about one breaker. Stored in the circuit, so that a lookup needs no second
/// map.
///
/// # Invariants
///
/// 1. `REMOVED` is set when the breaker leaves the map, while the shard of the map is locked for
///    writing, and is never cleared. Eviction sets it only on a breaker that is not held; removal
///    by name sets it on any breaker.
/// 2. An error of a refused call holds its breaker: see `Circuit::is_held`.
pub(crate) struct RegistryEntry {
    marks: AtomicU32,
    /// The position in the registry's eviction pool, if the breaker is there. Guarded by the lock
    /// of the pool; atomic only because the entry is shared.
    position: AtomicUsize,
    /// The mistakes that were printed. Fits into the padding after `marks`.
    pub(crate) warned: Warned,
    pub(crate) call_sites: CallSites,
}

/// Set by the eviction scan, cleared on use. A mark of idleness, not of use, lets a lookup test
/// `IDLE` and `REMOVED` for zero with one comparison.
const IDLE: u32 = 1;
/// The breaker was registered or configured, and stays until it is removed by name.
const PERMANENT: u32 = 1 << 1;
/// The breaker is no longer in the registry.
const REMOVED: u32 = 1 << 2;
/// The document that was applied last names the breaker, which stays as long as a document does.
const PINNED: u32 = 1 << 3;
/// A document created the breaker, and code has not looked it up yet.
const CONFIG_ONLY: u32 = 1 << 4;
/// The marks that exclude a breaker from eviction.
const NOT_EVICTABLE: u32 = PERMANENT | PINNED;

/// The result of [`RegistryEntry::make_permanent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MadePermanent {
    /// The breaker had been created by use, and is permanent now.
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
    /// Marks the breaker as used. Returns `false` if the breaker was removed.
    #[inline]
    pub(crate) fn touch(&self) -> bool {
        self.marks.load(Ordering::Acquire) & (IDLE | REMOVED) == 0 || self.touch_idle()
    }

    #[inline(never)]
    fn touch_idle(&self) -> bool {
        self.marks.fetch_and(!IDLE, Ordering::AcqRel) & REMOVED == 0
    }

    /// Marks the breaker as idle. Returns `true` if it was used before.
    pub(crate) fn clear_used(&self) -> bool {
        let used = self.marks.load(Ordering::Acquire) & IDLE == 0;
        used && self.marks.fetch_or(IDLE, Ordering::AcqRel) & IDLE == 0
    }

    /// Returns the position in the eviction pool that was set last.
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

    /// Records that a document names the breaker.
    pub(crate) fn pin(&self) {
        self.marks.fetch_or(PINNED, Ordering::AcqRel);
    }

    /// Records that code uses the breaker. Returns `true` if only a document had named it before.
    pub(crate) fn mark_used_by_code(&self) -> bool {
        self.is_config_only()
            && self.marks.fetch_and(!CONFIG_ONLY, Ordering::AcqRel) & CONFIG_ONLY != 0
    }

    /// Returns `true` if a document created the breaker and code has not looked it up yet.
    pub(crate) fn is_config_only(&self) -> bool {
        self.marks.load(Ordering::Acquire) & CONFIG_ONLY != 0
    }

    /// Marks the breaker as removed if it is evictable. Returns `true` on success.
    pub(crate) fn try_evict(&self) -> bool {
        let evict = |marks| (marks & NOT_EVICTABLE == 0).then_some(marks | REMOVED);
        self.marks
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, evict)
            .is_ok()
    }

    /// Marks the breaker as removed, even if it is held or not evictable.
    pub(crate) fn mark_removed(&self) {
        self.marks.fetch_or(REMOVED, Ordering::AcqRel);
    }
}

#[cfg(feature = "serde")]
impl RegistryEntry {
    /// Records that a document created the breaker.
    pub(crate) fn mark_from_config(&self) {
        self.marks.fetch_or(PINNED | CONFIG_ONLY, Ordering::AcqRel);
    }

    /// Records that no document names the breaker any more. Returns `true` if the breaker is
    /// evictable now.
    pub(crate) fn unpin(&self) -> bool {
        self.marks.fetch_and(!PINNED, Ordering::AcqRel) & PERMANENT == 0
    }
}
