//! [`Choose`]: selects the breaker that guards a request.

use super::readiness::{Readiness, sealed::Sealed};
use crate::breaker::CircuitBreaker;
use crate::config::Layer;
use crate::handle::ByName;
use crate::registry::BreakerRegistry;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Selects the breaker that guards a request.
///
/// [`Single`](super::Single) and [`PendingWhileOpen`](super::PendingWhileOpen) guard all requests with
/// one breaker. [`Keyed`] finds a breaker by the key of each request.
#[diagnostic::on_unimplemented(
    message = "the key function of this layer does not accept `{Request}`",
    note = "the key function must be `Fn(&{Request}) -> K`, where `K` is an owned type that implements `AsRef<str>`"
)]
pub trait Choose<Request>: Sealed {
    /// Returns the breaker if it does not depend on the request.
    #[doc(hidden)]
    fn chosen(&self) -> Option<&CircuitBreaker>;
    /// Returns a handle for the response future of `request`.
    #[doc(hidden)]
    fn handle(&mut self, request: &Request) -> ByName;
}

/// One breaker per key, as created by [`BreakerLayer::keyed`](super::BreakerLayer::keyed).
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

impl<F> Sealed for Keyed<F> {}

impl<Request, F, K> Choose<Request> for Keyed<F>
where
    F: Fn(&Request) -> K,
    K: AsRef<str>,
{
    fn chosen(&self) -> Option<&CircuitBreaker> {
        None
    }

    fn handle(&mut self, request: &Request) -> ByName {
        let key = (self.key)(request);
        let layer = self.layer.as_deref();
        ByName(self.registry.get_or_create_handle_with(key.as_ref(), layer))
    }
}

/// The breaker is not known before the request is.
impl<S, F> Readiness<S> for Keyed<F> {
    #[inline]
    fn poll_circuit(&mut self, _: bool, _: &mut S, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(false)
    }

    #[inline]
    fn release(&mut self, _: &mut S) -> bool {
        false
    }
}

impl<F> fmt::Debug for Keyed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("has_preset", &self.layer.is_some())
            .finish_non_exhaustive()
    }
}
