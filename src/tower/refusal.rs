//! [`Refusals`] and [`AnswerRefused`]: convert a refusal into the result of a guarded service.

use crate::error::{BreakerError, CircuitOpen};
use crate::function::NoFallback;

pub(super) mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::function::NoFallback {}
}

/// What a guarded service does with the request of a refused call: drops it, or keeps it for
/// [`on_refused`](super::BreakerLayer::on_refused).
pub trait Refusals<Request>: sealed::Sealed {
    /// The answer to one refused call.
    type Answer;

    #[doc(hidden)]
    fn answer(&self, request: Request) -> Self::Answer;
}

/// The answer to one refused call: an error ([`NoFallback`] and `flatten_err`), or the result of a
/// closure ([`OnRefused`](super::OnRefused)).
#[diagnostic::on_unimplemented(
    message = "the response to a refusal does not match the guarded service",
    label = "this function must return `Result<{Response}, {Error}>`, like the guarded service",
    note = "write it as `.on_refused(|open: CircuitOpen, request: Request| ..)`, with the types of \
            the guarded service"
)]
pub trait AnswerRefused<Response, Error>: sealed::Sealed {
    /// The error type of the guarded service.
    type Error;

    #[doc(hidden)]
    fn refused(self, open: CircuitOpen) -> Result<Response, Self::Error>;
    #[doc(hidden)]
    fn inner(error: Error) -> Self::Error;
}

impl<Request> Refusals<Request> for NoFallback {
    type Answer = Self;

    #[inline]
    fn answer(&self, _: Request) -> Self {
        *self
    }
}

impl<Response, Error> AnswerRefused<Response, Error> for NoFallback {
    type Error = BreakerError<Error>;

    fn refused(self, open: CircuitOpen) -> Result<Response, BreakerError<Error>> {
        Err(BreakerError::Open(open))
    }

    #[inline]
    fn inner(error: Error) -> BreakerError<Error> {
        BreakerError::Inner(error)
    }
}
