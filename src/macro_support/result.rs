//! Return types of functions with `#[circuit]`.
//!
//! The traits stand for `Result` and `From<BreakerError>`, because a compiler message can be attached
//! only to a trait of this crate.

use crate::error::BreakerError;

/// The return type of a function with `#[circuit]`. Implemented only by `Result`.
#[diagnostic::on_unimplemented(
    message = "a function with `#[circuit]` must return a `Result`, and this one returns `{Self}`",
    label = "the circuit cannot tell whether this is a success or a failure",
    note = "return a `Result<T, E>`, or guard the calls: `.with_breaker(..).classify_output(..)`",
    note = "a function that returns a stream ends before its stream does; guard the stream: `function(..).with_breaker(..)`"
)]
pub trait Returned: Sized {
    /// The type in `Ok`.
    type Value;
    /// The type in `Err`.
    type Error;

    /// Returns the value as a `Result`.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
    /// Converts a `Result` back.
    fn of_result(result: Result<Self::Value, Self::Error>) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E> Returned for Result<T, E> {
    type Value = T;
    type Error = E;

    #[inline]
    fn into_result(self) -> Self {
        self
    }

    #[inline]
    fn of_result(result: Self) -> Self {
        result
    }
}

/// `R` as a `Result`. Classifiers are implemented for `Result`, not for [`Returned`].
pub(super) type ResultOf<R> = Result<<R as Returned>::Value, <R as Returned>::Error>;

/// An error type that implements `From<BreakerError>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` must implement `From<BreakerError>`: the function returns it when the circuit refuses a call",
    label = "the error type `{Self}` does not implement `From<BreakerError>`",
    note = "an enum that derives thiserror's `Error` does with a variant `Circuit(#[from] breakerbox::BreakerError)`",
    note = "`anyhow::Error` and `Box<dyn std::error::Error + Send + Sync>` do already",
    note = "without `timeout`, `#[circuit(fallback = function)]` does not need it"
)]
pub trait FromCircuit {
    /// Converts the error of the breaker.
    fn from_circuit(error: BreakerError) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<BreakerError>> FromCircuit for E {
    #[inline]
    fn from_circuit(error: BreakerError) -> Self {
        error.into()
    }
}

/// Returns the error of a call that was refused or timed out, as the return type `R`.
#[inline]
pub(super) fn refuse<R>(error: impl Into<BreakerError>) -> R
where
    R: Returned<Error: FromCircuit>,
{
    R::of_result(Err(R::Error::from_circuit(error.into())))
}
