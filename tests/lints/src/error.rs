//! An error type for the guarded functions.

use breakerbox::BreakerError;
use core::error::Error;
use core::fmt::{Display, Formatter, Result as FmtResult};

/// The error of the guarded functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LintError {
    /// The number is zero.
    Zero,
    /// The circuit refused the call, or the call timed out.
    Circuit,
}

impl Display for LintError {
    #[inline]
    fn fmt(&self, formatter: &mut Formatter<'_>) -> FmtResult {
        return formatter.write_str(match *self {
            Self::Zero => "the number is zero",
            Self::Circuit => "the circuit is open",
        });
    }
}

impl Error for LintError {}

impl From<BreakerError> for LintError {
    #[inline]
    fn from(_: BreakerError) -> Self {
        return Self::Circuit;
    }
}

/// An error without a conversion from the errors of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignError;

/// Returns the number unless it is zero.
pub(crate) const fn reject_zero(number: u64) -> Result<u64, LintError> {
    return if number == 0 { Err(LintError::Zero) } else { Ok(number) };
}
