use super::Slip;
use super::site::Sites;
use crate::breaker::{Circuit, CircuitBreaker};
use crate::sync::{AtomicU32, Lock, Once, Ordering, fence};
use std::sync::{Arc, Weak};

/// What a registry, and the caches of the threads, know of one breaker; part of the breaker, so
/// that knowing more names takes no look-up.
///
/// # Invariants
///
/// 1. `GONE` is set for good only on the way out of the map, by who holds the map's shard for
///    writing, and never on a breaker that anybody but the map, the evictor and the caches holds.
///    (Removal by name is the exception: it asks for no leave.)
/// 2. `cached` lists exactly those handles that still stand in a cache. One that a future keeps alive
///    after its slot was given to another is not in it, and so counts as a holder.
/// 3. `cached` lists the places for errors as well, each of which is a holder while an error refers to
///    it.
pub(crate) struct Tenancy {
    marks: AtomicU32,
    cached: Once<Lock<Vec<Cached>>>,
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

enum Cached {
    Local(Weak<CircuitBreaker>),
    Slip(Weak<Slip>),
}

impl Default for Tenancy {
    fn default() -> Self {
        Self {
            marks: AtomicU32::new(IDLE),
            cached: Once::new(),
            sites: Sites::default(),
        }
    }
}

impl Tenancy {
    /// Marks a look-up that already cloned a handle; false when the breaker has left, and the
    /// handle must not be served.
    ///
    /// The handle's count was raised before the marks are read, and an evictor sets `GONE` before
    /// it reads the counts, so one of the two sees the other. Where `IDLE` is set both sides are
    /// read-modify-writes of one word, so this holds on every machine. Where it is clear already a
    /// load does, which a weakly ordered machine may run before the count is out; the evictor
    /// passes over used breakers first, so that this call would have to be stalled there for a
    /// whole round of the queue. It would then end on a breaker that has just left, as calls in
    /// flight do when a breaker is removed.
    #[inline]
    pub(super) fn visit(&self) -> bool {
        let marks = self.marks.load(Ordering::Acquire);
        marks & (IDLE | GONE) == 0 || self.visit_first()
    }

    #[inline(never)]
    fn visit_first(&self) -> bool {
        // AcqRel: an evictor that finds the mark also finds the handle counted.
        self.marks.fetch_and(!IDLE, Ordering::AcqRel) & GONE == 0
    }

    /// Takes the mark of use away, and tells whether there was one.
    pub(super) fn take_used(&self) -> bool {
        let used = self.marks.load(Ordering::Acquire) & IDLE == 0;
        // AcqRel: the handle that the look-up cloned is seen from here on.
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

    /// Lets the breaker leave if nothing speaks against it: not lasting, not held, not used in the
    /// meantime when it `must_be_idle`, and `may_go`. Called with the map's shard held for writing,
    /// so that no handle is cloned from the map meanwhile, and with one reference in the map and
    /// one in the caller's hand.
    pub(super) fn leave(
        &self,
        circuit: &Arc<Circuit>,
        must_be_idle: bool,
        may_go: impl FnOnce() -> bool,
    ) -> bool {
        let before = self.marks.fetch_or(GONE, Ordering::AcqRel);
        // SeqCst: the counterpart of `visit`. Whoever cloned a cached handle without seeing the
        // mark is in the counts that are read now.
        fence(Ordering::SeqCst);
        let wanted = before & STAYS != 0 || must_be_idle && before & IDLE == 0;
        if wanted || self.is_held(circuit, 2) || !may_go() {
            // Whoever saw the mark meanwhile waits for this shard, and finds the breaker there.
            self.marks.fetch_and(!GONE, Ordering::AcqRel);
            return false;
        }
        true
    }

    /// Takes the breaker out of the registry for good, whoever holds it.
    pub(crate) fn expel(&self) {
        self.marks.fetch_or(GONE, Ordering::AcqRel);
    }

    /// Whether anybody holds the breaker beside `known` references and the caches.
    pub(super) fn is_held(&self, circuit: &Arc<Circuit>, known: usize) -> bool {
        let all = self.cached.get().map(Lock::lock);
        let mut cached = 0;
        for one in all.iter().flat_map(|all| all.iter()) {
            match one {
                Cached::Local(local) if local.strong_count() > 1 => return true,
                Cached::Local(local) => cached += local.strong_count(),
                Cached::Slip(slip) if slip.strong_count() > 1 => return true,
                Cached::Slip(_) => {}
            }
        }
        Arc::strong_count(circuit) > known + cached
    }

    /// `local` stands in a cache now. The caller holds it a second time, so that it counts as held
    /// until that one is gone.
    pub(super) fn own(&self, local: &Arc<CircuitBreaker>) {
        self.list(Cached::Local(Arc::downgrade(local)));
    }

    /// `local` no longer stands in a cache.
    pub(super) fn disown(&self, local: &Arc<CircuitBreaker>) {
        self.strike(
            |one| matches!(one, Cached::Local(other) if other.as_ptr() == Arc::as_ptr(local)),
        );
    }

    /// `slip` stands on a desk now.
    pub(super) fn post(&self, slip: &Arc<Slip>) {
        self.list(Cached::Slip(Arc::downgrade(slip)));
    }

    /// `slip` no longer stands on a desk.
    pub(super) fn withdraw(&self, slip: &Arc<Slip>) {
        self.strike(
            |one| matches!(one, Cached::Slip(other) if other.as_ptr() == Arc::as_ptr(slip)),
        );
    }

    fn list(&self, one: Cached) {
        let mut cached = self.cached.get_or_init(Lock::default).lock();
        // One thread is the rule; the list's usual leap to four would be paid for by every breaker.
        cached.reserve_exact(1);
        cached.push(one);
    }

    fn strike(&self, unlisted: impl Fn(&Cached) -> bool) {
        if let Some(cached) = self.cached.get() {
            cached.lock().retain(|one| !unlisted(one));
        }
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

#[cfg(all(test, not(loom)))]
impl Tenancy {
    /// How many handles and places are listed.
    pub(super) fn listed(&self) -> usize {
        self.cached.get().map_or(0, |cached| cached.lock().len())
    }
}
