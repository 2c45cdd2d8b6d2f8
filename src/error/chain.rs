use super::circuit_open::NotCalled;
use crate::panic::catch;
use std::error::Error;
use std::io;
use std::sync::Arc;

/// The maximum number of links to walk. A chain of sources may be cyclic.
const MAX_LINKS: usize = 64;

/// Returns whether `error`, or an error in the chain of its sources, is the refusal of a breaker.
///
/// A guard recognizes refusals in the errors of this crate, in boxed errors, in `anyhow::Error` and in
/// `io::Error`. It cannot look into an error type of an application, unless a rule of the breaker names
/// the type. Use this function in such a rule:
///
/// ```
/// use breakerbox::prelude::*;
///
/// #[derive(Debug, thiserror::Error)]
/// enum AppError {
///     #[error("no answer: {0}")]
///     Circuit(#[from] BreakerError),
/// }
///
/// let orders = CircuitBreaker::builder()
///     .ignored_error_if(|error: &AppError| breakerbox::is_refusal(error))
///     .build()?;
/// # let users = CircuitBreaker::builder().build()?;
/// users.force_open();
/// let order = || -> Result<(), AppError> {
///     users.try_acquire().map_err(BreakerError::from)?.success();
///     Ok(())
/// };
/// assert!(orders.call(order).is_err());
/// assert_eq!(orders.failure_count(), 0);
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
///
/// The chain includes the payload of an [`io::Error`], which `source()` omits, and ends after 64 links.
pub fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    // Not `CircuitOpen` itself: a type with `#[error(transparent)]` hides it, but forwards its source.
    chain(error).any(<dyn Error>::is::<NotCalled>)
}

/// Returns an iterator over `error` and its sources, at most 64 links.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    // A `source()` that panics ends the chain, because a panic during classification must not unwind the
    // call.
    let source = |link: &'a (dyn Error + 'static)| catch(|| link.source()).ok().flatten();
    std::iter::successors(Some(error), move |&link| {
        hidden_source(link).or_else(|| source(link))
    })
    .take(MAX_LINKS)
}

/// Returns `link` as a `T`. Looks into a `Box` and an `Arc`, because their `source()` skips the `T`.
pub(crate) fn link_as<'a, T: Error + 'static>(link: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let boxed = || link.downcast_ref::<Box<T>>().map(|error| &**error);
    let shared = || link.downcast_ref::<Arc<T>>().map(|error| &**error);
    link.downcast_ref().or_else(boxed).or_else(shared)
}

/// Returns the error inside `link` that its `source()` omits.
fn hidden_source<'a>(link: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(error) = link_as::<io::Error>(link) {
        return error.get_ref().map(|payload| payload as _);
    }
    if let Some(error) = link.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**error);
    }
    if let Some(error) = link.downcast_ref::<Arc<dyn Error + Send>>() {
        return Some(&**error);
    }
    link.downcast_ref::<Arc<dyn Error>>().map(|error| &**error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    /// An error that is its own source.
    #[derive(Debug)]
    struct Endless;

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("endless")
        }
    }

    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    #[test]
    fn chain_ends_after_64_links() {
        assert_eq!(chain(&Endless).count(), 64);
    }

    #[test]
    fn payload_of_io_error_is_a_link() {
        let error = io::Error::other(io::Error::other(fmt::Error));
        assert!(error.source().is_none());
        assert_eq!(chain(&error).count(), 3);
        assert_eq!(chain(&Box::new(error)).count(), 3);
        assert_eq!(chain(&io::Error::from(io::ErrorKind::Other)).count(), 1);
    }

    #[test]
    fn shared_error_is_a_link() {
        let error: Arc<dyn Error + Send + Sync> = Arc::new(Arc::new(fmt::Error));
        assert!(error.source().is_none());
        let found = chain(&error).find_map(link_as::<fmt::Error>);
        assert!(found.is_some());
        let error: Arc<dyn Error> = Arc::new(fmt::Error);
        assert_eq!(chain(&error).count(), 2);
    }
}
