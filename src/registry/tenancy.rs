use super::site::Sites;
use crate::circuit::Circuit;
use crate::event::Warned;
use crate::sync::{AtomicU32, Ordering};
use std::sync::Arc;

/// What a registry knows of one breaker; part of the breaker, so that knowing more names takes no
/// look-up.
///
/// # Invariants
///
/// 1. `GONE` is set on the way out of the map, with the map's shard locked for writing, and never
///    reset. Eviction sets it only on a breaker that is not held; removal by name sets it on any.
/// 2. An error of a refused call holds its breaker by a refusal link: see
///    `RefusalLinks::are_referenced`.
pub(crate) struct Tenancy {
    marks: AtomicU32,
    /// Which mistakes were printed. It stands here because the padding of `marks` has room for it.
    pub(crate) warned: Warned,
    pub(super) sites: Sites,
}

/// Not looked up since an evictor last came by. Not the other way round, so that a look-up asks for
/// two marks to be missing, which is one instruction.
const IDLE: u32 = 1;
/// Registered or configured: stays until it is removed.
const LASTING: u32 = 1 << 1;
/// No longer in the registry.
const GONE: u32 = 1 << 2;
/// A document names it: stays as long as that does.
const PINNED: u32 = 1 << 3;
/// Made by a document, and code has not spoken of it so far.
const UNCLAIMED: u32 = 1 << 4;
/// Must not be evicted.
const STAYS: u32 = LASTING | PINNED;

/// What became of a breaker that somebody registers or configures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It had been created by use.
    Now,
    /// It had been registered or configured before.
    Before,
    /// It is no longer in the registry.
    Gone,
}

impl Default for Tenancy {
    fn default() -> Self {
        Self {
            marks: AtomicU32::new(IDLE),
            warned: Warned::default(),
            sites: Sites::default(),
        }
    }
}

impl Tenancy {
    /// Marks the breaker as used; false when it has left the registry.
    #[inline]
    pub(super) fn visit(&self) -> bool {
        self.marks.load(Ordering::Acquire) & (IDLE | GONE) == 0 || self.visit_first()
    }

    #[inline(never)]
    fn visit_first(&self) -> bool {
        self.marks.fetch_and(!IDLE, Ordering::AcqRel) & GONE == 0
    }

    /// Takes the mark of use away, and tells whether there was one.
    pub(super) fn take_used(&self) -> bool {
        let used = self.marks.load(Ordering::Acquire) & IDLE == 0;
        used && self.marks.fetch_or(IDLE, Ordering::AcqRel) & IDLE == 0
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.marks.load(Ordering::Acquire) & GONE != 0
    }

    pub(super) fn is_lasting(&self) -> bool {
        self.marks.load(Ordering::Acquire) & STAYS != 0
    }

    /// The breaker is to stay, unless it has left.
    pub(crate) fn settle(&self) -> Settled {
        let stay = |marks| (marks & GONE == 0).then_some(marks & !(UNCLAIMED | IDLE) | LASTING);
        match self
            .marks
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, stay)
        {
            Ok(before) if before & LASTING == 0 => Settled::Now,
            Ok(_) => Settled::Before,
            Err(_) => Settled::Gone,
        }
    }

    /// A document names the breaker from now on.
    pub(super) fn pin(&self) {
        self.marks.fetch_or(PINNED, Ordering::AcqRel);
    }

    /// Whether code is the first to speak of a breaker that a document made; from then on it has.
    pub(super) fn claim(&self) -> bool {
        self.is_unclaimed() && self.marks.fetch_and(!UNCLAIMED, Ordering::AcqRel) & UNCLAIMED != 0
    }

    /// Whether a document made the breaker, and code has not spoken of it so far.
    pub(super) fn is_unclaimed(&self) -> bool {
        self.marks.load(Ordering::Acquire) & UNCLAIMED != 0
    }

    /// Marks the breaker as gone, unless it is to stay, or was used in the meantime when it
    /// `must_be_idle`.
    pub(super) fn leave(&self, must_be_idle: bool) -> bool {
        let leave = |marks| {
            let stays = marks & STAYS != 0 || must_be_idle && marks & IDLE == 0;
            (!stays).then_some(marks | GONE)
        };
        self.marks
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, leave)
            .is_ok()
    }

    /// Takes the breaker out of the registry for good, whoever holds it.
    pub(crate) fn expel(&self) {
        self.marks.fetch_or(GONE, Ordering::AcqRel);
    }

    /// Whether anything but the sites and `known` references holds the breaker.
    pub(super) fn is_held(&self, circuit: &Arc<Circuit>, known: usize) -> bool {
        let in_sites = self.sites.handles();
        // The handles first: a refused call may drop its handle once it has an error.
        Arc::strong_count(circuit) > known + in_sites || circuit.refusal_links.are_referenced()
    }
}

#[cfg(feature = "serde")]
impl Tenancy {
    /// A document made the breaker.
    pub(super) fn found(&self) {
        self.marks.fetch_or(PINNED | UNCLAIMED, Ordering::AcqRel);
    }

    /// No document names the breaker any more; whether it may be evicted now.
    pub(super) fn unpin(&self) -> bool {
        self.marks.fetch_and(!PINNED, Ordering::AcqRel) & LASTING == 0
    }
}
