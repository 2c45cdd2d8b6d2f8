use super::site::Sites;
use crate::breaker::{Circuit, CircuitBreaker};
use crate::event::Warned;
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
/// 2. `locals` lists exactly those handles that still stand in a cache. One that a future keeps alive
///    after its slot was given to another is not in it, and so counts as a holder.
/// 3. `in_sites` counts no more handles than sites have.
pub(crate) struct Tenancy {
    marks: AtomicU32,
    /// Which mistakes were printed. It stands here because the padding of `marks` has room for it.
    pub(crate) warned: Warned,
    known: Once<Lock<Known>>,
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

/// What stands in the sites and in the caches of the threads.
#[derive(Default)]
struct Known {
    locals: Vec<Weak<CircuitBreaker>>,
    /// Handles in sites, which stay there.
    in_sites: usize,
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
        self.is_visited() || self.visit_first()
    }

    /// Whether a look-up leaves the marks as they are: the breaker is there, and known as used.
    #[inline]
    pub(super) fn is_visited(&self) -> bool {
        self.marks.load(Ordering::Acquire) & (IDLE | GONE) == 0
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

    /// Whether anybody holds the breaker beside `known` references, the sites and the caches.
    pub(super) fn is_held(&self, circuit: &Arc<Circuit>, known: usize) -> bool {
        let mut cached = 0;
        if let Some(all) = self.known.get().map(Lock::lock) {
            cached += all.in_sites;
            for local in &all.locals {
                match local.strong_count() {
                    count @ (0 | 1) => cached += count,
                    _ => return true,
                }
            }
        }
        // The handles first: a refused call may drop its handle once it has an error.
        Arc::strong_count(circuit) > known + cached || circuit.refusal_links.are_referenced()
    }

    /// A handle goes to a site, and stays there. The caller has it already, so that it counts as held until
    /// then.
    pub(super) fn stay_with_site(&self) {
        self.known.get_or_init(Lock::default).lock().in_sites += 1;
    }

    /// `local` stands in a cache now. The caller holds it a second time, so that it counts as held
    /// until that one is gone.
    pub(super) fn own(&self, local: &Arc<CircuitBreaker>) {
        let mut known = self.known.get_or_init(Lock::default).lock();
        list(&mut known.locals, Arc::downgrade(local));
    }

    /// `local` no longer stands in a cache.
    pub(super) fn disown(&self, local: &Arc<CircuitBreaker>) {
        if let Some(known) = self.known.get() {
            let is_other = |one: &Weak<CircuitBreaker>| one.as_ptr() != Arc::as_ptr(local);
            known.lock().locals.retain(is_other);
        }
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
    /// How many handles are listed.
    pub(super) fn listed(&self) -> usize {
        self.known
            .get()
            .map_or(0, |known| known.lock().locals.len())
    }
}
