//! Admission as a value, for work that is not one future or closure.

use crate::breaker::CircuitBreaker;
use crate::call::{self, Call};
use crate::classifier::DefaultClassifier;
use crate::classify::Outcome;
use crate::error::CircuitOpen;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

impl CircuitBreaker {
    /// Asks to pass, for work that is not one future or closure.
    ///
    /// # Errors
    ///
    /// [`CircuitOpen`] when the circuit refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// let permit = users.try_acquire()?;
    /// // … the work …
    /// permit.success();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, CircuitOpen> {
        let token = call::admit(self)?;
        Ok(Permit {
            call: Call::admitted(self.clone(), token),
        })
    }

    /// Waits until the circuit lets a call pass, instead of being refused: for a consumer that may as
    /// well leave its queue alone while a dependency is down.
    ///
    /// Who waits is woken by time, by commands, by new settings and by the end of a trial, and let in
    /// in the order of coming: into half-open as far as there are trials, and one after another once
    /// the circuit closed. It waits through forced open, too. Waits are lengthened by up to a
    /// hundredth (at most 100 ms), so that many processes do not come back at once. Waiting is no
    /// refusal in the totals.
    ///
    /// Where the breaker does not go by the system's clock, it looks at least every 10 ms of tokio's
    /// time. With tokio's time paused, the feature `test-util` makes both one.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled, when it has to wait. It has taken nothing then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes no slot, and loses only its own place in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// let permit = users.until_ready().await;
    /// // … take a message from the queue and work on it …
    /// permit.success();
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn until_ready(&self) -> Permit {
        let token = self.circuit.wait_for_admission().await;
        Permit {
            call: Call::admitted(self.clone(), token),
        }
    }
}

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
    pub(crate) call: Call<CircuitBreaker>,
}

impl Permit {
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
        self.call.record(outcome);
    }

    /// Calls `work`, records its result by the breaker's rules, and returns it.
    ///
    /// The work belongs to the permit: if the permit is a trial of a half-open circuit, guarded calls of
    /// the same circuit that `work` makes on this thread join the trial, instead of being refused because
    /// the permit holds its slot.
    ///
    /// # Errors
    ///
    /// The error of `work`.
    ///
    /// # Panics
    ///
    /// A panic of `work` is a failure, and propagates.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{BreakerError, CircuitBreaker, State};
    ///
    /// let breaker = CircuitBreaker::builder().build()?;
    /// let parse = |text: &str| breaker.call(|| text.parse::<u8>());
    ///
    /// breaker.half_open();
    /// let permit = breaker.try_acquire()?;
    /// assert_eq!(permit.call(|| parse("7"))?, 7);       // the guarded call joins the permit's trial
    /// assert_eq!(breaker.state(), State::Closed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn call<T, E: fmt::Debug + 'static>(
        self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.call.run(&DefaultClassifier, work)
    }

    /// Classifies `result` by the breaker's rules; the text of a failure becomes the last failure.
    #[inline]
    pub fn record_result<T, E: fmt::Debug + 'static>(mut self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.call.record(Outcome::Success),
            Err(error) => self.call.record_error(error),
        }
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
        self.call.record_error(error);
    }
}

// The shared state consists of atomics and of values behind locks, and every lock is released with the state
// whole: user code, which may panic, never runs while one is held. The compiler cannot see that
// through the closures of listeners and predicates.
impl UnwindSafe for Permit {}
impl RefUnwindSafe for Permit {}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit")
            .field(&self.call.breaker().name())
            .finish()
    }
}
