//! [`Candidate`]: a breaker in a sample, and its classification.

use crate::circuit::Circuit;
use crate::state::{PackedState, State};
use std::sync::{Arc, Weak};

/// A position in the eviction pool, and what the clock says about the breaker there.
pub(in crate::registry) struct Candidate {
    pub(super) position: usize,
    /// The circuit at the position, if its state word does not say whether it is protected.
    undecided: Weak<Circuit>,
    /// The word for which the circuit is not protected; zero for none. A deadline that has passed moves only
    /// with the word.
    unprotected_word: u64,
}

/// How much would be lost if a breaker were evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Closed, without failures.
    Clean,
    /// With failures, or open with no time left to wait.
    Failing,
    /// Not to be evicted.
    Protected,
}

impl Candidate {
    pub(super) fn new(position: usize, circuit: &Arc<Circuit>) -> Self {
        let undecided = match circuit.word().state() {
            State::Open | State::Disabled | State::MetricsOnly => Arc::downgrade(circuit),
            _ => Weak::new(),
        };
        Self {
            position,
            undecided,
            unprotected_word: 0,
        }
    }

    /// Finds out whether an undecided circuit is protected. Runs outside every lock, because it reads the
    /// clock of the circuit, and because its reference may become the last one.
    pub(in crate::registry) fn decide(&mut self) {
        let Some(circuit) = self.undecided.upgrade() else {
            return;
        };
        // Read before the state: if the word changes in between, it does not match later.
        let word = circuit.word();
        let unprotected = match word.state() {
            State::Open => circuit.state() == State::HalfOpen,
            // If the state comes from the settings, a new breaker has it as well. A state set by a command
            // would be lost.
            State::Disabled | State::MetricsOnly => {
                circuit.config.load_full().mode().initial_state() == word.state()
            }
            _ => false,
        };
        if unprotected {
            self.unprotected_word = word.bits();
        }
    }

    /// Returns the word for which `circuit` is not protected, or zero. Another circuit may be at the position
    /// by now.
    pub(super) fn unprotected_word(&self, circuit: &Arc<Circuit>) -> u64 {
        if self.undecided.as_ptr() == Arc::as_ptr(circuit) {
            self.unprotected_word
        } else {
            0
        }
    }
}

/// Classifies by the state word, without a clock.
pub(super) fn classify(circuit: &Circuit, unprotected_word: u64) -> Class {
    let word = circuit.word();
    match word.state() {
        State::Closed => class_by_failures(word, circuit),
        State::HalfOpen if word.trials().in_flight == 0 => Class::Failing,
        State::Open if word.bits() == unprotected_word => Class::Failing,
        State::Disabled | State::MetricsOnly if word.bits() == unprotected_word => {
            class_by_failures(word, circuit)
        }
        _ => Class::Protected,
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
