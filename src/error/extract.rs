//! Extracts the circuit's own error from a `BreakerError<X>` whose `X` is unknown.
//!
//! A guard knows `E: Debug + 'static` about the errors that it classifies. For `E = BreakerError<X>`
//! it has to know whether the value is a refusal, and a downcast would need the name of `X`. The
//! only operation of `E` that a guard can call is `Debug`, and for `BreakerError<X>` that is our
//! code. `Debug` therefore has a second use:
//!
//! 1. [`own_error`] compares the type name of `E` with the names of our error types, after it has
//!    removed `Box<`, `Arc<` and `Rc<`, which forward `Debug`. For every other type it returns `None`.
//! 2. It sets a thread-local mark, and formats the error into a writer that discards the text.
//! 3. The `Debug` implementations of our error types check the mark first. If it is set, they write
//!    nothing: [`CircuitOpen`] and [`CallTimeout`] store a clone of themselves ([`answer`]), and
//!    [`BreakerError`] formats what it holds only if that is one of our types again ([`descend`]).
//! 4. [`own_error`] clears the mark and takes the clone.
//!
//! No allocation happens and no `Debug` of a user's type runs. Successful and refused calls are not
//! involved at all. The alternatives are worse: a registration of error types costs those calls
//! something, and a `'static` bound on `Debug` for `BreakerError<E>`, for downcasts inside of it,
//! would fail to compile under `#[derive(Debug)]` of a user's generic type.
//!
//! The format of [`type_name`] is not guaranteed. If it changed, errors of our own would not be
//! recognised, and the tests below would fail; no other error would be mistaken for one of ours.

use super::{BreakerError, CallTimeout, CircuitOpen};
use std::any::type_name;
use std::cell::Cell;
use std::fmt::{self, Debug, Write};
use std::rc::Rc;
use std::sync::Arc;

/// Plain also under loom and shuttle: it is set and cleared within one call, which does nothing that
/// these intercept.
struct Request {
    /// The mark: `Debug` of our types answers instead of writing.
    pending: Cell<bool>,
    answer: Cell<Option<BreakerError>>,
}

thread_local! {
    static REQUEST: Request = const {
        Request { pending: Cell::new(false), answer: Cell::new(None) }
    };
}

/// The refusal or the timeout that `error` is, if its type is one of ours. `None` for the error of
/// the guarded code.
#[inline]
pub(crate) fn own_error<E: Debug>(error: &E) -> Option<BreakerError> {
    if !is_own(type_name::<E>()) {
        return None;
    }
    request(error)
}

#[cold]
fn request(error: &dyn Debug) -> Option<BreakerError> {
    let pending = Pending::begin()?;
    // Only a foreign type of the same name would write, and its first write fails.
    let _ = write!(Discard, "{error:?}");
    drop(pending);
    REQUEST.try_with(|request| request.answer.take()).ok()?
}

/// Whether a request is pending; if so, `own` is the answer.
fn answer(own: impl FnOnce() -> BreakerError) -> bool {
    let answered = REQUEST.try_with(|request| {
        let pending = request.pending.get();
        if pending {
            request.answer.set(Some(own()));
        }
        pending
    });
    answered.unwrap_or(false)
}

fn is_pending() -> bool {
    let pending = REQUEST.try_with(|request| request.pending.get());
    pending.unwrap_or(false)
}

/// Passes a request on to what a [`BreakerError`] holds, if that is an error of ours.
fn descend<E: Debug>(inner: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if is_own(type_name::<E>()) {
        inner.fmt(f)?;
    }
    Ok(())
}

impl<E: Debug> Debug for BreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_pending() {
            return match self {
                Self::Open(open) => Debug::fmt(open, f),
                Self::TimedOut(timeout) => Debug::fmt(timeout, f),
                Self::Inner(error) => descend(error, f),
            };
        }
        match self {
            Self::Open(open) => f.debug_tuple("Open").field(open).finish(),
            Self::TimedOut(timeout) => f.debug_tuple("TimedOut").field(timeout).finish(),
            Self::Inner(error) => f.debug_tuple("Inner").field(error).finish(),
        }
    }
}

impl Debug for CircuitOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if answer(|| self.clone().into()) {
            return Ok(());
        }
        f.debug_struct("CircuitOpen")
            .field("name", &self.name())
            .field("reason", &self.reason())
            .field("retry_after", &self.retry_after())
            .field("failure_count", &self.failure_count())
            .finish_non_exhaustive()
    }
}

impl Debug for CallTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if answer(|| self.clone().into()) {
            return Ok(());
        }
        f.debug_tuple("CallTimeout").field(&self.0).finish()
    }
}

/// A pending request, which ends also when a `Debug` panics.
struct Pending;

impl Pending {
    /// `None` while the thread ends, when there is no place for an answer any more.
    fn begin() -> Option<Self> {
        let begun = REQUEST.try_with(|request| {
            request.answer.set(None);
            request.pending.set(true);
        });
        begun.ok().map(|()| Self)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let _ = REQUEST.try_with(|request| request.pending.set(false));
    }
}

struct Discard;

impl Write for Discard {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Err(fmt::Error)
    }
}

/// Whether `name` is that of an error of ours, perhaps behind pointers.
#[inline]
fn is_own(name: &'static str) -> bool {
    let name = without_pointer(name).map_or(name, |name| repeat(without_pointer, name));
    is::<BreakerError>(name) || is::<CircuitOpen>(name) || is::<CallTimeout>(name)
}

/// The name of what the pointers and [`BreakerError`]s hold that a `T` consists of, followed by one
/// `>` for each of them; `None` for a `T` that is none of these.
#[inline]
pub(crate) fn name_inside<T: ?Sized>() -> Option<&'static str> {
    let inner = without_wrapper(type_name::<T>())?;
    Some(repeat(without_wrapper, inner))
}

#[cold]
fn repeat(without: fn(&'static str) -> Option<&'static str>, name: &'static str) -> &'static str {
    let mut name = name;
    while let Some(inner) = without(name) {
        name = inner;
    }
    name
}

#[inline]
fn without_wrapper(name: &'static str) -> Option<&'static str> {
    let breaker_error = type_name::<BreakerError<()>>();
    without_pointer(name).or_else(|| without(breaker_error, name))
}

#[inline]
fn without_pointer(name: &'static str) -> Option<&'static str> {
    without(type_name::<Box<()>>(), name)
        .or_else(|| without(type_name::<Arc<()>>(), name))
        .or_else(|| without(type_name::<Rc<()>>(), name))
}

/// `name` without the beginning of `wrapper`, which is the name of a wrapped `()`.
#[inline]
fn without(wrapper: &'static str, name: &'static str) -> Option<&'static str> {
    name.strip_prefix(wrapper.strip_suffix("()>")?)
}

/// Whether `name` begins with that of `T`, whatever its parameters are.
#[inline]
fn is<T>(name: &str) -> bool {
    // Names leave out a parameter that is the default: `BreakerError` has none to show.
    name.strip_prefix(type_name::<T>())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['<', '>']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::CircuitBreaker;
    use std::time::Duration;

    /// A user's error, whose `Debug` must not run.
    struct Secret;

    impl Debug for Secret {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("the `Debug` of a user's type ran");
        }
    }

    fn open() -> CircuitOpen {
        let breaker = CircuitBreaker::builder().build().unwrap();
        breaker.force_open();
        breaker.try_acquire().unwrap_err()
    }

    fn timeout() -> CallTimeout {
        CallTimeout::new("users-api".into(), Duration::from_secs(1))
    }

    fn is_refusal<E: Debug>(error: E) -> bool {
        matches!(own_error(&error), Some(BreakerError::Open(_)))
    }

    fn is_timeout<E: Debug>(error: E) -> bool {
        matches!(own_error(&error), Some(BreakerError::TimedOut(_)))
    }

    #[test]
    fn own_type_names_are_recognised() {
        assert!(is_own(type_name::<CircuitOpen>()));
        assert!(is_own(type_name::<CallTimeout>()));
        assert!(is_own(type_name::<BreakerError>()));
        assert!(is_own(type_name::<BreakerError<Secret>>()));
        assert!(is_own(type_name::<BreakerError<BreakerError>>()));
        assert!(is_own(type_name::<Box<BreakerError>>()));
        assert!(is_own(type_name::<Arc<BreakerError<Secret>>>()));
        assert!(is_own(type_name::<Rc<Box<Arc<CircuitOpen>>>>()));
    }

    #[test]
    fn other_type_names_are_not_recognised() {
        struct BreakerErrorOfMine;
        assert!(!is_own(type_name::<Secret>()));
        assert!(!is_own(type_name::<Option<BreakerError>>()));
        assert!(!is_own(type_name::<(BreakerError, u8)>()));
        assert!(!is_own(type_name::<BreakerErrorOfMine>()));
        assert!(!is_own(type_name::<Box<dyn std::error::Error>>()));
        let longer = format!("{}OfMine<()>", type_name::<BreakerError>());
        assert!(!is::<BreakerError>(&longer));
    }

    #[test]
    fn name_inside_follows_pointers_and_breaker_errors() {
        let held = name_inside::<BreakerError<Box<BreakerError<Arc<Secret>>>>>();
        let name = format!("{}>>>>", type_name::<Secret>());
        assert_eq!(held, Some(name.as_str()));
        assert_eq!(name_inside::<Rc<u8>>(), Some("u8>"));
        assert_eq!(name_inside::<BreakerError>(), None);
        assert_eq!(name_inside::<Secret>(), None);
        assert_eq!(name_inside::<Vec<Box<u8>>>(), None);
    }

    #[test]
    fn own_errors_are_extracted_at_any_depth() {
        type Nested<E> = BreakerError<BreakerError<BreakerError<BreakerError<BreakerError<E>>>>>;
        let nested = |error| -> Nested<Secret> {
            let error = BreakerError::Inner(BreakerError::Inner(error));
            BreakerError::Inner(BreakerError::Inner(error))
        };
        assert!(is_refusal(open()));
        assert!(is_refusal(nested(open().into())));
        assert!(is_timeout(nested(timeout().into())));
        assert!(is_refusal(Box::new(nested(open().into()))));
        assert!(is_timeout(BreakerError::Inner(timeout())));
        let shared = Arc::new(BreakerError::<Secret>::from(open()));
        assert!(is_refusal(BreakerError::Inner(Box::new(Rc::new(shared)))));
        assert!(own_error(&nested(BreakerError::Inner(Secret))).is_none());
    }

    #[test]
    fn foreign_debug_never_runs() {
        assert!(own_error(&Secret).is_none());
        assert!(own_error(&Box::new(Secret)).is_none());
        assert!(own_error(&BreakerError::Inner(Secret)).is_none());
        assert!(own_error(&BreakerError::Inner(Arc::new(Secret))).is_none());
    }

    #[test]
    fn debug_writes_again_after_a_request() {
        let error = BreakerError::<u8>::from(timeout());
        let text = format!("{error:?}");
        assert!(own_error(&error).is_some());
        assert!(own_error(&BreakerError::Inner(7)).is_none());
        assert_eq!(format!("{error:?}"), text);
    }

    #[test]
    fn a_debug_that_panics_ends_the_request() {
        let error: &dyn Debug = &Secret;
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| request(error)));
        assert!(panicked.is_err());
        assert!(!is_pending());
        assert!(format!("{:?}", timeout()).contains("users-api"));
    }
}
