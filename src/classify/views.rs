//! Looking through boxed errors: what stands inside a `Box<dyn Error>`, and what caused it.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

/// The error inside a boxed one; `None` for an error that is no box.
#[inline]
pub(super) fn unboxed(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error + Send + Sync>>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error + Send>>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error>>() {
        return Some(&**boxed);
    }
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**shared);
    }
    #[cfg(feature = "anyhow")]
    if let Some(any) = error.downcast_ref::<anyhow::Error>() {
        return Some(&**any);
    }
    None
}

/// An error and the chain of its sources. A chain that bites its own tail ends after 64 links.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(64)
}

/// The chain inside a boxed error; empty for an error that is no box.
#[inline]
pub(crate) fn chain_within(error: &dyn Any) -> impl Iterator<Item = &(dyn Error + 'static)> {
    unboxed(error).into_iter().flat_map(chain)
}
