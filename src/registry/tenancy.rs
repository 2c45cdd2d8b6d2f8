use super::Slip;
use super::site::Sites;
use crate::circuit::Circuit;
use crate::event::Warned;
use crate::sync::plain::AtomicU64;
use crate::sync::{AtomicU32, Lock, Once, Ordering};
use std::sync::{Arc, Weak};

/// What a registry knows of one breaker; part of the breaker, so that knowing more names takes no
/// look-up.
///
/// # Invariants
///
/// 1. `GONE` is set on the way out of the map, with the map's shard locked for writing, and never
///    reset. Eviction sets it only on a breaker that is not held; removal by name sets it on any.
/// 2. `slips` lists those that have a place on a desk, each of which is a holder while an error refers to
///    it.
pub(crate) struct Tenancy {
    marks: AtomicU32,
    /// Which mistakes were printed. It stands here because the padding of `marks` has room for it.
    pub(crate) warned: Warned,
    known: Once<Lock<Known>>,
    pub(super) sites: Sites,
}

/// A slip that lies on a desk, or did when its thread ended, and is still referred to.
struct Posted {
    slip: Weak<Slip>,
    refusals: Arc<AtomicU64>,
    on_desk: bool,
}

impl Posted {
    fn refusals(&self) -> u64 {
        // Relaxed: it publishes nothing.
        self.refusals.load(Ordering::Relaxed)
    }

    /// Whether an error refers to it.
    fn is_lent(&self) -> bool {
        self.slip.strong_count() > usize::from(self.on_desk)
    }
}

impl Known {
    /// Takes off the list what `is_gone`. In one step with the end of its number, so that the total never
    /// goes back.
    fn strike(&mut self, is_gone: impl Fn(&Posted) -> bool) {
        let Self {
            slips, refusals, ..
        } = self;
        slips.retain(|posted| {
            let gone = is_gone(posted);
            *refusals += if gone { posted.refusals() } else { 0 };
            !gone
        });
    }
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

/// What stands on the desks of the threads.
#[derive(Default)]
struct Known {
    slips: Vec<Posted>,
    /// Those that slips counted which are no longer listed.
    refusals: u64,
}

impl Default for Tenancy {
    fn default() -> Self {
        Self {
            marks: AtomicU32::new(IDLE),
            warned: Warned::default(),
            known: Once::new(),
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
        if let Some(all) = self.known.get().map(Lock::lock) {
            // After the handles: a refused call goes over from one to an error.
            if all.slips.iter().any(Posted::is_lent) {
                return true;
            }
        }
        Arc::strong_count(circuit) > known + in_sites
    }

    /// `slip` lies on a desk now.
    pub(super) fn post(&self, slip: &Arc<Slip>) {
        let mut known = self.known.get_or_init(Lock::default).lock();
        let posted = Posted {
            slip: Arc::downgrade(slip),
            refusals: slip.refusals().clone(),
            on_desk: true,
        };
        // Those of threads that have ended, and are no longer referred to.
        known.strike(|posted| posted.slip.strong_count() == 0);
        list(&mut known.slips, posted);
    }

    /// `slip` no longer lies on a desk. The caller gives up its reference next.
    pub(super) fn withdraw(&self, slip: &Arc<Slip>) {
        if let Some(known) = self.known.get() {
            let mut known = known.lock();
            let is_it = |posted: &Posted| posted.slip.as_ptr() == Arc::as_ptr(slip);
            if Arc::strong_count(slip) == 1 {
                known.strike(is_it);
            } else if let Some(posted) = known.slips.iter_mut().find(|posted| is_it(posted)) {
                // An error still refers to it, and holds its breaker.
                posted.on_desk = false;
            }
        }
    }

    /// Refusals that slips have counted.
    pub(crate) fn refusals(&self) -> u64 {
        self.known.get().map_or(0, |known| {
            let known = known.lock();
            let listed: u64 = known.slips.iter().map(Posted::refusals).sum();
            known.refusals + listed
        })
    }
}

/// One thread is the rule; the list's usual leap to four would be paid for by every breaker.
fn list<T>(list: &mut Vec<T>, one: T) {
    list.reserve_exact(1);
    list.push(one);
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

#[cfg(all(test, not(loom)))]
impl Tenancy {
    /// How many places are listed.
    pub(super) fn listed(&self) -> usize {
        self.known.get().map_or(0, |known| {
            let known = known.lock();
            known.slips.len()
        })
    }
}
