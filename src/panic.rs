//! Keeping the panics of user code where they happened.

use std::any::Any;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `code` gives, or what it panicked with.
///
/// Sound to assert unwind safety for: callers pass user code that touches none of our state, or
/// state that is whole after every statement.
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Payload> {
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

/// A value of user code whose `Drop` may panic; a panic of it ends here.
///
/// Settings are dropped wherever their last reader is: in the middle of a call, of a delivery, or
/// at the end of a thread. None of these may be unwound by a value that only came along.
pub(crate) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> Deref for Contained<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => unreachable!("only taken when it is dropped"),
        }
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        drop(catch(|| drop(value)));
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
    fn drop_of_contained_value_that_panics_is_contained() {
        for depth in [0, 1, 3] {
            let contained = Contained::new(Bomb(depth));
            assert_eq!(contained.0.as_ref().map(|bomb| bomb.0), Some(depth));
            // In the middle of another panic as well.
            drop(catch(move || {
                let _held = contained;
                panic!("a panic that drops it");
            }));
        }
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_is_contained() {
        for depth in [0, 1, 3, 100] {
            drop(catch(|| std::panic::panic_any(Bomb(depth))));
        }
        let payload = catch(|| panic!("a {}", "text")).err();
        assert_eq!(
            payload
                .and_then(|payload| payload.text().map(str::to_owned))
                .as_deref(),
            Some("a text")
        );
    }
}
