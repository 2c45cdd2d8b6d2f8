//! Admission as a value, for work that is not one future or closure.

use crate::breaker::{CircuitBreaker, Ticket};
use crate::classify::Outcome;
use crate::guard::{Attempt, ErrorsByRules, Rules};
use std::fmt;

/// Leave to call the dependency; made by [`CircuitBreaker::try_acquire`].
///
/// Say how it went with one of the methods, each of which consumes it. Dropped, the call was
/// cancelled.
///
/// # Examples
///
/// ```
/// use breakerbox::CircuitBreaker;
///
/// let breaker = CircuitBreaker::builder().build()?;
/// let permit = breaker.try_acquire()?;
/// let result = "seven".parse::<u8>();
/// permit.record_result(&result);
/// assert_eq!(breaker.failure_count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a permit that is dropped counts as a cancelled call"]
pub struct Permit {
    attempt: Attempt<CircuitBreaker>,
}

impl Permit {
    #[inline]
    pub(crate) fn new(breaker: CircuitBreaker, ticket: Ticket) -> Self {
        Self {
            attempt: Attempt::admitted(breaker, ticket),
        }
    }

    /// The dependency did its work.
    #[inline]
    pub fn success(self) {
        self.record(Outcome::Success);
    }

    /// The dependency failed. There is no text to keep of it: the
    /// [last failure](CircuitBreaker::last_failure) is none, unless
    /// [`record_result`](Self::record_result) says what it was.
    #[inline]
    pub fn failure(self) {
        self.record(Outcome::Failure);
    }

    /// What the call means.
    #[inline]
    pub fn record(mut self, outcome: Outcome) {
        self.attempt.settle(outcome);
    }

    /// Judges `result` by the breaker's rules; a failure's text becomes the last failure.
    #[inline]
    pub fn record_result<T, E: fmt::Debug + 'static>(mut self, result: &Result<T, E>) {
        self.attempt.judge(&Rules, result);
    }

    /// Classifies `error` by the breaker's rules; the text of a failure becomes the last failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::CircuitBreaker;
    /// use std::io;
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// let permit = breaker.try_acquire()?;
    /// permit.record_error(&io::Error::from(io::ErrorKind::ConnectionRefused));
    /// assert_eq!(breaker.failure_count(), 1);
    /// assert_eq!(breaker.last_failure().as_deref(), Some("Kind(ConnectionRefused)"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn record_error<E: fmt::Debug + 'static>(mut self, error: &E) {
        self.attempt.judge(&ErrorsByRules, error);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit")
            .field(&self.attempt.handle().name())
            .finish()
    }
}
