//! Sync functions.

use crate::error::{LintError, reject_zero};
use breakerbox::circuit;
use core::fmt::{Debug, Display};

/// Without arguments of the attribute.
///
/// # Errors
///
/// If `id` is zero.
#[circuit]
#[inline]
pub fn plain(id: u64) -> Result<u64, LintError> {
    return reject_zero(id);
}

/// With an early `return` and `?`.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(name = "lints::early", failure_threshold = 3, recovery_timeout = "1m 30s")]
#[inline]
pub fn early(id: u64) -> Result<u64, LintError> {
    if id == 1 {
        return Ok(1);
    }
    let checked = reject_zero(id)?;
    return Ok(checked);
}

/// On one line, with a fallback.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = plain)]
#[inline]
pub fn one_line(id: u64) -> Result<u64, LintError> { return reject_zero(id); }

/// With generic parameters, a `where` clause and a constant parameter.
///
/// # Errors
///
/// If there are no values.
#[circuit]
#[inline]
pub fn generic<T, const N: usize>(values: [T; N]) -> Result<String, LintError>
where
    T: Display,
{
    return values.first().map(ToString::to_string).ok_or(LintError::Zero);
}

/// With lifetimes.
///
/// # Errors
///
/// If `left` is empty.
#[circuit]
#[inline]
pub fn borrowed<'text>(left: &'text str, right: &'text str) -> Result<&'text str, LintError> {
    return if left.is_empty() { Err(LintError::Zero) } else { Ok(right) };
}

/// Returns a type that has no name.
///
/// # Errors
///
/// If `up_to` is zero.
#[circuit]
#[inline]
pub fn unnamed(up_to: u64) -> Result<impl Iterator<Item = u64>, LintError> {
    let checked = reject_zero(up_to)?;
    return Ok(0..checked);
}

/// Hides its error type, which `fail_if` and `refused` use.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fail_if = |error| return *error == LintError::Zero, refused = LintError::from)]
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
pub fn recursive(depth: u64) -> Result<u64, LintError> {
    return match depth.checked_sub(1) {
        Some(less) => recursive(less),
        None => Ok(0),
    };
}
