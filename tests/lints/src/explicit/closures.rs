//! Functions with `fail_if`, `classify` and `refused`.

use crate::failure::{CallError, ForeignError, reject_zero};
use breakerbox::{BreakerError, Outcome, circuit};
use core::future::ready;
use core::time::Duration;

/// Returns the outcome of a call.
pub(crate) const fn outcome(is_good: bool) -> Outcome {
    return if is_good {
        Outcome::Success
    } else {
        Outcome::Failure
    };
}

/// Classifies results.
const fn classify(result: &Result<u64, CallError>) -> Outcome {
    return match *result {
        Ok(seconds @ 429..) => Outcome::TripFor(Duration::from_secs(seconds)),
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
}

/// Makes an error from a refusal.
fn make_error(error: BreakerError) -> ForeignError {
    drop(error);
    return ForeignError;
}

/// Counts some errors.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fail_if = |error| return *error == CallError::Zero)]
#[inline]
pub fn failing(id: u64) -> Result<u64, CallError> {
    return reject_zero(id);
}

/// Classifies the whole result with a path.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(classify = classify)]
#[inline]
pub fn classified(id: u64) -> Result<u64, CallError> {
    return reject_zero(id);
}

/// Classifies the whole result with a closure.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(classify = |result| return outcome(result.is_ok()), fallback = failing)]
#[inline]
pub async fn classified_async(id: u64) -> Result<u64, CallError> {
    return ready(reject_zero(id)).await;
}

/// Classifies a return value that is not a `Result`.
#[circuit(classify = |found| return outcome(found.is_some()), fallback = |_id| return None)]
#[inline]
#[must_use]
pub fn without_result(id: u64) -> Option<u64> {
    return reject_zero(id).ok();
}

/// Makes the error of a refused call.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(refused = make_error)]
#[inline]
pub fn refused(id: u64) -> Result<u64, ForeignError> {
    return reject_zero(id).map_err(|_error| return ForeignError);
}

/// Makes the error of a refused async call.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(refused = |error| return make_error(error), timeout = "5s")]
#[inline]
pub async fn refused_async(id: u64) -> Result<u64, ForeignError> {
    return ready(reject_zero(id).map_err(|_error| return ForeignError)).await;
}
