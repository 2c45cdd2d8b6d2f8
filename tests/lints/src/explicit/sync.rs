//! Sync functions.

use crate::failure::{CallError, reject_zero};
use breakerbox::circuit;
use core::fmt::{Debug, Display};

/// Without arguments of the attribute.
///
/// # Errors
///
/// If `id` is zero.
#[circuit]
#[inline]
pub fn plain(id: u64) -> Result<u64, CallError> {
    return reject_zero(id);
}

/// With an early `return`.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(
    name = "lints::early",
    failure_threshold = 3,
    recovery_timeout = "1m 30s"
)]
#[inline]
pub fn early(id: u64) -> Result<u64, CallError> {
    if id == 1 {
        return Ok(1);
    }
    return reject_zero(id);
}

/// On one line, with a fallback.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = plain)]
#[inline]
#[rustfmt::skip]
pub fn one_line(id: u64) -> Result<u64, CallError> { return reject_zero(id); }

/// With generic parameters, a `where` clause and a constant parameter.
///
/// # Errors
///
/// If there are no values.
#[circuit]
#[inline]
pub fn generic<T, const N: usize>(values: [T; N]) -> Result<String, CallError>
where
    T: Display,
{
    return values
        .first()
        .map(ToString::to_string)
        .ok_or(CallError::Zero);
}

/// With lifetimes.
///
/// # Errors
///
/// If `left` is empty.
#[circuit]
#[inline]
pub fn borrowed<'text>(left: &'text str, right: &'text str) -> Result<&'text str, CallError> {
    return if left.is_empty() {
        Err(CallError::Zero)
    } else {
        Ok(right)
    };
}

/// Returns a type that has no name.
///
/// # Errors
///
/// If `up_to` is zero.
#[circuit]
#[inline]
pub fn unnamed(up_to: u64) -> Result<impl Iterator<Item = u64>, CallError> {
    return reject_zero(up_to).map(|checked| return 0..checked);
}

/// Hides its error type, which `fail_if` and `refused` use.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fail_if = |error| return *error == CallError::Zero, refused = CallError::from)]
#[inline]
pub fn hidden_error(id: u64) -> Result<u64, impl Debug + PartialEq> {
    return reject_zero(id);
}

/// Calls itself.
///
/// # Errors
///
/// If the circuit refuses the call.
#[circuit]
#[inline]
pub fn recursive(depth: u64) -> Result<u64, CallError> {
    if depth == 0 {
        return Ok(0);
    }
    return recursive(depth.saturating_sub(1));
}
