//! Methods of [`BreakerError`] that also consider a `BreakerError` inside it.

use super::{BreakerError, circuit_error};
use std::fmt::Debug;
use std::time::Duration;

/// These methods look through a `BreakerError` inside a `BreakerError`.
impl<E: Debug> BreakerError<E> {
    /// Returns whether a circuit refused the call.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Open(_) => true,
            Self::TimedOut(_) => false,
            Self::Inner(error) => matches!(circuit_error(error), Some(BreakerError::Open(_))),
        }
    }

    /// Returns whether the call ran longer than its `.timeout(…)`.
    pub fn is_timed_out(&self) -> bool {
        match self {
            Self::Open(_) => false,
            Self::TimedOut(_) => true,
            Self::Inner(error) => matches!(circuit_error(error), Some(BreakerError::TimedOut(_))),
        }
    }

    /// Returns the error of the guarded code, if it was called and failed.
    ///
    /// `None` also when `E` is a `BreakerError` that holds a refusal or a timeout.
    pub fn inner(&self) -> Option<&E> {
        match self {
            Self::Inner(error) if circuit_error(error).is_none() => Some(error),
            _ => None,
        }
    }

    /// Returns the error of the guarded code, if it was called and failed; otherwise as
    /// [`inner`](Self::inner).
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Inner(error) if circuit_error(&error).is_none() => Some(error),
            _ => None,
        }
    }

    /// Returns how long to wait after a [refusal](crate::CircuitOpen::retry_after). `None` for other errors.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Open(open) => open.retry_after(),
            Self::TimedOut(_) => None,
            Self::Inner(error) => circuit_error(error)?.retry_after(),
        }
    }
}
