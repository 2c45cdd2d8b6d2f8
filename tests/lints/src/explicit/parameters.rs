//! Functions with patterns and attributes as parameters.

use crate::failure::{CallError, reject_zero};
use breakerbox::circuit;
use core::future::ready;

/// With patterns, on one line.
///
/// # Errors
///
/// If `left` is zero.
#[circuit(fallback = |_pair, _id| return Ok(1))]
#[inline]
#[rustfmt::skip]
pub fn one_line((left, _): (u64, u64), _: u64) -> Result<u64, CallError> { return reject_zero(left); }

/// With patterns, names with an underscore and `mut`.
///
/// # Errors
///
/// If the numbers are zero.
#[circuit(fallback = instead)]
#[inline]
pub async fn patterns([first, ..]: [u64; 2], _unused: u64, mut sum: u64) -> Result<u64, CallError> {
    sum = sum.saturating_add(first);
    return ready(reject_zero(sum)).await;
}

/// The fallback of `patterns`.
const fn instead(_: [u64; 2], unused: u64, sum: u64) -> Result<u64, CallError> {
    return if unused > sum {
        Err(CallError::Zero)
    } else {
        Ok(sum)
    };
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
    #[cfg(debug_assertions)] more: u64,
    #[cfg(not(debug_assertions))] _more: &str,
    #[cfg(any())] (missing, _): Missing,
) -> Result<u64, CallError> {
    #[cfg(debug_assertions)]
    return reject_zero(id.saturating_add(more));
    #[cfg(not(debug_assertions))]
    return reject_zero(id);
}

/// The fallback of `under_condition`.
const fn under_condition_instead(
    id: u64,
    #[cfg(debug_assertions)] _more: u64,
    #[cfg(not(debug_assertions))] _more: &str,
) -> Result<u64, CallError> {
    return reject_zero(id);
}

/// With lint attributes at a name and at a pattern.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = |number, _pair| return reject_zero(number))]
#[inline]
pub fn with_attributes(
    #[deny(unused_mut, reason = "forbidden as well")] mut id: u64,
    #[deny(unused_variables, reason = "forbidden as well")] (left, right): (u64, u64),
) -> Result<u64, CallError> {
    id = id.saturating_add(left);
    return reject_zero(id.saturating_add(right));
}
