//! Error types for the guarded functions.

use breakerbox::BreakerError;
use core::error::Error;
use core::fmt::{Display, Formatter, Result as Formatted};

/// The error of the guarded functions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// The circuit refused the call, or the call timed out.
    Circuit(String),
    /// The number is zero.
    Zero,
}

impl Display for CallError {
    #[inline]
    fn fmt(&self, f: &mut Formatter<'_>) -> Formatted {
        f.write_str("the call failed")
    }
}

impl Error for CallError {}

impl From<BreakerError> for CallError {
    #[inline]
    fn from(error: BreakerError) -> Self {
        Self::Circuit(error.to_string())
    }
}

/// An error without a conversion from the errors of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignError;

/// Returns the number unless it is zero.
pub(crate) const fn reject_zero(number: u64) -> Result<u64, CallError> {
    if number == 0 {
        Err(CallError::Zero)
    } else {
        Ok(number)
    }
}
