//! Errors behind pointers and inside `BreakerError`s, by type.

use crate::error::BreakerError;
use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

/// `value` as a `T`, if it is one inside up to four wrappers: `BreakerError`s in any order, and
/// `Box`es, `Arc`s and `Rc`s of which no two follow each other.
///
/// The type of `value` is known at run time only, so each way to wrap a `T` is a downcast.
pub(super) fn unwrap<T: 'static>(value: &dyn Any) -> Option<&T> {
    Next::<Next<Next<Next<Zero>>>>::unwrap(value)
}

/// A number of wrappers.
trait Wrappers {
    fn unwrap<T: 'static>(value: &dyn Any) -> Option<&T>;
    /// The same, where no pointer holds the `T` directly: for a `T` that is a pointer.
    fn unwrap_pointer<T: 'static>(value: &dyn Any) -> Option<&T>;
}

struct Zero;

impl Wrappers for Zero {
    fn unwrap<T: 'static>(value: &dyn Any) -> Option<&T> {
        value.downcast_ref()
    }

    fn unwrap_pointer<T: 'static>(value: &dyn Any) -> Option<&T> {
        value.downcast_ref()
    }
}

struct Next<W>(W);

impl<W: Wrappers> Wrappers for Next<W> {
    fn unwrap<T: 'static>(value: &dyn Any) -> Option<&T> {
        Self::unwrap_pointer(value)
            .or_else(|| W::unwrap_pointer::<Box<T>>(value).map(|error| &**error))
            .or_else(|| W::unwrap_pointer::<Arc<T>>(value).map(|error| &**error))
            .or_else(|| W::unwrap_pointer::<Rc<T>>(value).map(|error| &**error))
    }

    fn unwrap_pointer<T: 'static>(value: &dyn Any) -> Option<&T> {
        value
            .downcast_ref()
            .or_else(|| match W::unwrap::<BreakerError<T>>(value)? {
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
    #[allow(clippy::needless_pass_by_value)] // so that the types below are those of the values
    fn wrapped_errors_are_found() {
        fn found<E: 'static>(error: E) -> bool {
            unwrap::<String>(&error) == Some(&String::from("down"))
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
