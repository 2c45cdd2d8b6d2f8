//! Panics of user code: listeners, stores and recorders.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The code panicked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panicked;

/// Runs user code, and catches its panic.
pub(super) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        // Dropping the payload may panic again.
        std::mem::forget(payload);
        Panicked
    })
}
