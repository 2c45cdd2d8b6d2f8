//! The handles that each thread keeps for itself.
//!
//! A look-up in a shared map costs a lock and a contended reference count as soon as two threads
//! ask for one name. So each thread keeps handles of its own: an `Arc` around the handle, whose
//! count no other thread touches.
//!
//! 1. Nothing is dropped while the table is borrowed: a breaker may be the last to hold a user's
//!    closure, whose `Drop` may come back here. Displaced handles are carried out first.
//! 2. A handle in a table is listed with its breaker (see [`Tenancy`](super::Tenancy)) and taken
//!    off that list when it leaves, on every path: [`Kept`] sees to it.
//! 3. A breaker that left its registry is never served by name, since its mark is read after the
//!    handle was cloned. Its handle stays in the table, unused, until the slot is wanted.
//! 4. The desks keep no breaker: an error that was dropped must not hold up the end of its breaker.

#[cfg(feature = "tower")]
use super::Held;
use super::Slip;
use crate::breaker::{Circuit, CircuitBreaker};
use crate::refused::Refused;
use std::cell::RefCell;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Weak};

/// Powers of two: slots are found by masking.
const NAMES: usize = 256;
const PLACES: usize = 64;

#[cfg(loom)]
loom::thread_local! {
    static TABLE: RefCell<Table> = RefCell::new(Table::EMPTY);
}
#[cfg(not(loom))]
thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table::EMPTY) };
}

/// One slot a hash, and the next who wants it displaces: no search, no order to keep.
struct Table {
    /// Found by name; empty until the first one.
    names: Vec<Named>,
    /// Found by the breaker's own identity; empty until the first one.
    desks: Places<Desk>,
    #[cfg(feature = "tower")]
    holds: Places<Kept>,
}

#[derive(Default)]
struct Named {
    hash: u64,
    kept: Option<Kept>,
}

/// A handle that stands in a table, or in a [site](super::Site), and is listed with its breaker.
pub(super) struct Kept(pub(super) Arc<CircuitBreaker>);

impl Kept {
    pub(super) fn new(local: Arc<CircuitBreaker>) -> Self {
        local.circuit.tenancy.own(&local);
        Self(local)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.circuit.tenancy.disown(&self.0);
    }
}

/// A place for errors about one breaker, listed with it as well.
struct Desk(Arc<Slip>);

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(circuit) = self.0.circuit() {
            circuit.tenancy.withdraw(&self.0);
        }
    }
}

impl Table {
    const EMPTY: Self = Self {
        names: Vec::new(),
        desks: Vec::new(),
        #[cfg(feature = "tower")]
        holds: Vec::new(),
    };
}

/// The handle of `name` in the registry numbered `registry`, if this thread has it and the breaker
/// is still there.
#[inline]
pub(super) fn find(hash: u64, registry: u64, name: &str) -> Option<Arc<CircuitBreaker>> {
    let found = TABLE.try_with(|table| {
        let table = table.try_borrow().ok()?;
        let slot = table.names.get(by_hash(hash))?;
        if slot.hash != hash {
            return None;
        }
        let Kept(local) = slot.kept.as_ref()?;
        let circuit = &local.circuit;
        if circuit.home.registry != registry || *circuit.name != *name {
            return None;
        }
        let handle = local.clone();
        // Dropping the clone here ends nothing: the slot still holds it.
        circuit.tenancy.visit().then_some(handle)
    });
    found.ok().flatten()
}

/// Makes this thread's own handle of `breaker`, and keeps it while the thread still has a table.
pub(super) fn keep(hash: u64, breaker: CircuitBreaker) -> Arc<CircuitBreaker> {
    let handle = Arc::new(breaker);
    let kept = Kept::new(handle.clone());
    let named = Named {
        hash,
        kept: Some(kept),
    };
    let displaced = put(named, |table| {
        if table.names.is_empty() {
            table.names.resize_with(NAMES, Named::default);
        }
        table.names.get_mut(by_hash(hash))
    });
    drop(displaced);
    handle
}

/// What an error about `breaker` refers to: this thread's own place for it, unless an earlier error
/// is still there.
#[inline]
pub(crate) fn notify(breaker: &CircuitBreaker, refused: Refused) -> Arc<Slip> {
    let own = look_at(
        breaker,
        |table| &table.desks,
        |Desk(slip)| {
            let own = Weak::as_ptr(&slip.circuit) == Arc::as_ptr(&breaker.circuit);
            if !own || Arc::strong_count(slip) > 1 {
                return None;
            }
            // Whoever had the last reference has read what it wanted.
            fence(Ordering::Acquire);
            slip.notice.write(refused);
            Some(slip.clone())
        },
    );
    own.unwrap_or_else(|| notify_elsewhere(breaker, refused))
}

#[cold]
#[inline(never)]
fn notify_elsewhere(breaker: &CircuitBreaker, refused: Refused) -> Arc<Slip> {
    // Perhaps by now the last reference: dropped once the table is free again.
    let mut stood = None;
    let free = is_free(
        breaker,
        |table| &table.desks,
        |Desk(slip)| {
            stood = slip.circuit.upgrade();
            let wanted = stood.as_ref().is_some_and(|circuit| is_wanted(circuit, 1));
            Arc::strong_count(slip) == 1 && !wanted
        },
    );
    drop(stood);
    if !free {
        return Arc::new(Slip::placeless(breaker, refused));
    }
    let slip = Arc::new(Slip::new(breaker, refused));
    breaker.circuit.tenancy.post(&slip);
    keep_at(breaker, Desk(slip.clone()), |table| &mut table.desks);
    slip
}

/// This thread's own handle of a breaker that somebody holds already.
#[cfg(feature = "tower")]
#[inline]
pub(crate) fn hold(breaker: &CircuitBreaker) -> Held {
    let own = look_at(
        breaker,
        |table| &table.holds,
        |Kept(local)| Arc::ptr_eq(&local.circuit, &breaker.circuit).then(|| local.clone()),
    );
    own.map_or_else(|| hold_anew(breaker), Held::Shared)
}

#[cfg(feature = "tower")]
#[cold]
#[inline(never)]
fn hold_anew(breaker: &CircuitBreaker) -> Held {
    let free = is_free(
        breaker,
        |table| &table.holds,
        |Kept(local)| Arc::strong_count(local) == 1 && !is_wanted(&local.circuit, 0),
    );
    if !free {
        return Held::Own(breaker.clone());
    }
    let local = Arc::new(breaker.clone());
    keep_at(breaker, Kept::new(local.clone()), |table| &mut table.holds);
    Held::Shared(local)
}

type Places<P> = Vec<Option<P>>;

/// What `look` finds at the place of a breaker, if it is taken.
#[inline]
fn look_at<P, T>(
    breaker: &CircuitBreaker,
    places: impl FnOnce(&Table) -> &Places<P>,
    look: impl FnOnce(&P) -> Option<T>,
) -> Option<T> {
    let found = TABLE.try_with(|table| {
        let table = table.try_borrow().ok()?;
        let place = places(&table).get(by_identity(breaker))?;
        look(place.as_ref()?)
    });
    found.ok().flatten()
}

/// Whether a breaker may have its place: nothing stands there, or what `may_go`.
///
/// A place that another live breaker has is left to it: two that share one would displace each other
/// at every call.
fn is_free<P>(
    breaker: &CircuitBreaker,
    places: impl FnOnce(&Table) -> &Places<P>,
    may_go: impl FnOnce(&P) -> bool,
) -> bool {
    let free = TABLE.try_with(|table| {
        let Ok(table) = table.try_borrow() else {
            return false;
        };
        let place = places(&table).get(by_identity(breaker));
        place.and_then(Option::as_ref).is_none_or(may_go)
    });
    free.unwrap_or(false)
}

#[cold]
fn keep_at<P>(
    breaker: &CircuitBreaker,
    place: P,
    places: impl FnOnce(&mut Table) -> &mut Places<P>,
) {
    let displaced = put(Some(place), |table| {
        let places = places(table);
        if places.is_empty() {
            places.resize_with(PLACES, || None);
        }
        places.get_mut(by_identity(breaker))
    });
    drop(displaced);
}

/// Whether anybody wants the breaker but the caches of the threads and `known` references.
fn is_wanted(circuit: &Arc<Circuit>, known: usize) -> bool {
    !circuit.tenancy.is_gone() && circuit.tenancy.is_held(circuit, known)
}

/// Puts `value` in the slot and hands back what is to be dropped once the table is free again: what
/// stood there, or `value` itself when the thread has no table any more.
fn put<T>(value: T, slot: impl FnOnce(&mut Table) -> Option<&mut T>) -> Option<T> {
    let mut value = Some(value);
    let displaced = TABLE.try_with(|table| {
        let mut table = table.try_borrow_mut().ok()?;
        let slot = slot(&mut table)?;
        Some(std::mem::replace(slot, value.take()?))
    });
    displaced.ok().flatten().or(value)
}

/// Lets go of the handles of this thread that `unwanted` names. Those of other threads stay until
/// their slots are wanted.
pub(super) fn forget(unwanted: impl Fn(&CircuitBreaker) -> bool) {
    let forgotten = TABLE.try_with(|table| {
        let mut table = table.try_borrow_mut().ok()?;
        let table = &mut *table;
        let slots = table.names.iter_mut().map(|named| &mut named.kept);
        #[cfg(feature = "tower")]
        let slots = slots.chain(&mut table.holds);
        let unwanted = |kept: &mut Kept| unwanted(&kept.0);
        Some(
            slots
                .filter_map(|slot| slot.take_if(unwanted))
                .collect::<Vec<_>>(),
        )
    });
    drop(forgotten);
}

#[allow(clippy::cast_possible_truncation)] // the mask keeps the lowest bits
fn by_hash(hash: u64) -> usize {
    hash as usize & (NAMES - 1)
}

fn by_identity(breaker: &CircuitBreaker) -> usize {
    let address = Arc::as_ptr(&breaker.circuit) as usize;
    // Allocations are some hundred bytes apart; both digits of the distance choose the slot.
    ((address >> 5) ^ (address >> 11)) & (PLACES - 1)
}
