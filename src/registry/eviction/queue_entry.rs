//! [`QueueEntry`]: a breaker in an eviction queue, and its classification.

use crate::circuit::Circuit;
use crate::clock::Moment;
use crate::registry::breaker_map::BreakerMap;
use crate::state::{PackedState, State};
use std::sync::{Arc, Weak};

/// A breaker in an eviction queue. Weak, so that a queue does not keep a removed breaker alive.
#[derive(Debug)]
pub(super) struct QueueEntry {
    pub(super) circuit: Weak<Circuit>,
    /// When a scan last found the breaker used.
    pub(super) last_used: Moment,
    /// The state word for which [`Candidate::reclassify`] found the breaker unprotected; zero for none. A
    /// deadline that has passed moves only with the word.
    unprotected_word: u64,
}

/// How much would be lost if a breaker were evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Closed, without failures.
    Clean,
    /// With failures, or open with no time left to wait.
    Failing,
    /// Not to be evicted.
    Protected,
}

/// A protected breaker that was taken out of its queue, to be classified again.
pub(in crate::registry) struct Candidate {
    pub(super) entry: QueueEntry,
    pub(super) class: Class,
}

impl QueueEntry {
    pub(super) fn new(circuit: Weak<Circuit>, now: Moment) -> Self {
        Self {
            circuit,
            last_used: now,
            unprotected_word: 0,
        }
    }

    /// Classifies by the state word alone, without a clock. An open circuit counts as protected until
    /// [`Candidate::reclassify`] finds that its deadline has passed.
    pub(super) fn class(&self, circuit: &Circuit) -> Class {
        let word = circuit.word();
        match word.state() {
            State::Closed => class_by_failures(word, circuit),
            State::HalfOpen if word.trials().in_flight == 0 => Class::Failing,
            State::Open if word.bits() == self.unprotected_word => Class::Failing,
            State::Disabled | State::MetricsOnly if word.bits() == self.unprotected_word => {
                class_by_failures(word, circuit)
            }
            _ => Class::Protected,
        }
    }
}

fn class_by_failures(word: PackedState, circuit: &Circuit) -> Class {
    // The word may have missed a success since the last failure.
    if word.failures() == 0 || circuit.failure_count() == 0 {
        Class::Clean
    } else {
        Class::Failing
    }
}

impl Candidate {
    /// Classifies with the clock of the breaker, outside every lock. Returns `None` for a breaker that
    /// belongs in no queue any more.
    pub(in crate::registry) fn reclassify(
        mut self,
        breakers: &BreakerMap,
        now: Moment,
    ) -> Option<Self> {
        let circuit = self.entry.circuit.upgrade()?;
        if circuit.entry.is_removed() || !circuit.entry.is_evictable() {
            return None;
        }
        if breakers.is_held(&circuit) {
            self.entry.last_used = now;
            self.class = Class::Protected;
            return Some(self);
        }
        // Read before the state: if the word changes in between, it does not match later.
        let word = circuit.word();
        let unprotected = is_unprotected(&circuit, word.state());
        self.entry.unprotected_word = if unprotected { word.bits() } else { 0 };
        self.class = self.entry.class(&circuit);
        Some(self)
    }
}

/// Whether a circuit, found in `state`, has no time left to wait and no command to remember.
fn is_unprotected(circuit: &Arc<Circuit>, state: State) -> bool {
    match state {
        State::Open => circuit.state() == State::HalfOpen,
        // If the state comes from the settings, a new breaker has it as well. A state set by a command
        // would be lost.
        State::Disabled | State::MetricsOnly => {
            circuit.config.load_full().mode().initial_state() == state
        }
        _ => false,
    }
}
