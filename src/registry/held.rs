use crate::breaker::CircuitBreaker;
use std::ops::Deref;
use std::sync::Arc;

/// The thread's own handle where there is one.
#[derive(Clone, Debug)]
pub enum Held {
    Shared(Arc<CircuitBreaker>),
    Own(CircuitBreaker),
}

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
