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

#[cfg(feature = "tower")]
use super::Held;
use super::{Shared, Tenancy};
#[cfg(feature = "tower")]
use crate::breaker::Circuit;
use crate::breaker::CircuitBreaker;
use std::cell::RefCell;
use std::sync::Arc;

/// Powers of two: slots are found by masking.
const NAMES: usize = 256;
#[cfg(feature = "tower")]
const PLACES: usize = 64;

/// The golden ratio's part of all addresses.
#[cfg(feature = "tower")]
#[allow(clippy::cast_possible_truncation)] // where addresses are shorter, so is this
const GOLDEN: usize = (0x9e37_79b9_7f4a_7c15_u64 >> (u64::BITS - usize::BITS)) as usize | 1;

#[cfg(loom)]
loom::thread_local! {
    static TABLE: RefCell<Table> = RefCell::new(Table::EMPTY);
}
#[cfg(shuttle)]
shuttle::thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table::EMPTY) };
}
#[cfg(not(any(loom, shuttle)))]
thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table::EMPTY) };
}

/// One slot a hash, and the next who wants it displaces: no search, no order to keep.
struct Table {
    /// Found by name; empty until the first one.
    names: Vec<Named>,
    /// Found by the breaker's own identity; empty until the first one.
    #[cfg(feature = "tower")]
    holds: Vec<Option<Kept>>,
}

#[derive(Default)]
struct Named {
    hash: u64,
    kept: Option<Kept>,
}

/// A handle that stands in a table, and is listed with its breaker.
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
        #[cfg(feature = "tower")]
        holds: Vec::new(),
    };
}

/// The handle of `name` in a registry, if this thread has it and the breaker is still there.
pub(super) fn find(hash: u64, registry: &Shared, name: &str) -> Option<Arc<CircuitBreaker>> {
    let found = TABLE.try_with(|table| find_in(table, hash, registry, name, Tenancy::visit));
    found.ok().flatten()
}

/// The same, unless that takes more than a look: the breaker has to be known as one in use.
///
/// Everything happens inside `try_with`, so that no value computed before has to be saved across it.
#[inline]
pub(super) fn find_at_once(registry: &Shared, name: &str) -> Option<Arc<CircuitBreaker>> {
    let found = TABLE.try_with(|table| {
        let hash = registry.hash(name);
        find_in(table, hash, registry, name, Tenancy::is_visited)
    });
    found.ok().flatten()
}

#[inline]
fn find_in(
    table: &RefCell<Table>,
    hash: u64,
    registry: &Shared,
    name: &str,
    visit: impl FnOnce(&Tenancy) -> bool,
) -> Option<Arc<CircuitBreaker>> {
    let table = table.try_borrow().ok()?;
    let slot = table.names.get(by_hash(hash))?;
    if slot.hash != hash {
        return None;
    }
    let Kept(local) = slot.kept.as_ref()?;
    // Cloned first: a processor does not begin that before it knows all that was asked earlier, and with
    // equal hashes the rest says no next to never. Dropping the clone ends nothing: the slot still holds it.
    let handle = local.clone();
    let circuit = &local.circuit;
    let right = circuit.home.registry == registry.id && same(&circuit.name, name);
    (right && visit(&circuit.tenancy)).then_some(handle)
}

/// As `==`, and without a call for names as short as most are.
#[inline]
fn same(one: &str, other: &str) -> bool {
    #[inline]
    fn ends<const N: usize>(one: &[u8], other: &[u8]) -> bool {
        one.first_chunk::<N>() == other.first_chunk() && one.last_chunk::<N>() == other.last_chunk()
    }
    let (one, other) = (one.as_bytes(), other.as_bytes());
    one.len() == other.len()
        && match one.len() {
            4..8 => ends::<4>(one, other),
            8..=16 => ends::<8>(one, other),
            _ => one == other,
        }
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

/// This thread's own handle of a breaker that somebody holds already.
#[cfg(feature = "tower")]
#[inline]
pub(crate) fn hold(breaker: &CircuitBreaker) -> Held {
    let own = TABLE.try_with(|table| {
        let table = table.try_borrow().ok()?;
        let Kept(local) = table.holds.get(place(&breaker.circuit))?.as_ref()?;
        Arc::ptr_eq(&local.circuit, &breaker.circuit).then(|| local.clone())
    });
    let own = own.ok().flatten();
    own.map_or_else(|| hold_anew(breaker), Held::Shared)
}

/// A place that another live breaker has is left to it: two that share one would displace each other
/// at every call.
#[cfg(feature = "tower")]
#[cold]
#[inline(never)]
fn hold_anew(breaker: &CircuitBreaker) -> Held {
    let free = TABLE.try_with(|table| {
        let Ok(table) = table.try_borrow() else {
            return false;
        };
        let place = table.holds.get(place(&breaker.circuit));
        let stands = place.and_then(Option::as_ref);
        stands.is_none_or(|Kept(local)| {
            Arc::strong_count(local) == 1 && !is_wanted(&local.circuit, 0)
        })
    });
    if !free.unwrap_or(false) {
        return Held::Own(breaker.clone());
    }
    let local = Arc::new(breaker.clone());
    let displaced = put(Some(Kept::new(local.clone())), |table| {
        if table.holds.is_empty() {
            table.holds.resize_with(PLACES, || None);
        }
        table.holds.get_mut(place(&breaker.circuit))
    });
    drop(displaced);
    Held::Shared(local)
}

/// Whether anybody wants the breaker but the caches of the threads and `known` references.
#[cfg(feature = "tower")]
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

/// Where a breaker has its place.
#[cfg(feature = "tower")]
#[inline]
fn place(circuit: &Arc<Circuit>) -> usize {
    let address = Arc::as_ptr(circuit) as usize;
    // What tells one allocation from another are the digits in the middle; the multiplication carries them
    // to the top (Knuth, The Art of Computer Programming, 6.4).
    address.wrapping_mul(GOLDEN) >> (usize::BITS - PLACES.ilog2())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::same;
    use crate::{BreakerExt, BreakerRegistry};

    #[test]
    fn texts_are_the_same_when_every_byte_is() {
        for length in 0..40 {
            let text = "abcdefghij".repeat(4)[..length].to_string();
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &(text.clone() + "x")));
            for at in 0..length {
                let mut other = text.clone();
                other.replace_range(at..=at, "\u{1}");
                assert!(!same(&text, &other), "byte {at} of {length}");
            }
        }
    }

    #[test]
    fn a_thread_that_ends_takes_its_handles_off_the_list() {
        let registry = BreakerRegistry::new();
        let users = registry.breaker("users");
        users.force_open();
        for _ in 0..3 {
            let (registry, users) = (registry.clone(), users.clone());
            let worker = std::thread::spawn(move || {
                drop(users.try_acquire().expect_err("it is open"));
                let call = (|| Ok::<(), ()>(())).with_breaker(&registry, "users");
                drop(call.call().expect_err("it is open"));
                users.circuit.tenancy.listed()
            });
            assert!(worker.join().expect("no panic") > 0);
        }
        assert_eq!(users.circuit.tenancy.listed(), 0);
    }
}
