//! [`Handle`]: the ways to hold a breaker.

use crate::breaker::CircuitBreaker;
use crate::registry::{BreakerRegistry, SiteHandle};
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
}

/// The breaker of a name in a registry, as `with_breaker` holds it.
///
/// Calls of one thread share its reference count, and threads that run at the same time do not: they
/// do not contend for it.
#[derive(Clone, Debug)]
pub struct ByName(pub(crate) Arc<CircuitBreaker>);

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
