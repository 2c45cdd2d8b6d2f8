//! Extraction of a refusal or a timeout from a `BreakerError<X>` whose `X` is unknown.
//!
//! A guard classifies errors of type `E: Debug + 'static`. If `E` is a `BreakerError<X>`, the guard has to
//! know whether the value is a refusal. A downcast would need the type `X`. The only operation of `E` that
//! a guard can call is `Debug`, and this crate implements `Debug` for `BreakerError<X>`. `Debug` therefore
//! has a second use:
//!
//! 1. [`circuit_error`] removes `Box<`, `Arc<` and `Rc<`, which forward `Debug`, from the type name of `E`.
//!    It compares the rest with the error types of this crate, and returns `None` for every other type.
//! 2. It sets a thread-local mark, and formats the error into a writer that discards the text.
//! 3. The `Debug` implementations below check the mark first. If the mark is set, they write nothing.
//!    [`CircuitOpen`] and [`CallTimeout`] store a clone of themselves ([`answer_request`]), and [`AllOpen`]
//!    a clone of one of its refusals.
//!    [`BreakerError`] formats its inner error only if the type belongs to this crate
//!    ([`forward_request`]).
//! 4. [`circuit_error`] clears the mark and takes the clone.
//!
//! The extraction allocates nothing and runs no `Debug` of a user's type. It runs only for errors of
//! guarded code. There are two alternatives, which are worse. A registry of error types would cost time in
//! every call. A `'static` bound on `Debug` for `BreakerError<E>` would permit downcasts, but a user's
//! generic type with `#[derive(Debug)]` would no longer compile.
//!
//! The format of [`type_name`] is not guaranteed. If it changed, the errors of this crate would not be
//! recognised, and the tests below would fail. No other error would be mistaken for one of this crate.

use super::{AllOpen, BreakerError, CallTimeout, CircuitOpen};
use std::any::type_name;
use std::cell::Cell;
use std::fmt::{self, Debug, Write};
use std::rc::Rc;
use std::sync::Arc;

/// A request to `Debug`. Loom and shuttle do not model it: only one thread has access, and one function
/// call sets and clears the mark.
struct Request {
    /// The mark: the `Debug` implementations below answer instead of writing.
    pending: Cell<bool>,
    answer: Cell<Option<BreakerError>>,
}

thread_local! {
    static REQUEST: Request = const {
        Request { pending: Cell::new(false), answer: Cell::new(None) }
    };
}

/// Returns `error` if it is a refusal or a timeout, and `None` if it is an error of the guarded code.
#[inline]
pub(crate) fn circuit_error<E: Debug>(error: &E) -> Option<BreakerError> {
    if !is_own_type_name(type_name::<E>()) {
        return None;
    }
    request(error)
}

#[cold]
fn request(error: &dyn Debug) -> Option<BreakerError> {
    let pending = Pending::begin()?;
    // A foreign type with the same name is the only type that writes. Its first write fails.
    let _ = write!(Discard, "{error:?}");
    drop(pending);
    REQUEST.try_with(|request| request.answer.take()).ok()?
}

/// Answers a pending request with `error`. Returns whether a request was pending.
fn answer_request(error: impl FnOnce() -> BreakerError) -> bool {
    let answered = REQUEST.try_with(|request| {
        let pending = request.pending.get();
        if pending {
            request.answer.set(Some(error()));
        }
        pending
    });
    answered.unwrap_or(false)
}

fn is_pending() -> bool {
    let pending = REQUEST.try_with(|request| request.pending.get());
    pending.unwrap_or(false)
}

/// Forwards a request to the inner error of a [`BreakerError`], if its type belongs to this crate.
fn forward_request<E: Debug>(inner: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if is_own_type_name(type_name::<E>()) {
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
                Self::Inner(error) => forward_request(error, f),
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
        if answer_request(|| self.clone().into()) {
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

impl Debug for AllOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if answer_request(|| self.clone().into()) {
            return Ok(());
        }
        f.debug_tuple("AllOpen").field(&self.refusals()).finish()
    }
}

impl Debug for CallTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if answer_request(|| self.clone().into()) {
            return Ok(());
        }
        f.debug_tuple("CallTimeout").field(&self.0).finish()
    }
}

/// A guard of a pending request. Its drop ends the request, even if a `Debug` panics.
struct Pending;

impl Pending {
    /// Begins a request. Returns `None` if the thread-local storage is already destroyed, at the end of
    /// the thread.
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

/// Returns whether `name` is the name of an error type of this crate, possibly behind pointers.
#[inline]
fn is_own_type_name(name: &'static str) -> bool {
    let name = strip_pointer(name).map_or(name, |name| strip_all(strip_pointer, name));
    is_name_of::<BreakerError>(name)
        || is_name_of::<CircuitOpen>(name)
        || is_name_of::<CallTimeout>(name)
        || is_name_of::<AllOpen>(name)
}

/// Returns the type name inside all pointers and [`BreakerError`]s around it in `T`, followed by one `>`
/// for each of them. Returns `None` if `T` is neither a pointer nor a [`BreakerError`].
#[inline]
pub(crate) fn inner_type_name<T: ?Sized>() -> Option<&'static str> {
    let inner = strip_layer(type_name::<T>())?;
    Some(strip_all(strip_layer, inner))
}

#[cold]
fn strip_all(
    strip: fn(&'static str) -> Option<&'static str>,
    mut name: &'static str,
) -> &'static str {
    while let Some(inner) = strip(name) {
        name = inner;
    }
    name
}

#[inline]
fn strip_layer(name: &'static str) -> Option<&'static str> {
    let breaker_error = type_name::<BreakerError<()>>();
    strip_pointer(name).or_else(|| strip_wrapper(breaker_error, name))
}

#[inline]
fn strip_pointer(name: &'static str) -> Option<&'static str> {
    strip_wrapper(type_name::<Box<()>>(), name)
        .or_else(|| strip_wrapper(type_name::<Arc<()>>(), name))
        .or_else(|| strip_wrapper(type_name::<Rc<()>>(), name))
}

/// Returns the rest of `name` after the wrapper's name and `<`. `wrapper` is the name of a wrapped `()`.
#[inline]
fn strip_wrapper(wrapper: &'static str, name: &'static str) -> Option<&'static str> {
    name.strip_prefix(wrapper.strip_suffix("()>")?)
}

/// Returns whether `name` is the name of `T` with any type parameters.
#[inline]
fn is_name_of<T>(name: &str) -> bool {
    // Type names omit a parameter that has its default: `type_name::<BreakerError>()` has no parameter.
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
        matches!(circuit_error(&error), Some(BreakerError::Open(_)))
    }

    fn is_timeout<E: Debug>(error: E) -> bool {
        matches!(circuit_error(&error), Some(BreakerError::TimedOut(_)))
    }

    #[test]
    fn own_type_names_are_recognised() {
        assert!(is_own_type_name(type_name::<CircuitOpen>()));
        assert!(is_own_type_name(type_name::<CallTimeout>()));
        assert!(is_own_type_name(type_name::<AllOpen>()));
        assert!(is_own_type_name(type_name::<BreakerError>()));
        assert!(is_own_type_name(type_name::<BreakerError<Secret>>()));
        assert!(is_own_type_name(type_name::<BreakerError<BreakerError>>()));
        assert!(is_own_type_name(type_name::<Box<BreakerError>>()));
        assert!(is_own_type_name(type_name::<Arc<BreakerError<Secret>>>()));
        assert!(is_own_type_name(type_name::<Rc<Box<Arc<CircuitOpen>>>>()));
    }

    #[test]
    fn other_type_names_are_not_recognised() {
        struct BreakerErrorOfMine;
        assert!(!is_own_type_name(type_name::<Secret>()));
        assert!(!is_own_type_name(type_name::<Option<BreakerError>>()));
        assert!(!is_own_type_name(type_name::<(BreakerError, u8)>()));
        assert!(!is_own_type_name(type_name::<BreakerErrorOfMine>()));
        assert!(!is_own_type_name(type_name::<Box<dyn std::error::Error>>()));
        let longer = format!("{}OfMine<()>", type_name::<BreakerError>());
        assert!(!is_name_of::<BreakerError>(&longer));
    }

    #[test]
    fn inner_type_name_follows_pointers_and_breaker_errors() {
        let held = inner_type_name::<BreakerError<Box<BreakerError<Arc<Secret>>>>>();
        let name = format!("{}>>>>", type_name::<Secret>());
        assert_eq!(held, Some(name.as_str()));
        assert_eq!(inner_type_name::<Rc<u8>>(), Some("u8>"));
        assert_eq!(inner_type_name::<BreakerError>(), None);
        assert_eq!(inner_type_name::<Secret>(), None);
        assert_eq!(inner_type_name::<Vec<Box<u8>>>(), None);
    }

    #[test]
    fn circuit_errors_are_extracted_at_any_depth() {
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
        assert!(circuit_error(&nested(BreakerError::Inner(Secret))).is_none());
    }

    #[test]
    fn foreign_debug_never_runs() {
        assert!(circuit_error(&Secret).is_none());
        assert!(circuit_error(&Box::new(Secret)).is_none());
        assert!(circuit_error(&BreakerError::Inner(Secret)).is_none());
        assert!(circuit_error(&BreakerError::Inner(Arc::new(Secret))).is_none());
    }

    #[test]
    fn debug_writes_again_after_a_request() {
        let error = BreakerError::<u8>::from(timeout());
        let text = format!("{error:?}");
        assert!(circuit_error(&error).is_some());
        assert!(circuit_error(&BreakerError::Inner(7)).is_none());
        assert_eq!(format!("{error:?}"), text);
    }

    #[test]
    fn debug_panic_ends_request() {
        let error: &dyn Debug = &Secret;
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| request(error)));
        assert!(panicked.is_err());
        assert!(!is_pending());
        assert!(format!("{:?}", timeout()).contains("users-api"));
    }
}
