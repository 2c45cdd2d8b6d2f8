//! Containment of panics in user code.

use std::any::Any;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `code`, and returns its result or the payload of its panic.
///
/// Asserts unwind safety. Callers pass user code that does not access the state of a breaker, or code
/// that keeps its state consistent after every statement.
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Payload> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| Payload(Some(payload)))
}

/// The payload of a panic. If dropping the payload panics, that panic is caught.
pub(crate) struct Payload(Option<Box<dyn Any + Send>>);

impl Payload {
    /// Returns the message of the panic, if it has one.
    pub(crate) fn text(&self) -> Option<&str> {
        let payload = self.0.as_deref()?;
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&str>().copied())
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        let mut payload = self.0.take();
        // Each payload may panic with another one when it is dropped. The ninth is leaked.
        for _ in 0..8 {
            let Some(last) = payload.take() else { return };
            payload = catch_unwind(AssertUnwindSafe(|| drop(last))).err();
        }
        std::mem::forget(payload);
    }
}

/// A value of user code. If dropping the value panics, that panic is caught.
///
/// The last reader of settings drops them, for example during a call or at the end of a thread. A panic
/// of one of their values must not unwind that call or thread.
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
            None => unreachable!("the payload is only taken by `drop`"),
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
    fn drop_panic_of_contained_value_is_caught() {
        for depth in [0, 1, 3] {
            let contained = Contained::new(Bomb(depth));
            assert_eq!(contained.0.as_ref().map(|bomb| bomb.0), Some(depth));
            // A second panic that escapes while the first one unwinds would abort the process.
            drop(catch(move || {
                let _held = contained;
                panic!("a panic that drops it");
            }));
        }
    }

    #[test]
    fn drop_panic_of_payload_is_caught() {
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
