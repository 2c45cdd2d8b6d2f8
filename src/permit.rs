//! [`Permit`]: an admitted call as a value, for work that is not a single future or closure.

use crate::breaker::CircuitBreaker;
use crate::call::{self, Call};
use crate::classifier::DefaultClassifier;
use crate::classify::Outcome;
use crate::error::CircuitOpen;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

impl CircuitBreaker {
    /// Acquires a permit for one call, for work that is not a single future or closure.
    ///
    /// The permit may be moved to another thread or task, for example into tokio's `spawn_blocking`.
    /// See [`Permit`].
    ///
    /// # Errors
    ///
    /// Returns [`CircuitOpen`] if the circuit refuses the call.
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

    /// Waits until the circuit admits a call, and returns its permit.
    ///
    /// Use this method in a consumer that can leave messages in its queue while a dependency is down.
    ///
    /// The recovery deadline, a command, new settings and the end of a trial wake the next waiter.
    /// Waiters are admitted in order of arrival: as trials while the circuit is half-open, and one
    /// after another once it is closed. A forced-open circuit makes them wait as well. Each wait is
    /// lengthened at random by up to 1 %, at most 100 ms, which spreads the calls of many processes.
    /// Waiting does not count as a refusal.
    ///
    /// If the breaker has a custom [clock](crate::clock), the future reads it at least every 10 ms of
    /// tokio's time. A [`TokioClock`](crate::clock::TokioClock) follows paused time in tests.
    ///
    /// # Panics
    ///
    /// Panics if it has to wait outside a tokio runtime with time enabled. No slot is taken then.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. Dropping the future takes no slot, and gives up its place in the
    /// queue.
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

/// Permission to call the dependency once, returned by [`CircuitBreaker::try_acquire`] and
/// [`CircuitBreaker::until_ready`].
///
/// Each method consumes the permit and records the outcome of the call. A permit that is dropped
/// counts as a cancelled call, as
/// [`cancelled_as`](crate::BreakerBuilder::cancelled_as) and
/// [`cancelled_after`](crate::BreakerBuilder::cancelled_after) specify.
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
///
/// # Moving a permit to another thread
///
/// A permit owns its handle: it is `Send`, `Sync` and `'static`. It may be moved into a thread, a task
/// or a channel, and records its outcome from there. In `spawn_blocking`, run the work with
/// [`call`](Self::call):
///
/// ```
/// use breakerbox::CircuitBreaker;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let disk = CircuitBreaker::builder().build()?;
/// let permit = disk.try_acquire()?;
/// let read = move || permit.call(|| std::fs::read_to_string("Cargo.toml"));
/// let text = tokio::task::spawn_blocking(read).await??;
/// # assert!(!text.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a permit that is dropped counts as a cancelled call"]
pub struct Permit {
    pub(crate) call: Call<CircuitBreaker>,
}

impl Permit {
    /// Records a success.
    #[inline]
    pub fn success(self) {
        self.record(Outcome::Success);
    }

    /// Records a failure without an error.
    ///
    /// The [last failure](CircuitBreaker::last_failure) becomes `None`. To keep the text of an error,
    /// use [`record_error`](Self::record_error).
    #[inline]
    pub fn failure(self) {
        self.record(Outcome::Failure);
    }

    /// Records `outcome`.
    #[inline]
    pub fn record(mut self, outcome: Outcome) {
        self.call.record(outcome);
    }

    /// Calls `work`, records its result by the breaker's rules, and returns the result.
    ///
    /// `work` is part of the permit's call. If the permit is a trial of a half-open circuit, `work` may
    /// make guarded calls of the same circuit on this thread: they join the trial. Outside this method,
    /// such calls may be refused, because the permit holds a slot.
    ///
    /// # Errors
    ///
    /// Returns the error of `work`.
    ///
    /// # Panics
    ///
    /// A panic of `work` is recorded as a failure, and propagates.
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

    /// Classifies `result` by the breaker's rules and records the outcome. The `Debug` text of a failure
    /// becomes the [last failure](CircuitBreaker::last_failure).
    #[inline]
    pub fn record_result<T, E: fmt::Debug + 'static>(mut self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.call.record(Outcome::Success),
            Err(error) => self.call.record_error(error),
        }
    }

    /// Classifies `error` by the breaker's rules and records the outcome. The `Debug` text of a failure
    /// becomes the [last failure](CircuitBreaker::last_failure).
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

// The shared state consists of atomics and of values behind locks. User code, which may panic, never runs
// while a lock is held, so every value is consistent when its lock is released. The compiler cannot derive
// this, because the state contains closures of listeners and predicates.
impl UnwindSafe for Permit {}
impl RefUnwindSafe for Permit {}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit")
            .field(&self.call.breaker().name())
            .finish()
    }
}
