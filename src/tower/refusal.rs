//! [`Refusals`]: converts a refusal into the result of a guarded service.

use crate::error::{BreakerError, CircuitOpen};
use crate::function::NoFallback;
use std::fmt;

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::function::NoFallback {}
    impl<A> Sealed for super::OnRefused<A> {}
}

/// Converts a refusal into an error ([`NoFallback`]) or an answer ([`OnRefused`]).
#[diagnostic::on_unimplemented(
    message = "the response to a refusal does not match the guarded service",
    label = "this function must return `Result<{Response}, {Error}>`, like the guarded service",
    note = "write it as `.on_refused(|open: CircuitOpen| ..)`"
)]
pub trait Refusals<Response, Error>: sealed::Sealed {
    /// The error type of the guarded service.
    type Error;

    #[doc(hidden)]
    fn refused(&self, open: CircuitOpen) -> Result<Response, Self::Error>;
    #[doc(hidden)]
    fn inner(error: Error) -> Self::Error;
}

impl<Response, Error> Refusals<Response, Error> for NoFallback {
    type Error = BreakerError<Error>;

    fn refused(&self, open: CircuitOpen) -> Result<Response, BreakerError<Error>> {
        Err(BreakerError::Open(open))
    }

    fn inner(error: Error) -> BreakerError<Error> {
        BreakerError::Inner(error)
    }
}

/// Answers refusals with a closure, as set by
/// [`BreakerLayer::on_refused`](super::BreakerLayer::on_refused).
#[derive(Clone, Copy)]
pub struct OnRefused<A>(pub(super) A);

impl<Response, Error, A> Refusals<Response, Error> for OnRefused<A>
where
    A: Fn(CircuitOpen) -> Result<Response, Error>,
{
    type Error = Error;

    fn refused(&self, open: CircuitOpen) -> Result<Response, Error> {
        (self.0)(open)
    }

    fn inner(error: Error) -> Error {
        error
    }
}

impl<A> fmt::Debug for OnRefused<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRefused")
    }
}
