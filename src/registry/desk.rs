//! The desks of the threads: where what an error says lies ready to be used again.
//!
//! A refusal is what nearly every call of an outage ends in, so an error about one allocates nothing
//! while a thread holds one of a breaker at a time. Each thread has a slip for each of a few breakers,
//! which is written anew once no error refers to it. It counts the refusals that it told of as well.
//!
//! 1. Nothing is dropped while a desk is borrowed: a breaker may be the last to hold a user's closure,
//!    whose `Drop` may come back here.
//! 2. A desk keeps no breaker: an error that was dropped must not hold up the end of its breaker.
//! 3. A slip on a desk is listed with its breaker, and taken off that list when it leaves: [`Place`] sees
//!    to it.

use super::Slip;
use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::refused::Refused;
use std::cell::RefCell;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// A power of two.
const PLACES: usize = 64;

/// The golden ratio's part of all addresses.
#[allow(clippy::cast_possible_truncation)] // where addresses are shorter, so is this
const GOLDEN: usize = (0x9e37_79b9_7f4a_7c15_u64 >> (u64::BITS - usize::BITS)) as usize | 1;

/// One place a breaker, and no search: of two that share one, the first keeps it while it is wanted.
type Desk = [Option<Place>; PLACES];

const EMPTY: Desk = [const { None }; PLACES];

#[cfg(loom)]
loom::thread_local! {
    static DESK: RefCell<Desk> = RefCell::new(EMPTY);
}
#[cfg(shuttle)]
shuttle::thread_local! {
    static DESK: RefCell<Desk> = const { RefCell::new(EMPTY) };
}
#[cfg(not(any(loom, shuttle)))]
thread_local! {
    static DESK: RefCell<Desk> = const { RefCell::new(EMPTY) };
}

struct Place(Arc<Slip>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(circuit) = self.0.circuit() {
            circuit.tenancy.withdraw(&self.0);
        }
    }
}

/// What an error about `breaker` refers to: this thread's own slip, unless an earlier error still does.
pub(crate) fn notify(breaker: &CircuitBreaker, refused: Refused) -> Arc<Slip> {
    let own = DESK.try_with(|desk| own_slip(desk, breaker, refused, |_| {}));
    let own = own.ok().flatten();
    own.unwrap_or_else(|| notify_elsewhere(breaker, refused))
}

/// The same for what `refused` tells, if it does, and only where that is this thread's own slip; the refusal
/// has been counted then.
///
/// `refused` is asked inside: a thread's own things are found by what the compiler takes for a call, and what
/// had been found out before would have to be saved from it.
#[inline]
pub(crate) fn notify_at_hand(
    breaker: &CircuitBreaker,
    refused: impl FnOnce() -> Option<Refused>,
) -> Option<Arc<Slip>> {
    let own = DESK.try_with(|desk| own_slip(desk, breaker, refused()?, Slip::count));
    own.ok().flatten()
}

#[inline]
fn own_slip(
    desk: &RefCell<Desk>,
    breaker: &CircuitBreaker,
    refused: Refused,
    then: impl FnOnce(&Slip),
) -> Option<Arc<Slip>> {
    let desk = desk.try_borrow().ok()?;
    let Place(slip) = desk[place(&breaker.circuit)].as_ref()?;
    if !slip.is_about(&breaker.circuit) || Arc::strong_count(slip) > 1 {
        return None;
    }
    // Whoever had the last reference has read what it wanted.
    fence(Ordering::Acquire);
    slip.write(refused);
    then(slip);
    Some(slip.clone())
}

/// Where a breaker has its place.
#[inline]
fn place(circuit: &Arc<Circuit>) -> usize {
    let address = Arc::as_ptr(circuit) as usize;
    // What tells one allocation from another are the digits in the middle; the multiplication carries them
    // to the top (Knuth, The Art of Computer Programming, 6.4).
    address.wrapping_mul(GOLDEN) >> (usize::BITS - PLACES.ilog2())
}

/// Whether anybody wants the breaker but `known` references.
fn is_wanted(circuit: &Arc<Circuit>, known: usize) -> bool {
    !circuit.tenancy.is_gone() && circuit.tenancy.is_held(circuit, known)
}

/// Makes a slip, for this thread's desk if there is room.
#[cold]
#[inline(never)]
fn notify_elsewhere(breaker: &CircuitBreaker, refused: Refused) -> Arc<Slip> {
    if !is_free(breaker) {
        return Arc::new(Slip::placeless(breaker, refused));
    }
    let slip = Arc::new(Slip::new(breaker, refused));
    breaker.circuit.tenancy.post(&slip);
    let mut new = Some(Place(slip.clone()));
    let old = DESK.try_with(|desk| {
        let mut desk = desk.try_borrow_mut().ok()?;
        Some(mem::replace(&mut desk[place(&breaker.circuit)], new.take()))
    });
    drop((old, new));
    slip
}

/// Whether a breaker may have its place: nothing lies there, or what nobody wants.
fn is_free(breaker: &CircuitBreaker) -> bool {
    // Perhaps by now the last reference: dropped once the desk is free again.
    let mut stood = None;
    let free = DESK.try_with(|desk| {
        let Ok(desk) = desk.try_borrow() else {
            return false;
        };
        let Some(Place(slip)) = &desk[place(&breaker.circuit)] else {
            return true;
        };
        stood = slip.circuit();
        let wanted = stood.as_ref().is_some_and(|circuit| is_wanted(circuit, 1));
        Arc::strong_count(slip) == 1 && !wanted
    });
    drop(stood);
    free.unwrap_or(false)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{BreakerRegistry, CircuitOpen};
    use std::thread;

    fn refuse(breaker: &CircuitBreaker) -> CircuitOpen {
        breaker.try_acquire().expect_err("it is open")
    }

    fn refused(breaker: &CircuitBreaker) -> u64 {
        breaker.snapshot().totals.refused
    }

    fn open() -> CircuitBreaker {
        let breaker = BreakerRegistry::new().breaker("users");
        breaker.trip();
        breaker
    }

    #[test]
    fn every_refusal_is_counted_wherever_its_error_goes() {
        let users = open();
        let mut held = Vec::new();
        for n in 1..=10_u64 {
            drop(refuse(&users));
            held.push(refuse(&users));
            assert_eq!(refused(&users), 2 * n);
        }
        let there = users.clone();
        let worker = thread::spawn(move || {
            drop(held);
            let last = refuse(&there).clone();
            assert_eq!(refused(&there), 21);
            last
        });
        let last = worker.join().expect("no panic");
        // The thread and its desk are gone, its error is here.
        assert_eq!(refused(&users), 21);
        drop(last);
        drop(refuse(&users));
        assert_eq!(refused(&users), 22);
    }

    #[test]
    fn one_slip_serves_a_thread_that_holds_one_error_at_a_time() {
        let users = open();
        let first = refuse(&users);
        let said = first.clone();
        let second = refuse(&users);
        assert_eq!(
            (first.reason(), second.reason()),
            (said.reason(), said.reason())
        );
        drop((first, said, second));
        for _ in 0..100 {
            drop(refuse(&users));
        }
        assert_eq!(users.circuit.tenancy.listed(), 1);
        assert_eq!(refused(&users), 102);
    }

    #[test]
    fn of_many_breakers_none_loses_a_count_when_places_are_short() {
        let registry = BreakerRegistry::new();
        let breakers: Vec<_> = (0..4 * PLACES)
            .map(|n| registry.breaker(format!("tenant:{n}")))
            .collect();
        for breaker in &breakers {
            breaker.trip();
        }
        for round in 1..=3 {
            for breaker in &breakers {
                drop(refuse(breaker));
                assert_eq!(refused(breaker), round);
            }
        }
        // Those that nobody wants any more leave their places to others.
        drop(breakers);
        let users = registry.breaker("users");
        users.trip();
        drop(refuse(&users));
        assert_eq!(refused(&users), 1);
    }
}
