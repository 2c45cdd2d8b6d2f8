//! A warning for guarded code that returns a `Result` inside an `Ok`. The breaker does not see the inner
//! error.

use std::any::type_name;
use std::collections::HashSet;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// Prints a warning if `Out` is a `Result` inside a `Result`, for example the output of tokio's `timeout`.
/// Warns once for each call site, and only in debug builds.
#[track_caller]
pub(crate) fn warn_if_nested<Out>() {
    warn::<Out>("put the timeout inside the guarded future, flatten it, or use `.timeout(…)`");
}

/// Prints a warning like [`warn_if_nested`], for the items of a guarded stream.
#[track_caller]
pub(crate) fn warn_if_items_nested<Item>() {
    warn::<Item>("flatten the items, or use `.idle_timeout(…)`");
}

#[track_caller]
fn warn<Out>(advice: &str) {
    static WARNED: Mutex<Option<HashSet<Location<'static>>>> = Mutex::new(None);
    if !cfg!(debug_assertions) || !is_nested(type_name::<Out>()) {
        return;
    }
    let site = Location::caller();
    // A poisoned set is still usable: at worst, one warning is printed twice.
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.get_or_insert_default().insert(*site) {
        drop(warned);
        crate::event::print(format_args!(
            "{site} guards a `Result` inside an `Ok`, whose errors the breaker cannot see; {advice}"
        ));
    }
}

/// Compares names, because without specialization a generic function cannot test whether a type is a
/// `Result`. If the format of `type_name` changed, the warning would be missing.
fn is_nested(name: &str) -> bool {
    name.strip_prefix("core::result::Result<")
        .is_some_and(|ok| ok.starts_with("core::result::Result<"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_nested_accepts_result_directly_inside_ok() {
        assert!(is_nested(type_name::<Result<Result<u8, ()>, String>>()));
        assert!(!is_nested(type_name::<Result<u8, Result<u8, ()>>>()));
        assert!(!is_nested(type_name::<Result<Vec<Result<u8, ()>>, ()>>()));
        assert!(!is_nested(type_name::<u8>()));
    }
}
