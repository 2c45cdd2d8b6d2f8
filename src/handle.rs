//! [`Handle`]: the kinds of references to a breaker that guards accept.

use crate::breaker::CircuitBreaker;
use crate::registry::{BreakerRegistry, SiteHandle};
use std::sync::Arc;

mod sealed {
    pub trait Sealed {}
}

/// A handle of a breaker: owned, borrowed, or looked up [by name](ByName).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handle to a circuit breaker",
    label = "pass a `CircuitBreaker` or a `&CircuitBreaker`",
    note = "to guard by name, use `.with_breaker(&registry, \"name\")`"
)]
pub trait Handle: sealed::Sealed {
    #[doc(hidden)]
    fn breaker(&self) -> &CircuitBreaker;
}

/// A handle that `with_breaker` found by name in a registry.
///
/// Handles on one thread share a reference count. Threads that run at the same time use different
/// counts, so their calls do not contend.
#[derive(Clone, Debug)]
pub struct ByName(pub(crate) Arc<CircuitBreaker>);

impl ByName {
    #[inline]
    pub(crate) fn new(registry: &BreakerRegistry, name: &str) -> Self {
        Self(registry.get_or_create_handle(name))
    }
}

impl sealed::Sealed for ByName {}
impl Handle for ByName {
    #[inline]
    fn breaker(&self) -> &CircuitBreaker {
        &self.0
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
