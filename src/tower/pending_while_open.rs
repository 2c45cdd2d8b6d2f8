//! [`PendingWhileOpen`]: services that are not ready while their circuit refuses calls.

use super::readiness::{Readiness, sealed::Sealed};
use super::{BreakerLayer, Choose, Single};
use crate::breaker::CircuitBreaker;
use crate::handle::{ByName, Handle};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

/// One breaker for all requests of a service that is not ready while the circuit refuses calls, as
/// set by [`BreakerLayer::pending_while_open`].
pub struct PendingWhileOpen {
    single: Single,
    /// Completes when the circuit would admit a call. Exists only while the service waits for that.
    wait: Option<AssertUnwindSafe<Wait>>,
}

/// An owned [`CircuitBreaker::ready`].
type Wait = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

impl<J, A, U> BreakerLayer<Single, J, A, U> {
    /// Makes the service pending, instead of ready, while its circuit refuses calls. Default: the
    /// service is ready, and its calls are refused.
    ///
    /// Use it for the endpoints of a load balancer. A balancer prefers endpoints that are ready and
    /// respond quickly, which an endpoint that only refuses calls does. With this method, an open
    /// endpoint gets no calls, and a half-open endpoint gets its trials only.
    ///
    /// The service is ready when its circuit would admit a call, as with
    /// [`ready`](CircuitBreaker::ready): in a closed circuit, also while it is ramping up, and in a
    /// half-open circuit with a free slot. The recovery timeout, the end of a trial, commands and
    /// new settings wake the waiting task. The service takes no slot before it is called.
    ///
    /// While the service is pending, it holds no reservation of the inner service, such as a permit
    /// of a `ConcurrencyLimit`. To give a reservation back, the service replaces the inner service
    /// by a clone, which must not inherit it. tower requires this of every service.
    ///
    /// A circuit may open, or another service may take the last slot, between `poll_ready` and
    /// `call`. The call is then refused as usual, the reservation is given back, and the service
    /// must be polled ready again. tower's `Balance` polls a service again directly before each
    /// call.
    ///
    /// While all endpoints are open, callers wait. Add a timeout or `LoadShed` outside the balancer
    /// to limit that.
    ///
    /// This method is not available for [keyed](Self::keyed) layers, which do not know the breaker
    /// before they receive a request.
    ///
    /// # Panics
    ///
    /// `poll_ready` panics while the circuit refuses calls if it is called outside a tokio runtime
    /// with time enabled.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{prelude::*, tower::BreakerLayer};
    /// use std::future::{ready, poll_fn};
    /// use std::time::Duration;
    /// use tower::{Layer, Service, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let breaker = CircuitBreaker::builder().recovery_timeout(Duration::from_secs(30)).build()?;
    /// let double = service_fn(|number: u32| ready(Ok::<_, std::io::Error>(2 * number)));
    /// let mut double = BreakerLayer::new(breaker.clone()).pending_while_open().layer(double);
    ///
    /// breaker.trip();
    /// let poll = poll_fn(|cx| std::task::Poll::Ready(double.poll_ready(cx).is_pending()));
    /// assert!(poll.await);
    /// // Waits for 30 seconds, and is the trial that closes the circuit.
    /// assert_eq!(double.ready().await?.call(21).await?, 42);
    /// assert_eq!(breaker.state(), State::Closed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pending_while_open(self) -> BreakerLayer<PendingWhileOpen, J, A, U> {
        self.with_choice(PendingWhileOpen::new)
    }
}

impl PendingWhileOpen {
    fn new(single: Single) -> Self {
        Self { single, wait: None }
    }

    #[cold]
    #[inline(never)]
    fn poll_wait<S: Clone>(&mut self, inner: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        // Taken, so that a `poll` that panics is not repeated.
        let mut wait = self.wait.take().unwrap_or_else(|| {
            // `inner` may have been polled. From here on it is polled only after the wait.
            renew(inner);
            let handle = self.single.handle();
            let ready = async move { handle.breaker().ready().await };
            AssertUnwindSafe(Box::pin(ready) as Wait)
        });
        let polled = wait.as_mut().poll(cx);
        if polled.is_pending() {
            self.wait = Some(wait);
        }
        polled
    }
}

/// Gives back what `service` has reserved. A service has no other method for this.
fn renew<S: Clone>(service: &mut S) {
    *service = service.clone();
}

impl Sealed for PendingWhileOpen {}

impl<Request> Choose<Request> for PendingWhileOpen {
    #[inline]
    fn chosen(&self) -> Option<&CircuitBreaker> {
        Some(self.single.breaker())
    }

    #[inline]
    fn handle(&mut self, _: &Request) -> ByName {
        self.single.handle()
    }
}

/// A service is pending while its circuit refuses calls.
impl<S: Clone> Readiness<S> for PendingWhileOpen {
    #[inline]
    fn poll_circuit(
        &mut self,
        is_refusing: bool,
        inner: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        if is_refusing {
            return self.poll_wait(inner, cx).map(|()| false);
        }
        self.wait = None;
        Poll::Ready(false)
    }

    fn release(&mut self, inner: &mut S) -> bool {
        renew(inner);
        true
    }
}

/// A clone does not wait yet.
impl Clone for PendingWhileOpen {
    #[inline]
    fn clone(&self) -> Self {
        Self::new(self.single.clone())
    }
}

impl fmt::Debug for PendingWhileOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingWhileOpen")
            .field("breaker", &self.single)
            .field("waits", &self.wait.is_some())
            .finish()
    }
}
