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
    fn into_result(self) -> Result<Self::Value, Self::Error>;
    /// A `Result`, as what is returned.
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
    #[inline]
    fn from_circuit(error: BreakerError) -> Self {
        error.into()
    }
}

/// What `R` is for a call that the circuit refused or ended.
// Inlined, and the error with it: what another function writes to memory is read back from memory by the
// calls that pass, too. The conversion alone belongs to the user.
#[inline]
pub(super) fn refuse<R>(error: impl Into<BreakerError>) -> R
where
    R: Returned<Error: FromCircuit>,
{
    R::of_result(Err(R::Error::from_circuit(error.into())))
}
