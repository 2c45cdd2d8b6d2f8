//! [`Candidate`]: a breaker in a sample, and its classification for eviction.

use crate::circuit::Circuit;
use crate::state::{PackedState, State};
use std::sync::{Arc, Weak};

/// A position in the eviction pool, and a decision about the breaker at this position.
pub(in crate::registry) struct Candidate {
    pub(super) position: usize,
    /// The circuit at the position, if its packed state does not determine whether it is protected.
    undecided: Weak<Circuit>,
    /// The packed state with which the circuit is not protected, or zero. A deadline that has passed cannot
    /// change without the packed state, so the decision holds while this value does.
    unprotected_word: u64,
}

/// The importance of the state that an eviction would lose, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Closed, without failures.
    Clean,
    /// Closed with failures, half-open, or open past its deadline.
    Failing,
    /// Never evicted.
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

    /// Decides whether an undecided circuit is protected.
    ///
    /// Must be called outside every lock: it reads the clock of the circuit, and its reference may be the
    /// last one when it is dropped.
    pub(in crate::registry) fn decide(&mut self) {
        let Some(circuit) = self.undecided.upgrade() else {
            return;
        };
        // Read before the state: if the word changes in between, `unprotected_word` no longer matches it.
        let word = circuit.word();
        let unprotected = match word.state() {
            State::Open => circuit.state() == State::HalfOpen,
            // A new breaker starts in this state again if it comes from the settings. A state that was set
            // by a command would be lost.
            State::Disabled | State::MetricsOnly => {
                circuit.config.load_full().mode().initial_state() == word.state()
            }
            _ => false,
        };
        if unprotected {
            self.unprotected_word = word.bits();
        }
    }

    /// Returns the packed state with which `circuit` is not protected, or zero. Compares the circuits, because
    /// another circuit may have moved to the position.
    pub(super) fn unprotected_word(&self, circuit: &Arc<Circuit>) -> u64 {
        if self.undecided.as_ptr() == Arc::as_ptr(circuit) {
            self.unprotected_word
        } else {
            0
        }
    }
}

/// Classifies a circuit by its packed state, without a clock.
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
    // `failure_count` flushes the success buffer, because a buffered success may have ended the failures. It
    // locks the circuit under the lock of the pool, as the lock order of `Inner` permits.
    if word.failures() == 0 || circuit.failure_count() == 0 {
        Class::Clean
    } else {
        Class::Failing
    }
}
