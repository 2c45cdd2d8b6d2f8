//! Keeping the panics of user code where they happened.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `code` gives, or what it panicked with.
///
/// Sound to assert unwind safety for: callers pass user code that touches none of our state, or
/// state that is whole after every statement.
pub(crate) fn contain<T>(code: impl FnOnce() -> T) -> Result<T, Payload> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| Payload(Some(payload)))
}

/// What somebody panicked with. It may panic once more when it is dropped, and that ends here.
pub(crate) struct Payload(Option<Box<dyn Any + Send>>);

impl Payload {
    /// The text of the panic, if it had one.
    pub(crate) fn text(&self) -> Option<&str> {
        let payload = self.0.as_deref()?;
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&str>().copied())
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        let mut payload = self.0.take();
        // One that goes on panicking in its own payload's drop is forgotten.
        for _ in 0..8 {
            let Some(last) = payload.take() else { return };
            payload = catch_unwind(AssertUnwindSafe(|| drop(last))).err();
        }
        std::mem::forget(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Bomb(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_is_contained() {
        for depth in [0, 1, 3, 100] {
            drop(contain(|| std::panic::panic_any(Bomb(depth))));
        }
        let payload = contain(|| panic!("a {}", "text")).err();
        assert_eq!(
            payload
                .and_then(|payload| payload.text().map(str::to_owned))
                .as_deref(),
            Some("a text")
        );
    }
}
