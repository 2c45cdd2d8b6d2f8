//! [`RefusalLink`]: the name of a circuit and a weak reference to it, for refusals.

use crate::state::Generation;
use std::convert::Infallible;
use std::sync::{Arc, Weak};

/// A circuit that refuses calls. A trait, because this module must not import the circuit.
pub(crate) trait RefusingCircuit: Send + Sync {
    /// Returns the last failure, if the generation of the circuit is still `generation`.
    fn last_failure_of(&self, generation: Generation) -> Option<Arc<str>>;

    /// Returns why the state of the circuit began, if its generation is still `generation`.
    fn cause_of(&self, generation: Generation) -> Option<RefusalCause>;
}

/// Why a circuit began to refuse calls, as far as the text of a refusal is concerned.
#[derive(Debug, PartialEq)]
pub(crate) enum RefusalCause {
    /// The consecutive failures, which the refusal has.
    ConsecutiveFailures,
    /// Another cause, in words.
    Other(String),
}

/// The circuit of a refusal by no circuit.
impl RefusingCircuit for Infallible {
    fn last_failure_of(&self, _: Generation) -> Option<Arc<str>> {
        match *self {}
    }

    fn cause_of(&self, _: Generation) -> Option<RefusalCause> {
        match *self {}
    }
}

/// The name of a circuit, and a weak reference to it.
///
/// Aligned to a cache line. The reference counts of the `Arc` around a link therefore never share a cache
/// line with those of another link.
#[repr(align(64))]
pub(crate) struct RefusalLink {
    name: Arc<str>,
    circuit: Weak<dyn RefusingCircuit>,
}

impl RefusalLink {
    pub(crate) fn new(name: Arc<str>, circuit: Weak<dyn RefusingCircuit>) -> Self {
        Self { name, circuit }
    }

    /// Creates a link without a circuit. Its name is empty.
    pub(super) fn without_circuit() -> Self {
        Self::new("".into(), Weak::<Infallible>::new())
    }

    /// Returns whether the link was created [without a circuit](Self::without_circuit).
    pub(super) fn has_no_circuit(&self) -> bool {
        let none: Weak<dyn RefusingCircuit> = Weak::<Infallible>::new();
        self.circuit.ptr_eq(&none)
    }

    /// Returns the name of the circuit, which remains available after the circuit was dropped.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the last failure, if the circuit exists and its generation is still `generation`.
    pub(super) fn last_failure_of(&self, generation: Generation) -> Option<Arc<str>> {
        self.circuit.upgrade()?.last_failure_of(generation)
    }
    /// Returns why the state of the circuit began, if the circuit exists and its generation is still
    /// `generation`.
    pub(super) fn cause_of(&self, generation: Generation) -> Option<RefusalCause> {
        self.circuit.upgrade()?.cause_of(generation)
    }
}
