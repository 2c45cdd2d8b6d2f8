//! Settings of breakers.

use crate::failure::{CallError, reject_zero};
use breakerbox::{BreakerBuilder, Preset, TripRule, Window, circuit};
use core::fmt::Error as FmtError;
use core::time::Duration;

/// A preset.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Careful;

impl Preset for Careful {
    const FAILURE_THRESHOLD: u32 = 3;
}

/// Returns whether an error counts.
fn counts(error: &CallError) -> bool {
    return *error == CallError::Zero;
}

/// With types and rules.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(
    name = "lints::types",
    preset = Careful,
    recovery_timeout = Duration::from_secs(5),
    expected = [CallError, FmtError],
    trip_when = [TripRule::failure_rate(0.5).over(Window::calls(100))],
    builder = |builder: BreakerBuilder| return builder.cancelled_after(Duration::from_secs(1)),
)]
#[inline]
pub fn types(id: u64) -> Result<u64, CallError> {
    return reject_zero(id);
}

/// With predicates.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(expected = counts, ignored = |error| return matches!(*error, CallError::Circuit(_)))]
#[inline]
pub fn predicates(id: u64) -> Result<u64, CallError> {
    return reject_zero(id);
}

/// With a type that is no error.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(builder = Careful::preset(), ignored = String, refused = |error| return error.to_string())]
#[inline]
pub fn values(id: u64) -> Result<u64, String> {
    return reject_zero(id).map_err(|error| return error.to_string());
}
