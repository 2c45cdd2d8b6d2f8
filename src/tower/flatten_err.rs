//! [`BreakerLayer::flatten_err`]: services with the error type of the inner service.

use super::{AnswerRefused, BreakerLayer, Refusals, refusal};
use crate::error::{BreakerError, CircuitOpen};
use crate::function::{Flattened, NoFallback};

impl<K, J, U> BreakerLayer<K, J, NoFallback, U> {
    /// Converts refusals to the error type of the service, which must implement
    /// `From<BreakerError>`.
    ///
    /// The error type of the guarded service is then that of the inner service. `Box<dyn Error +
    /// Send + Sync>` implements `From<BreakerError>`, so layers that box errors fit both inside and
    /// outside the breaker. So does an enum that derives thiserror's `Error`, with a variant
    /// `Circuit(#[from] BreakerError)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{is_refusal, prelude::*, tower::BreakerLayer};
    /// use std::time::Duration;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = BreakerRegistry::new();
    /// let service = ServiceBuilder::new()
    ///     .boxed_clone()
    ///     .layer(BreakerLayer::named(&registry, "doubles").flatten_err())
    ///     .map_err(|error: std::io::Error| Box::<dyn std::error::Error + Send + Sync>::from(error))
    ///     .service(service_fn(|number: u32| async move { Ok(2 * number) }));
    ///
    /// assert_eq!(service.clone().oneshot(21).await.unwrap(), 42);
    /// registry.breaker("doubles").trip();
    /// let error = service.oneshot(21).await.unwrap_err();
    /// assert!(is_refusal(&*error));
    /// # Ok(())
    /// # }
    /// ```
    pub fn flatten_err(self) -> BreakerLayer<K, J, Flattened<NoFallback>, U> {
        self.with_refusals(Flattened(NoFallback))
    }
}

/// The bound of [`BreakerLayer::flatten_err`], with a message of its own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` must implement `From<BreakerError>`: with `flatten_err`, the service returns it when the circuit refuses a call",
    label = "the error type `{Self}` does not implement `From<BreakerError>`",
    note = "with thiserror, add a variant `Circuit(#[from] breakerbox::BreakerError)` to the enum",
    note = "`Box<dyn Error + Send + Sync>` implements `From<BreakerError>`: box the error inside the breaker with `map_err`, or answer refusals with `on_refused`"
)]
pub trait FromRefusal {
    fn from_refusal(open: CircuitOpen) -> Self;
}

#[diagnostic::do_not_recommend]
impl<Error: From<BreakerError>> FromRefusal for Error {
    fn from_refusal(open: CircuitOpen) -> Self {
        BreakerError::<Self>::Open(open).flatten()
    }
}

impl refusal::sealed::Sealed for Flattened<NoFallback> {}

impl<Request> Refusals<Request> for Flattened<NoFallback> {
    type Answer = Self;

    #[inline]
    fn answer(&self, _: Request) -> Self {
        *self
    }
}

impl<Response, Error: FromRefusal> AnswerRefused<Response, Error> for Flattened<NoFallback> {
    type Error = Error;

    fn refused(self, open: CircuitOpen) -> Result<Response, Error> {
        Err(Error::from_refusal(open))
    }

    #[inline]
    fn inner(error: Error) -> Error {
        error
    }
}
