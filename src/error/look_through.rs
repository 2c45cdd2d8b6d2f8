//! Methods of [`BreakerError`] that look through a `BreakerError` inside a `BreakerError`.

use super::{BreakerError, circuit_error};
use std::fmt::Debug;
use std::time::Duration;

/// Methods that look through a `BreakerError` inside a `BreakerError`.
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

    /// Returns the error of the guarded code, or `None` for a refusal or a timeout.
    ///
    /// Also returns `None` if `E` is a `BreakerError` that is a refusal or a timeout.
    pub fn inner(&self) -> Option<&E> {
        match self {
            Self::Inner(error) if circuit_error(error).is_none() => Some(error),
            _ => None,
        }
    }

    /// Returns the error of the guarded code by value, or `None` in the cases of [`inner`](Self::inner).
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Inner(error) if circuit_error(&error).is_none() => Some(error),
            _ => None,
        }
    }

    /// Returns how long to wait after a refusal, or `None` for other errors. See
    /// [`CircuitOpen::retry_after`](crate::CircuitOpen::retry_after).
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Open(open) => open.retry_after(),
            Self::TimedOut(_) => None,
            Self::Inner(error) => circuit_error(error)?.retry_after(),
        }
    }
}
