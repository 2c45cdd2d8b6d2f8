use crate::breaker::CircuitBreaker;
use std::ops::Deref;
#[cfg(feature = "tower")]
use std::sync::Arc;

/// A handle that one thread made for itself, so that no other touches its reference count.
#[derive(Debug)]
pub struct Local {
    pub(crate) breaker: CircuitBreaker,
}

impl Local {
    pub(crate) fn new(breaker: CircuitBreaker) -> Self {
        Self { breaker }
    }
}

impl Deref for Local {
    type Target = CircuitBreaker;

    #[inline]
    fn deref(&self) -> &CircuitBreaker {
        &self.breaker
    }
}

/// The thread's own handle where there is one.
#[cfg(feature = "tower")]
#[derive(Clone, Debug)]
pub enum Held {
    Shared(Arc<Local>),
    Own(CircuitBreaker),
}

#[cfg(feature = "tower")]
impl Deref for Held {
    type Target = CircuitBreaker;

    #[inline]
    fn deref(&self) -> &CircuitBreaker {
        match self {
            Self::Shared(local) => local,
            Self::Own(breaker) => breaker,
        }
    }
}
