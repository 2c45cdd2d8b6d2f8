//! Which breaker guards a request.

use crate::breaker::CircuitBreaker;
use crate::config::Layer;
use crate::handle::ByName;
use crate::registry::BreakerRegistry;
use std::fmt;
use std::sync::Arc;

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::CircuitBreaker {}
    impl<F> Sealed for super::Keyed<F> {}
}

/// How a guarded service comes by its breaker: it has a [`CircuitBreaker`], or finds one by the
/// [key](Keyed) of each request.
#[diagnostic::on_unimplemented(
    message = "the key of this layer is made of another request than `{Request}`",
    note = "the key function must be `Fn(&{Request}) -> K`, where `K: AsRef<str>` is owned"
)]
pub trait Choose<Request>: sealed::Sealed {
    /// The breaker, where no request is needed to tell.
    #[doc(hidden)]
    fn chosen(&self) -> Option<&CircuitBreaker>;
    /// A handle for response futures to keep. The service keeps it where the breaker is `chosen`.
    #[doc(hidden)]
    fn choose(&self, request: &Request) -> ByName;
}

impl<Request> Choose<Request> for CircuitBreaker {
    #[inline]
    fn chosen(&self) -> Option<&CircuitBreaker> {
        Some(self)
    }

    fn choose(&self, _: &Request) -> ByName {
        ByName(Arc::new(self.clone()))
    }
}

/// One breaker a key; made by [`BreakerLayer::keyed`](super::BreakerLayer::keyed).
#[derive(Clone)]
pub struct Keyed<F> {
    registry: BreakerRegistry,
    key: F,
    layer: Option<Arc<Layer>>,
}

impl<F> Keyed<F> {
    pub(super) fn new(registry: &BreakerRegistry, key: F) -> Self {
        Self {
            registry: registry.clone(),
            key,
            layer: None,
        }
    }

    pub(super) fn with_layer(mut self, layer: Layer) -> Self {
        self.layer = Some(Arc::new(layer));
        self
    }
}

impl<Request, F, K> Choose<Request> for Keyed<F>
where
    F: Fn(&Request) -> K,
    K: AsRef<str>,
{
    fn chosen(&self) -> Option<&CircuitBreaker> {
        None
    }

    fn choose(&self, request: &Request) -> ByName {
        let key = (self.key)(request);
        let layer = self.layer.as_deref();
        ByName(self.registry.get_or_create_handle_with(key.as_ref(), layer))
    }
}

impl<F> fmt::Debug for Keyed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("has_preset", &self.layer.is_some())
            .finish_non_exhaustive()
    }
}
