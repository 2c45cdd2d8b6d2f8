//! [`Readiness`]: whether a guarded service is ready while its circuit refuses calls.

use std::task::{Context, Poll};

/// Seals the types that select the breaker of a service.
pub(super) mod sealed {
    pub trait Sealed {}
}

/// The readiness of a guarded service `S` while its circuit refuses calls.
///
/// A service is ready, and refuses the next call. With
/// [`pending_while_open`](super::BreakerLayer::pending_while_open), the service is not ready.
pub trait Readiness<S>: sealed::Sealed {
    /// Polls the circuit, which refuses calls if `is_refusing` is set, before `inner` is polled.
    ///
    /// Ready with `true` if the service is ready in order to refuse the next call, and with `false`
    /// if `inner` is to be polled.
    #[doc(hidden)]
    fn poll_circuit(
        &mut self,
        is_refusing: bool,
        inner: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<bool>;

    /// Gives back what a ready `inner` has reserved, after its circuit refused a call. Returns
    /// `false` if `inner` is still ready.
    #[doc(hidden)]
    fn release(&mut self, inner: &mut S) -> bool;
}
