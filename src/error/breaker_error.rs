use super::{CallTimeout, CircuitOpen};
use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Display};
use std::io;

/// The error of a guarded call: an error of the circuit, or the error of the guarded code.
///
/// `BreakerError` without a type parameter is only an error of the circuit.
/// [`flatten`](Self::flatten) and [`flatten_into`](Self::flatten_into) convert it to an error type of the
/// caller with `From`.
///
/// A breaker around a guarded call returns `BreakerError<BreakerError<E>>`. The methods look through
/// such nesting at any depth. For example, [`is_open`](Self::is_open) returns true if any of the
/// breakers refused the call.
///
/// # Examples
///
/// ```
/// use breakerbox::{BreakerError, CircuitBreaker};
///
/// let breaker = CircuitBreaker::builder().build()?;
/// let error = breaker.call(|| "x".parse::<u8>()).unwrap_err();
/// assert!(!error.is_open());
/// assert_eq!(error.to_string(), "invalid digit found in string");
///
/// let status = match error {
///     BreakerError::Open(_) => 503,
///     BreakerError::TimedOut(_) => 504,
///     BreakerError::Inner(_) => 400,
/// };
/// assert_eq!(status, 400);
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
///
/// [`source()`](Error::source) returns the [`CircuitOpen`], the [`CallTimeout`] or the error of the
/// guarded code. Code that walks a chain of sources therefore finds refusals. `Display` writes the text
/// of that source, so a report of the whole chain contains the text twice.
#[derive(Clone)]
pub enum BreakerError<E = Infallible> {
    /// The circuit refused the call, and the guarded code was not called.
    Open(CircuitOpen),
    /// The call ran longer than its `.timeout(…)`, or a stream gave no item for its `.idle_timeout(…)`.
    TimedOut(CallTimeout),
    /// The guarded code returned this error.
    Inner(E),
}

impl<E> BreakerError<E> {
    /// Returns the error of the guarded code, or converts an error of the circuit to that type.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::CircuitBreaker;
    /// use std::error::Error;
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// let parse = || Ok::<u8, Box<dyn Error>>("7".parse()?);
    /// let seven: Result<u8, Box<dyn Error>> = breaker.call(parse).map_err(|error| error.flatten());
    /// assert_eq!(seven?, 7);
    /// # Ok::<(), Box<dyn Error>>(())
    /// ```
    pub fn flatten(self) -> E
    where
        E: From<BreakerError>,
    {
        self.flatten_into()
    }

    /// Converts the error to the error type `A` of an application.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use std::num::ParseIntError;
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// enum AppError {
    ///     #[error("no answer: {0}")]
    ///     Circuit(#[from] BreakerError),
    ///     #[error("not a number: {0}")]
    ///     Number(#[from] ParseIntError),
    /// }
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// let parse = |text: &str| breaker.call(|| text.parse::<u8>());
    /// let error = parse("x").map_err(|error| error.flatten_into::<AppError>());
    /// assert!(matches!(error, Err(AppError::Number(_))));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn flatten_into<A>(self) -> A
    where
        A: From<E> + From<BreakerError>,
    {
        match self {
            Self::Open(open) => A::from(BreakerError::Open(open)),
            Self::TimedOut(timeout) => A::from(BreakerError::TimedOut(timeout)),
            Self::Inner(error) => A::from(error),
        }
    }

    /// Converts the error of the guarded code with `f`, and leaves errors of the circuit unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{BreakerError, CircuitBreaker};
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// let result = breaker.call(|| "x".parse::<u8>());
    /// let result = result.map_err(|error| error.map_inner(|_| "not a number"));
    /// assert!(matches!(result, Err(BreakerError::Inner("not a number"))));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn map_inner<F>(self, f: impl FnOnce(E) -> F) -> BreakerError<F> {
        match self {
            Self::Open(open) => BreakerError::Open(open),
            Self::TimedOut(timeout) => BreakerError::TimedOut(timeout),
            Self::Inner(error) => BreakerError::Inner(f(error)),
        }
    }
}

impl<E> From<CircuitOpen> for BreakerError<E> {
    fn from(open: CircuitOpen) -> Self {
        Self::Open(open)
    }
}

impl<E> From<CallTimeout> for BreakerError<E> {
    fn from(timeout: CallTimeout) -> Self {
        Self::TimedOut(timeout)
    }
}

/// The kind is [`TimedOut`](io::ErrorKind::TimedOut) for a timeout and [`Other`](io::ErrorKind::Other)
/// for a refusal. Callers do not retry an error of the kind `Other` at once.
/// [`get_ref`](io::Error::get_ref) returns the `BreakerError`.
impl From<BreakerError> for io::Error {
    fn from(error: BreakerError) -> Self {
        let kind = if error.is_timed_out() {
            io::ErrorKind::TimedOut
        } else {
            io::ErrorKind::Other
        };
        Self::new(kind, error)
    }
}

impl<E: Display> Display for BreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(open) => Display::fmt(open, f),
            Self::TimedOut(timeout) => Display::fmt(timeout, f),
            Self::Inner(error) => Display::fmt(error, f),
        }
    }
}

impl<E: Error + 'static> Error for BreakerError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open(open) => Some(open),
            Self::TimedOut(timeout) => Some(timeout),
            Self::Inner(error) => Some(error),
        }
    }
}
