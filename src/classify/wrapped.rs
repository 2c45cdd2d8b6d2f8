//! Downcasts through pointers and `BreakerError`s.

use crate::error::BreakerError;
use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

/// Returns `value` as a `T`, if it is a `T` inside at most four wrappers. A wrapper is a
/// `BreakerError`, `Box`, `Arc` or `Rc`; no pointer follows another pointer.
///
/// The type of `value` is known only at run time, so each combination of wrappers needs a downcast
/// of its own.
pub(super) fn downcast_wrapped<T: 'static>(value: &dyn Any) -> Option<&T> {
    Succ::<Succ<Succ<Succ<Zero>>>>::downcast(value)
}

/// The maximum number of wrappers, as a Peano number.
trait Depth {
    fn downcast<T: 'static>(value: &dyn Any) -> Option<&T>;
    /// Like [`downcast`](Self::downcast), for a `T` that is itself a pointer: the innermost wrapper
    /// is not a pointer.
    fn downcast_pointer<T: 'static>(value: &dyn Any) -> Option<&T>;
}

struct Zero;

impl Depth for Zero {
    fn downcast<T: 'static>(value: &dyn Any) -> Option<&T> {
        value.downcast_ref()
    }

    fn downcast_pointer<T: 'static>(value: &dyn Any) -> Option<&T> {
        value.downcast_ref()
    }
}

struct Succ<D>(D);

impl<D: Depth> Depth for Succ<D> {
    fn downcast<T: 'static>(value: &dyn Any) -> Option<&T> {
        Self::downcast_pointer(value)
            .or_else(|| D::downcast_pointer::<Box<T>>(value).map(|error| &**error))
            .or_else(|| D::downcast_pointer::<Arc<T>>(value).map(|error| &**error))
            .or_else(|| D::downcast_pointer::<Rc<T>>(value).map(|error| &**error))
    }

    fn downcast_pointer<T: 'static>(value: &dyn Any) -> Option<&T> {
        value
            .downcast_ref()
            .or_else(|| match D::downcast::<BreakerError<T>>(value)? {
                BreakerError::Inner(error) => Some(error),
                BreakerError::Open(_) | BreakerError::TimedOut(_) => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Breaker<E> = BreakerError<E>;

    #[test]
    #[allow(clippy::needless_pass_by_value)] // the argument determines `E`
    fn wrapped_error_is_found() {
        fn found<E: 'static>(error: E) -> bool {
            downcast_wrapped::<String>(&error) == Some(&String::from("down"))
        }
        let down = || String::from("down");
        assert!(found(down()));
        assert!(found(Box::new(down())));
        assert!(found(Arc::new(down())));
        assert!(found(Rc::new(down())));
        assert!(found(Breaker::Inner(down())));
        assert!(found(Breaker::Inner(Arc::new(down()))));
        assert!(found(Arc::new(Breaker::Inner(down()))));
        assert!(found(Breaker::Inner(Breaker::Inner(down()))));
        let nested = Breaker::Inner(Breaker::Inner(Box::new(down())));
        assert!(found(Rc::new(nested)));
        let nested = Breaker::Inner(Breaker::Inner(Breaker::Inner(down())));
        assert!(found(Breaker::Inner(nested)));
        let shared = Arc::new(Breaker::Inner(Box::new(down())));
        assert!(found(Breaker::Inner(shared)));
    }
}
