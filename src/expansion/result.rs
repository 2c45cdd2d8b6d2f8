//! What a function with `#[circuit]` returns.
//!
//! Types of their own for what the compiler has to say, since it says it of these.

use crate::error::BreakerError;

/// A `Result`.
#[diagnostic::on_unimplemented(
    message = "a function with `#[circuit]` must return a `Result`, and this one returns `{Self}`",
    label = "the circuit cannot tell whether this is a success or a failure",
    note = "return a `Result<T, E>`, or guard the calls: `.with_breaker(..).classify_output(..)`"
)]
pub trait Returned: Sized {
    /// Its value.
    type Value;
    /// Its error.
    type Error;

    /// The same, known to be a `Result`.
    fn result(&self) -> &Result<Self::Value, Self::Error>;
    /// The error, as what is returned.
    fn of_error(error: Self::Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E> Returned for Result<T, E> {
    type Value = T;
    type Error = E;

    #[inline]
    fn result(&self) -> &Self {
        self
    }

    fn of_error(error: E) -> Self {
        Err(error)
    }
}

/// What `R` is, written as what judges know.
pub(super) type ResultOf<R> = Result<<R as Returned>::Value, <R as Returned>::Error>;

/// An error that a refusal can become.
#[diagnostic::on_unimplemented(
    message = "`{Self}` must implement `From<BreakerError>`: the function returns it when the circuit refuses a call",
    label = "the error type `{Self}` does not implement `From<BreakerError>`",
    note = "an enum that derives thiserror's `Error` does with a variant `Circuit(#[from] breakerbox::BreakerError)`",
    note = "`anyhow::Error` and `Box<dyn std::error::Error + Send + Sync>` do already",
    note = "without `timeout`, `#[circuit(fallback = function)]` does not need it"
)]
pub trait FromCircuit {
    /// What the error has become.
    fn from_circuit(error: BreakerError) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<BreakerError>> FromCircuit for E {
    fn from_circuit(error: BreakerError) -> Self {
        error.into()
    }
}

/// What `R` is for a call that the circuit refused or ended.
#[cold]
pub(super) fn refuse<R>(error: impl Into<BreakerError>) -> R
where
    R: Returned<Error: FromCircuit>,
{
    R::of_error(R::Error::from_circuit(error.into()))
}
