//! One breaker in a queue, and how much it is worth.

use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::clock::Moment;
use crate::registry::handle_table::HandleTables;
use crate::state::{PackedState, State};
use std::sync::Weak;

/// A breaker in a queue. Weak, so that a breaker that was removed does not live on in here.
#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) circuit: Weak<Circuit>,
    /// When it was last seen in use.
    pub(super) seen: Moment,
    /// The word with which it was found to have no time left to wait; zero for none. A deadline
    /// that has passed never moves without the word.
    pub(super) cleared: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Clean,
    Failing,
    Protected,
}

/// A protected breaker on its way to be judged, out of its queue.
pub(in crate::registry) struct Suspect(pub(super) Tenant, pub(super) Class);

impl Tenant {
    /// By the word alone, without a clock: an open circuit counts as protected until a
    /// [judge](Suspect::judge) found that its time has come.
    pub(super) fn class(&self, circuit: &Circuit) -> Class {
        let word = circuit.word();
        match word.state() {
            State::Closed => by_failures(word, circuit),
            State::HalfOpen if word.trials().in_flight == 0 => Class::Failing,
            State::Open if word.bits() == self.cleared => Class::Failing,
            State::Disabled | State::MetricsOnly if word.bits() == self.cleared => {
                by_failures(word, circuit)
            }
            _ => Class::Protected,
        }
    }
}

fn by_failures(word: PackedState, circuit: &Circuit) -> Class {
    // The word may not know of a success since the last failure.
    if word.failures() == 0 || circuit.failure_count() == 0 {
        Class::Clean
    } else {
        Class::Failing
    }
}

impl Suspect {
    /// Judges a protected breaker, with its clock. `None` for one that stands in no queue any more.
    pub(in crate::registry) fn judge(self, handles: &HandleTables, now: Moment) -> Option<Self> {
        let Self(mut tenant, _) = self;
        let circuit = tenant.circuit.upgrade()?;
        if circuit.entry.is_removed() || !circuit.entry.is_evictable() {
            return None;
        }
        if handles.is_held(&circuit, 2) {
            tenant.seen = now;
            return Some(Self(tenant, Class::Protected));
        }
        let word = circuit.word();
        let may_go = match word.state() {
            State::Open => circuit.state() == State::HalfOpen,
            // Where its settings put it; somebody's command would be forgotten.
            state @ (State::Disabled | State::MetricsOnly) => {
                let breaker = CircuitBreaker {
                    circuit: circuit.clone(),
                };
                breaker.config().mode().initial_state() == state
            }
            _ => false,
        };
        // The word read first: had it moved while the state was asked, it fits no longer.
        tenant.cleared = if may_go { word.bits() } else { 0 };
        let class = tenant.class(&circuit);
        Some(Self(tenant, class))
    }
}
