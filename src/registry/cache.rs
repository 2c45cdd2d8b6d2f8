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

use crate::breaker::CircuitBreaker;
use std::cell::RefCell;
use std::ops::Deref;
use std::sync::Arc;

/// A handle for an error to keep: the thread's own where there is one, which touches no count that
/// other threads touch.
#[derive(Clone, Debug)]
pub enum Held {
    Shared(Arc<CircuitBreaker>),
    Own(CircuitBreaker),
}

impl Deref for Held {
    type Target = CircuitBreaker;

    fn deref(&self) -> &CircuitBreaker {
        match self {
            Self::Shared(breaker) => breaker,
            Self::Own(breaker) => breaker,
        }
    }
}

/// Powers of two: slots are found by masking.
const NAMES: usize = 256;
const HOLDS: usize = 64;

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
    holds: Vec<Option<Kept>>,
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

impl Table {
    const EMPTY: Self = Self {
        names: Vec::new(),
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

/// A handle of a breaker that somebody holds already, for an error to keep.
///
/// A slot that a live breaker has is left to it: two that share a slot would displace each other at
/// every refusal.
#[inline]
pub(crate) fn hold(breaker: &CircuitBreaker) -> Held {
    let found = TABLE.try_with(|table| {
        let table = table.try_borrow().map_err(|_| Taken)?;
        match table.holds.get(by_identity(breaker)) {
            Some(Some(Kept(local))) if Arc::ptr_eq(&local.circuit, &breaker.circuit) => {
                Ok(Some(local.clone()))
            }
            Some(Some(Kept(local))) if is_alive(local) => Err(Taken),
            _ => Ok(None),
        }
    });
    match found {
        Ok(Ok(Some(local))) => Held::Shared(local),
        Ok(Ok(None)) => hold_first(breaker),
        Ok(Err(Taken)) | Err(_) => Held::Own(breaker.clone()),
    }
}

struct Taken;

#[cold]
fn hold_first(breaker: &CircuitBreaker) -> Held {
    let handle = Arc::new(breaker.clone());
    let kept = Kept::new(handle.clone());
    let displaced = put(Some(kept), |table| {
        if table.holds.is_empty() {
            table.holds.resize_with(HOLDS, || None);
        }
        table.holds.get_mut(by_identity(breaker))
    });
    drop(displaced);
    Held::Shared(handle)
}

/// Whether anybody but the handle in this slot wants the breaker.
fn is_alive(local: &Arc<CircuitBreaker>) -> bool {
    let held = Arc::strong_count(local) > 1 || Arc::strong_count(&local.circuit) > 1;
    held && !local.circuit.tenancy.is_gone()
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
        let Table { names, holds } = &mut *table;
        let slots = names.iter_mut().map(|named| &mut named.kept).chain(holds);
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
    ((address >> 5) ^ (address >> 11)) & (HOLDS - 1)
}
