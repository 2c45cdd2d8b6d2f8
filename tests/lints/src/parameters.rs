//! Functions with patterns and attributes as parameters.

use crate::error::{LintError, reject_zero};
use breakerbox::circuit;
use core::future::ready;

/// With patterns, on one line.
///
/// # Errors
///
/// If `left` is zero.
#[circuit(fallback = |_pair, _id| return Ok(1))]
#[inline]
pub fn one_line((left, _): (u64, u64), _: u64) -> Result<u64, LintError> { return reject_zero(left); }

/// With patterns, names with an underscore and `mut`.
///
/// # Errors
///
/// If the numbers are zero.
#[circuit(fallback = instead)]
#[inline]
pub async fn patterns([first, ..]: [u64; 2], _unused: u64, mut sum: u64) -> Result<u64, LintError> {
    sum = sum.saturating_add(first);
    return ready(reject_zero(sum)).await;
}

/// The fallback of `patterns`.
const fn instead(_: [u64; 2], unused: u64, sum: u64) -> Result<u64, LintError> {
    return Ok(if unused > sum { unused } else { sum });
}

/// With parameters that are compiled under a condition.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = under_condition_instead)]
#[inline]
pub fn under_condition(
    id: u64,
    #[cfg(not(test))] more: u64,
    #[cfg(test)] _more: &str,
    #[cfg(any())] (missing, _): Missing,
) -> Result<u64, LintError> {
    #[cfg(not(test))]
    return reject_zero(id.saturating_add(more));
    #[cfg(test)]
    return reject_zero(id);
}

/// The fallback of `under_condition`.
const fn under_condition_instead(
    id: u64,
    #[cfg(not(test))] _more: u64,
    #[cfg(test)] _more: &str,
) -> Result<u64, LintError> {
    return Ok(id);
}

/// With lint attributes at a name and at a pattern.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = |id, _pair| return reject_zero(id))]
#[inline]
pub fn with_attributes(
    #[expect(unused_mut, reason = "the lint must see the name")] mut id: u64,
    #[expect(unused_variables, reason = "the lint must see the pattern")] (left, right): (u64, u64),
) -> Result<u64, LintError> {
    return reject_zero(id);
}
