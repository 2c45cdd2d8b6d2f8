//! Functions that return futures.

use crate::failure::{CallError, ForeignError, reject_zero};
use breakerbox::circuit;
use core::future::ready;
use core::pin::Pin;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};

/// Returns a future that another function made.
#[circuit]
#[inline]
pub fn made(id: u64) -> impl Future<Output = Result<u64, CallError>> {
    return ready(reject_zero(id));
}

/// Ends in an async block.
#[circuit(fallback = made)]
#[inline]
pub fn block(id: u64) -> impl Future<Output = Result<u64, CallError>> + Send {
    return async move { return ready(reject_zero(id)).await };
}

/// Returns a boxed future with a lifetime.
#[circuit]
#[inline]
#[must_use]
pub fn boxed<'id>(
    id: &'id u64,
) -> Pin<Box<dyn Future<Output = Result<&'id u64, CallError>> + Send + 'id>> {
    return Box::pin(async move { return ready(reject_zero(*id).map(|_id| return id)).await });
}

/// Returns an alias of a boxed future.
#[circuit(timeout = "5s")]
#[inline]
#[must_use]
pub fn alias(id: &u64) -> BoxFuture<'_, Result<u64, CallError>> {
    let copied = *id;
    return async move { return ready(reject_zero(copied)).await }.boxed();
}

/// Boxes a future that another function made.
#[circuit(refused = |_error| return ForeignError)]
#[inline]
#[must_use]
pub fn local<'id>(id: u64) -> LocalBoxFuture<'id, Result<u64, ForeignError>> {
    return ready(reject_zero(id).map_err(|_error| return ForeignError)).boxed_local();
}
