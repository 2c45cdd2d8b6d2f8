//! [`Watch`]: reads the breakers of a registry for a page that stays open all day.
//!
//! Hidden, because only `breakerbox-panel` needs it. No method creates a breaker, or counts as a use
//! of one, so idle breakers are evicted as they are without the page.
//!
//! # Cost
//!
//! A healthy or refused call costs the same while its breaker is read. [`Watched::reading`] waits
//! for no lock. It holds the lock of the circuit only while it reads the counters, if no other
//! thread has it.

use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::registry::{BreakerRegistry, Inner};
use crate::snapshot::{Snapshot, Totals};
use crate::state::State;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A weak reference to a registry.
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
/// use breakerbox::watch::Watch;
///
/// let registry = BreakerRegistry::new();
/// let watch = Watch::new(&registry);
/// registry.breaker("users-api").trip();
/// let users = watch.find("users-api").unwrap();
/// assert_eq!(users.reading().unwrap().state, State::Open);
///
/// drop(registry);
/// assert!(watch.find("users-api").is_none() && users.reading().is_none());
/// ```
#[derive(Clone)]
pub struct Watch(Weak<Inner>);

/// A weak reference to a breaker of a registry.
#[derive(Clone)]
pub struct Watched {
    name: Arc<str>,
    circuit: Weak<Circuit>,
}

/// The state and the totals of a breaker, read without waiting for a lock.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// The state of the circuit.
    pub state: State,
    /// The time until an open circuit becomes half-open.
    pub open_remaining: Option<Duration>,
    /// Changes with each transition and each reset.
    pub generation: u32,
    /// The totals, or `None` if another thread held the lock of the circuit.
    pub totals: Option<Totals>,
}

// The shared state is consistent whenever a lock is released. The compiler cannot derive this,
// because the state contains closures.
impl UnwindSafe for Watch {}
impl RefUnwindSafe for Watch {}
impl UnwindSafe for Watched {}
impl RefUnwindSafe for Watched {}

impl Watch {
    /// Creates a weak reference to `registry`.
    pub fn new(registry: &BreakerRegistry) -> Self {
        Self(Arc::downgrade(registry.inner()))
    }

    /// Returns the registry, or `None` if it was dropped.
    pub fn registry(&self) -> Option<BreakerRegistry> {
        self.0.upgrade().map(BreakerRegistry::of_inner)
    }

    /// Returns all breakers, in no particular order.
    pub fn all(&self) -> Vec<Watched> {
        let registry = self.0.upgrade();
        registry.map_or_else(Vec::new, |registry| registry.collect(Watched::new))
    }

    /// Returns the breaker called `name`.
    pub fn find(&self, name: &str) -> Option<Watched> {
        let circuit = self.0.upgrade()?.circuit(name)?;
        Some(Watched::new(&circuit))
    }
}

impl Watched {
    fn new(circuit: &Arc<Circuit>) -> Self {
        Self {
            name: circuit.name.clone(),
            circuit: Arc::downgrade(circuit),
        }
    }

    /// Returns the name of the breaker.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns `true` if both refer to the same breaker. A removed breaker is not the same as its
    /// successor of the same name.
    pub fn is_same(&self, other: &Self) -> bool {
        self.circuit.ptr_eq(&other.circuit)
    }

    /// Reads the state and the totals, without waiting for a lock. Returns `None` if the breaker was
    /// dropped.
    ///
    /// Reads the clock of an open breaker, which may be user code.
    pub fn reading(&self) -> Option<Reading> {
        let circuit = self.circuit.upgrade()?;
        Some(Reading {
            state: circuit.state(),
            open_remaining: circuit.open_remaining(),
            generation: circuit.word().generation().number(),
            totals: circuit.try_totals(),
        })
    }

    /// Returns a snapshot, or `None` if the breaker was dropped.
    pub fn snapshot(&self) -> Option<Snapshot> {
        Some(self.circuit.upgrade()?.snapshot())
    }

    /// Returns a handle, which prevents an eviction, or `None` if the breaker was dropped.
    pub fn breaker(&self) -> Option<CircuitBreaker> {
        let circuit = self.circuit.upgrade()?;
        Some(CircuitBreaker { circuit })
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.name).finish()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::rules::{TripRule, Window};

    #[test]
    fn reading_leaves_healthy_call_on_its_path() {
        let registry = BreakerRegistry::new();
        let windowed = CircuitBreaker::builder()
            .trip_when(TripRule::failure_rate(0.5).over(Window::calls(1_000)));
        registry.register("windowed", windowed).expect("valid");
        let watch = Watch::new(&registry);
        let _changes = registry.subscribe_changes();
        for name in ["plain", "windowed"] {
            let breaker = registry.breaker(name);
            let succeeds = || breaker.call(|| Ok::<_, ()>(())).expect("a closed circuit");
            succeeds();
            succeeds();
            let word = breaker.circuit.word();
            let watched = watch.find(name).expect("a breaker");
            let reading = watched.reading().expect("a breaker");
            assert_eq!(breaker.circuit.word(), word, "{name}");
            let totals = reading.totals.expect("no other thread");
            assert_eq!(totals, breaker.snapshot().totals);
            assert_eq!(totals.success, Some(2));
            succeeds();
            assert_eq!(breaker.circuit.word(), word, "{name}");
        }
    }

    #[test]
    fn reading_waits_for_no_lock() {
        let registry = BreakerRegistry::new();
        registry.breaker("users").trip();
        let watched = Watch::new(&registry).find("users").expect("a breaker");
        let circuit = watched.circuit.upgrade().expect("a breaker");
        let locked = circuit.with_lock(|| watched.reading().expect("a breaker"));
        assert_eq!((locked.state, locked.totals), (State::Open, None));
        assert!(locked.open_remaining.is_some());
        assert!(watched.reading().expect("a breaker").totals.is_some());
    }
}
