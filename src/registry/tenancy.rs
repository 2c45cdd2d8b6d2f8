use super::site::Sites;
use crate::breaker::{Circuit, CircuitBreaker};
use crate::sync::{AtomicU32, Lock, Ordering, fence};
use std::sync::{Arc, Weak};

/// What a registry, and the caches of the threads, know of one breaker; part of the breaker, so
/// that knowing more names takes no look-up.
///
/// # Invariants
///
/// 1. `GONE` is set for good only on the way out of the map, by who holds the map's shard for
///    writing, and never on a breaker that anybody but the map, the evictor and the caches holds.
///    (Removal by name is the exception: it asks for no leave.)
/// 2. `locals` lists exactly those cached handles that still stand in a cache. One that a future
///    keeps alive after its slot was given to another is not in it, and so counts as a holder.
pub(crate) struct Tenancy {
    marks: AtomicU32,
    locals: Lock<Option<Box<Locals>>>,
    pub(super) sites: Sites,
}

/// Behind a thin pointer: most breakers of a registry with many are in no cache.
struct Locals(Box<[Weak<CircuitBreaker>]>);

/// Looked up since an evictor last came by.
const USED: u32 = 1;
/// Registered or configured: stays until it is removed.
const LASTING: u32 = 1 << 1;
/// No longer in the registry.
const GONE: u32 = 1 << 2;

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
            marks: AtomicU32::new(0),
            locals: Lock::new(None),
            sites: Sites::default(),
        }
    }
}

impl Tenancy {
    /// Marks a look-up that already cloned a handle; false when the breaker has left, and the
    /// handle must not be served.
    ///
    /// The handle's count was raised before the marks are read, and an evictor sets `GONE` before
    /// it reads the counts, so one of the two sees the other. Where `USED` is clear both sides are
    /// read-modify-writes of one word, so this holds on every machine. Where it is set already a
    /// load does, which a weakly ordered machine may run before the count is out; the evictor
    /// passes over used breakers first, so that this call would have to be stalled there for a
    /// whole round of the queue. It would then end on a breaker that has just left, as calls in
    /// flight do when a breaker is removed.
    #[inline]
    pub(super) fn visit(&self) -> bool {
        let marks = self.marks.load(Ordering::Acquire);
        marks & (USED | GONE) == USED || self.visit_first()
    }

    #[inline(never)]
    fn visit_first(&self) -> bool {
        // AcqRel: an evictor that finds the mark also finds the handle counted.
        self.marks.fetch_or(USED, Ordering::AcqRel) & GONE == 0
    }

    /// Takes the mark of use away, and tells whether there was one.
    pub(super) fn take_used(&self) -> bool {
        let used = self.marks.load(Ordering::Acquire) & USED != 0;
        // AcqRel: the handle that the look-up cloned is seen from here on.
        used && self.marks.fetch_and(!USED, Ordering::AcqRel) & USED != 0
    }

    pub(super) fn is_gone(&self) -> bool {
        self.marks.load(Ordering::Acquire) & GONE != 0
    }

    pub(super) fn is_lasting(&self) -> bool {
        self.marks.load(Ordering::Acquire) & LASTING != 0
    }

    /// The breaker is to stay, unless it has left.
    pub(crate) fn settle(&self) -> Settled {
        let stay = |marks| (marks & GONE == 0).then_some(marks | LASTING | USED);
        match self
            .marks
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, stay)
        {
            Ok(before) if before & LASTING == 0 => Settled::Now,
            Ok(_) => Settled::Before,
            Err(_) => Settled::Gone,
        }
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
        let wanted = before & LASTING != 0 || must_be_idle && before & USED != 0;
        if wanted || self.is_held(circuit, 2) || !may_go() {
            // Whoever saw the mark meanwhile waits for this shard, and finds the breaker there.
            self.marks.fetch_and(!GONE, Ordering::AcqRel);
            return false;
        }
        true
    }

    /// Takes the breaker out of the registry for good, whoever holds it.
    pub(super) fn expel(&self) {
        self.marks.fetch_or(GONE, Ordering::AcqRel);
    }

    /// Whether anybody holds the breaker beside `known` references and the caches.
    pub(super) fn is_held(&self, circuit: &Arc<Circuit>, known: usize) -> bool {
        let locals = self.locals.lock();
        let mut cached = 0;
        for local in locals.iter().flat_map(|locals| &*locals.0) {
            match local.strong_count() {
                0 => {}
                1 => cached += 1,
                _ => return true,
            }
        }
        Arc::strong_count(circuit) > known + cached
    }

    /// `local` stands in a cache now. The caller holds it a second time, so that it counts as held
    /// until that one is gone.
    pub(super) fn own(&self, local: &Arc<CircuitBreaker>) {
        let mut locals = self.locals.lock();
        let others = locals.iter().flat_map(|locals| &*locals.0);
        let more = others.cloned().chain([Arc::downgrade(local)]);
        *locals = Some(Box::new(Locals(more.collect())));
    }

    /// `local` no longer stands in a cache.
    pub(super) fn disown(&self, local: &Arc<CircuitBreaker>) {
        let mut locals = self.locals.lock();
        if let Some(locals) = &mut *locals {
            let others = locals.0.iter();
            let others = others.filter(|other| other.as_ptr() != Arc::as_ptr(local));
            locals.0 = others.cloned().collect();
        }
    }
}

impl std::fmt::Debug for Tenancy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let marks = self.marks.load(Ordering::Acquire);
        f.debug_struct("Tenancy")
            .field("used", &(marks & USED != 0))
            .field("lasting", &(marks & LASTING != 0))
            .field("gone", &(marks & GONE != 0))
            .finish_non_exhaustive()
    }
}
