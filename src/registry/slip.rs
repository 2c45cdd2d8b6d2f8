use crate::breaker::CircuitBreaker;
use crate::circuit::Circuit;
use crate::refused::{Notice, Refused};
use crate::sync::Ordering;
use crate::sync::plain::AtomicU64;
use std::sync::{Arc, Weak};

/// What an error about a breaker says.
///
/// One that waits on a thread's [desk](super::desk) to be used again does not keep its breaker: whoever
/// drops the last handle ends it, with its streams and its closures.
pub(crate) struct Slip {
    pub(crate) name: Arc<str>,
    circuit: Weak<Circuit>,
    /// Of the circuit. That it is held, if weakly, keeps this from becoming another's.
    address: usize,
    notice: Notice,
    /// Refusals that it told of. Written by the thread of its place alone, so in two steps: an atomic one
    /// would wait for all that the thread has written before. Relaxed: the number publishes nothing. Apart
    /// from the slip, so that who reads it is nobody who refers to that.
    refusals: Arc<AtomicU64>,
    /// Of one without a place on a desk, so that it holds its breaker as well.
    _breaker: Option<CircuitBreaker>,
}

impl Slip {
    pub(super) fn new(breaker: &CircuitBreaker, refused: Refused) -> Self {
        Self {
            name: breaker.circuit.name.clone(),
            circuit: Arc::downgrade(&breaker.circuit),
            address: Arc::as_ptr(&breaker.circuit).addr(),
            notice: Notice::new(refused),
            refusals: Arc::default(),
            _breaker: None,
        }
    }

    pub(super) fn placeless(breaker: &CircuitBreaker, refused: Refused) -> Self {
        Self {
            _breaker: Some(breaker.clone()),
            ..Self::new(breaker, refused)
        }
    }

    /// Says something else. Nobody refers to it, and only the thread of its place comes here.
    #[inline]
    pub(super) fn write(&self, refused: Refused) {
        self.notice.write(refused);
    }

    #[inline]
    pub(crate) fn is_heard(&self) -> bool {
        self.notice.is_heard()
    }

    pub(crate) fn read(&self) -> Refused {
        self.notice.read()
    }

    /// Counts a refusal; as [`write`](Self::write).
    #[inline]
    pub(super) fn count(&self) {
        let refusals = self.refusals.load(Ordering::Relaxed);
        self.refusals.store(refusals + 1, Ordering::Relaxed);
    }

    pub(super) fn refusals(&self) -> &Arc<AtomicU64> {
        &self.refusals
    }

    #[inline]
    pub(super) fn is_about(&self, circuit: &Arc<Circuit>) -> bool {
        self.address == Arc::as_ptr(circuit).addr()
    }

    /// The breaker, while it is there.
    pub(crate) fn circuit(&self) -> Option<Arc<Circuit>> {
        self.circuit.upgrade()
    }
}
