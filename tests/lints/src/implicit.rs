//! Functions whose bodies end in an expression.
#![forbid(clippy::style, reason = "the expansion must satisfy these lints")]

use crate::failure::{CallError, reject_zero};
use breakerbox::circuit;
use core::future::ready;

/// Makes a guarded function.
macro_rules! make {
    ($(#[$attribute:meta])* $name:ident, $circuit:literal, $argument:ident, $body:expr) => {
        $(#[$attribute])*
        #[circuit(name = $circuit)]
        #[inline]
        pub fn $name($argument: u64) -> Result<u64, CallError> {
            $body
        }
    };
}

/// Without arguments of the attribute.
///
/// # Errors
///
/// If `id` is zero.
#[circuit]
#[inline]
pub fn sync(id: u64) -> Result<u64, CallError> {
    reject_zero(id)
}

/// On one line, with patterns and a fallback.
///
/// # Errors
///
/// If `left` is zero.
#[circuit(fallback = |_pair, other| Ok(other))]
#[inline]
#[rustfmt::skip]
pub fn one_line((left, _): (u64, u64), _: u64) -> Result<u64, CallError> { reject_zero(left) }

/// With `?` and an `impl Trait` as argument.
///
/// # Errors
///
/// If `id` is zero.
#[circuit]
#[inline]
pub fn with_question_mark(id: impl Into<u64>) -> Result<u64, CallError> {
    let checked = reject_zero(id.into())?;
    Ok(checked)
}

/// With an early `return`.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fail_if = |error| *error == CallError::Zero)]
#[inline]
pub async fn early(id: u64) -> Result<u64, CallError> {
    if id == 1 {
        return Ok(1);
    }
    let checked = ready(reject_zero(id)).await?;
    Ok(checked)
}

/// With a fallback.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(fallback = early)]
#[inline]
pub async fn with_fallback(id: u64) -> Result<u64, CallError> {
    ready(reject_zero(id)).await
}

/// Ends in an async block.
///
/// # Errors
///
/// If `id` is zero.
#[circuit]
#[inline]
pub fn block(id: u64) -> impl Future<Output = Result<u64, CallError>> + Send {
    let checked = reject_zero(id);
    async move { ready(checked).await }
}

/// Returns a future that another function made.
#[circuit]
#[inline]
pub fn made(id: u64) -> impl Future<Output = Result<u64, CallError>> + Send {
    ready(reject_zero(id))
}

make!(
    /// Made by a macro.
    ///
    /// # Errors
    ///
    /// If `id` is zero.
    from_macro, "lints::from_macro", id, reject_zero(id)
);

/// Contains a guarded function.
///
/// # Errors
///
/// If `id` is zero.
#[circuit(crate = breakerbox)]
#[inline]
pub fn nested(id: u64) -> Result<u64, CallError> {
    #[circuit(name = "lints::inner")]
    fn inner(id: u64) -> Result<u64, CallError> {
        reject_zero(id)
    }
    inner(id)
}
