//! Calls of user code whose panics are caught.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls user code, and returns `None` if the code panics.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // The payload is a user value, whose `Drop` may panic, too.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            None
        }
    }
}
