use crate::breaker::CircuitBreaker;
use crate::registry::{BreakerRegistry, Held, SiteHandle, hold};
use std::sync::Arc;

mod sealed {
    pub trait Sealed {}
}

/// A way to hold a breaker: owned, borrowed, or [by name](ByName).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handle on a circuit breaker",
    label = "pass a `CircuitBreaker` or a `&CircuitBreaker`",
    note = "to guard by name, use `.with_breaker(&registry, \"name\")`"
)]
pub trait Handle: sealed::Sealed {
    #[doc(hidden)]
    fn breaker(&self) -> &CircuitBreaker;

    /// A handle for an error to keep.
    #[doc(hidden)]
    #[inline]
    fn hold(&self) -> Held {
        hold(self.breaker())
    }
}

/// The breaker of a name in a registry, as `with_breaker` holds it.
///
/// All calls of one thread share it, so that threads that call the same dependency do not fight
/// over one reference count.
#[derive(Clone, Debug)]
pub struct ByName(Arc<CircuitBreaker>);

impl ByName {
    #[inline]
    pub(crate) fn new(registry: &BreakerRegistry, name: &str) -> Self {
        Self(registry.by_name(name))
    }
}

impl sealed::Sealed for ByName {}
impl Handle for ByName {
    #[inline]
    fn breaker(&self) -> &CircuitBreaker {
        &self.0
    }

    #[inline]
    fn hold(&self) -> Held {
        Held::Shared(self.0.clone())
    }
}

impl sealed::Sealed for Held {}
impl Handle for Held {
    #[inline]
    fn breaker(&self) -> &CircuitBreaker {
        self
    }

    fn hold(&self) -> Held {
        self.clone()
    }
}

impl sealed::Sealed for CircuitBreaker {}
impl Handle for CircuitBreaker {
    #[inline]
    fn breaker(&self) -> &CircuitBreaker {
        self
    }
}

impl sealed::Sealed for &CircuitBreaker {}
impl Handle for &CircuitBreaker {
    #[inline]
    fn breaker(&self) -> &CircuitBreaker {
        self
    }
}

impl sealed::Sealed for SiteHandle {}
impl Handle for SiteHandle {
    #[inline]
    fn breaker(&self) -> &CircuitBreaker {
        Self::breaker(self)
    }
}
