use crate::breaker::{Circuit, CircuitBreaker};
use crate::refused::{Notice, Refused};
use std::sync::{Arc, Weak};

/// What an error about a breaker says.
///
/// One that waits on a thread's desk to be used again does not keep its breaker: whoever drops the last
/// handle ends it, with its streams and its closures.
pub(crate) struct Slip {
    pub(crate) name: Arc<str>,
    pub(super) circuit: Weak<Circuit>,
    pub(crate) notice: Notice,
    /// Of one without a place on a desk, so that it holds its breaker as well.
    _breaker: Option<CircuitBreaker>,
}

impl Slip {
    pub(super) fn new(breaker: &CircuitBreaker, refused: Refused) -> Self {
        Self {
            name: breaker.circuit.name.clone(),
            circuit: Arc::downgrade(&breaker.circuit),
            notice: Notice::new(refused),
            _breaker: None,
        }
    }

    pub(super) fn placeless(breaker: &CircuitBreaker, refused: Refused) -> Self {
        Self {
            _breaker: Some(breaker.clone()),
            ..Self::new(breaker, refused)
        }
    }

    /// The breaker, while it is there.
    pub(crate) fn circuit(&self) -> Option<Arc<Circuit>> {
        self.circuit.upgrade()
    }
}
