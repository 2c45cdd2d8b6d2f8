//! Async functions.

use crate::error::{LintError, reject_zero};
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
pub async fn plain(id: u64) -> Result<u64, LintError> {
    return ready(reject_zero(id)).await;
}

/// With an early `return` and `?`.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(name = "lints::early", failure_threshold = 3, recovery_timeout = "1m 30s")]
#[inline]
pub async fn early(id: u64) -> Result<u64, LintError> {
    if id == 1 {
        return Ok(1);
    }
    let checked = ready(reject_zero(id)).await?;
    return Ok(checked);
}

/// With an async fallback.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = plain)]
#[inline]
pub async fn with_async_fallback(id: u64) -> Result<u64, LintError> {
    return ready(reject_zero(id)).await;
}

/// With a sync fallback, on one line.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = reject_zero)]
#[inline]
pub async fn with_sync_fallback(id: u64) -> Result<u64, LintError> { return ready(reject_zero(id)).await; }

/// With a time limit.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(timeout = "5s")]
#[inline]
pub async fn with_timeout(id: u64) -> Result<u64, LintError> {
    return ready(reject_zero(id)).await;
}

/// With a time limit and a fallback.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(timeout = "5s", fallback = plain, refused = |_error| return LintError::Circuit)]
#[inline]
pub async fn with_timeout_and_fallback(id: u64) -> Result<u64, LintError> {
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
    default: impl Into<&'item T> + Send,
) -> Result<&'item T, LintError> {
    let chosen: &T = default.into();
    return ready(Ok(values.first().unwrap_or(chosen))).await;
}

/// Returns a type that has no name.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(classify = |result| return crate::closures::outcome(result.is_ok()))]
#[inline]
pub async fn unnamed(id: u64) -> Result<impl Display, LintError> {
    return ready(reject_zero(id)).await;
}

/// Calls itself.
///
/// # Errors
///
/// If the circuit refuses the call.
#[circuit]
#[inline]
pub async fn recursive(depth: u64) -> Result<u64, LintError> {
    return match depth.checked_sub(1) {
        Some(less) => Box::pin(recursive(less)).await,
        None => Ok(0),
    };
}
