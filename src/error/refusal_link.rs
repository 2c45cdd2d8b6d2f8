//! The part of a refusal that names its circuit.

use crate::state::Generation;
use std::sync::{Arc, Weak};

/// A circuit that may have a last failure.
pub(crate) trait FailedCircuit: Send + Sync {
    /// The last failure, if the generation of the circuit is still `generation`.
    fn last_failure_of(&self, generation: Generation) -> Option<Arc<str>>;
}

/// The name of a circuit, and a weak reference to it.
///
/// Aligned to a cache line, so that the reference counts of two links, which the `Arc` puts in front,
/// never share one.
#[repr(align(64))]
pub(crate) struct RefusalLink {
    name: Arc<str>,
    circuit: Weak<dyn FailedCircuit>,
}

impl RefusalLink {
    pub(crate) fn new(name: Arc<str>, circuit: Weak<dyn FailedCircuit>) -> Self {
        Self { name, circuit }
    }

    /// The name of the circuit, also after the circuit was dropped.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The last failure, if the circuit exists and its generation is still `generation`.
    pub(super) fn last_failure_of(&self, generation: Generation) -> Option<Arc<str>> {
        self.circuit.upgrade()?.last_failure_of(generation)
    }
}
