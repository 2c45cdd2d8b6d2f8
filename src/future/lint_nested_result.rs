//! A warning about a `Result` inside an `Ok`, whose errors the breaker cannot see.

use std::any::type_name;
use std::collections::HashSet;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// In debug builds, warns once a call site when `Out` is a `Result` in a `Result`, as
/// `timeout(d, future)` makes it.
#[track_caller]
pub(crate) fn warn_if_nested<Out>() {
    static WARNED: Mutex<Option<HashSet<Location<'static>>>> = Mutex::new(None);
    if !cfg!(debug_assertions) || !is_nested(type_name::<Out>()) {
        return;
    }
    let site = Location::caller();
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.get_or_insert_default().insert(*site) {
        drop(warned);
        crate::event::print(format_args!(
            "{site} guards a `Result` inside an `Ok`, whose errors the breaker cannot see; put the \
             timeout inside the guarded future, flatten it, or use `.timeout(…)`"
        ));
    }
}

fn is_nested(name: &str) -> bool {
    name.strip_prefix("core::result::Result<")
        .is_some_and(|ok| ok.starts_with("core::result::Result<"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_result_directly_inside_ok_is_nested() {
        assert!(is_nested(type_name::<Result<Result<u8, ()>, String>>()));
        assert!(!is_nested(type_name::<Result<u8, Result<u8, ()>>>()));
        assert!(!is_nested(type_name::<Result<Vec<Result<u8, ()>>, ()>>()));
        assert!(!is_nested(type_name::<u8>()));
    }
}
