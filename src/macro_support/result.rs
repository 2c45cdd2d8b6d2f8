//! Return types of functions with `#[circuit]`.
//!
//! The traits stand for `Result` and `From<BreakerError>`, because a compiler message can be attached
//! only to a trait of this crate.

use crate::error::BreakerError;

/// The return type of a function with `#[circuit]`. Implemented only by `Result`.
#[diagnostic::on_unimplemented(
    message = "a function with `#[circuit]` must return a `Result`, but this function returns `{Self}`",
    label = "the circuit cannot tell whether this is a success or a failure",
    note = "return a `Result<T, E>`, or add both `classify = |returned| ..` and `fallback = function`",
    note = "a function that returns a stream ends before its stream does; guard the stream: `function(..).with_breaker(..)`",
    note = "an alias of a boxed future must be named `BoxFuture` or `LocalBoxFuture`; otherwise write its type, or an `async fn`"
)]
pub trait Returned: Sized {
    /// The type in `Err`.
    type Error;

    /// Returns `Err(error)`.
    fn of_error(error: Self::Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E> Returned for Result<T, E> {
    type Error = E;

    #[inline]
    fn of_error(error: E) -> Self {
        Err(error)
    }
}

/// An error type that implements `From<BreakerError>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` must implement `From<BreakerError>`: the function returns it when the circuit refuses a call",
    label = "the error type `{Self}` does not implement `From<BreakerError>`",
    note = "with thiserror, add a variant `Circuit(#[from] breakerbox::BreakerError)` to the enum",
    note = "`anyhow::Error` and `Box<dyn std::error::Error + Send + Sync>` already implement `From<BreakerError>`",
    note = "`#[circuit(refused = |error: BreakerError| ..)]` makes the error without `From<BreakerError>`",
    note = "`#[circuit(fallback = function)]` without `timeout` does not need `From<BreakerError>`"
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

/// Converts the error of a call that was refused or timed out, for a function without `refused`.
#[inline]
pub fn convert<R: Returned<Error: FromCircuit>>(error: BreakerError) -> R::Error {
    R::Error::from_circuit(error)
}

/// Returns the closure in `refused`. The compiler infers the types of the closure from this signature.
#[inline]
pub fn refused<R, X>(refused: X) -> X
where
    R: Returned,
    X: Fn(BreakerError) -> R::Error,
{
    refused
}
