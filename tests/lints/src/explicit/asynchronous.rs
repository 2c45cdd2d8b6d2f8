//! Async functions.

use super::closures::outcome;
use crate::failure::{CallError, reject_zero};
use breakerbox::circuit;
use core::fmt::Display;
use core::future::ready;

/// Without arguments of the attribute.
///
/// # Errors
///
/// If `id` is zero.
#[circuit]
#[inline]
pub async fn plain(id: u64) -> Result<u64, CallError> {
    return ready(reject_zero(id)).await;
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
pub async fn early(id: u64) -> Result<u64, CallError> {
    if id == 1 {
        return Ok(1);
    }
    return ready(reject_zero(id)).await;
}

/// With an async fallback.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = plain)]
#[inline]
pub async fn with_async_fallback(id: u64) -> Result<u64, CallError> {
    return ready(reject_zero(id)).await;
}

/// With a sync fallback, on one line.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = reject_zero)]
#[inline]
#[rustfmt::skip]
pub async fn with_sync_fallback(id: u64) -> Result<u64, CallError> { return ready(reject_zero(id)).await; }

/// With a time limit.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(timeout = "5s")]
#[inline]
pub async fn with_timeout(id: u64) -> Result<u64, CallError> {
    return ready(reject_zero(id)).await;
}

/// With a time limit and a fallback.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(timeout = "5s", fallback = plain, refused = CallError::from)]
#[inline]
pub async fn with_timeout_and_fallback(id: u64) -> Result<u64, CallError> {
    return ready(reject_zero(id)).await;
}

/// With generic parameters, `impl Trait` and lifetimes.
///
/// # Errors
///
/// If there are no values.
#[circuit]
#[inline]
pub async fn generic<'item, T: Display + Sync, const N: usize>(
    values: &'item [T; N],
    default: &'item T,
) -> Result<&'item T, CallError> {
    return ready(Ok(values.first().unwrap_or(default))).await;
}

/// Returns a type that has no name.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(classify = |result| return outcome(result.is_ok()))]
#[inline]
pub async fn unnamed(id: u64) -> Result<impl Display, CallError> {
    return ready(reject_zero(id)).await;
}

/// Calls itself.
///
/// # Errors
///
/// If the circuit refuses the call.
#[circuit]
#[inline]
pub async fn recursive(depth: u64) -> Result<u64, CallError> {
    if depth == 0 {
        return Ok(0);
    }
    return Box::pin(recursive(depth.saturating_sub(1))).await;
}
