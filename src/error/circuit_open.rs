use super::refusal_link::{RefusalCause, RefusalLink};
use crate::refusal_details::RefusalDetails;
use crate::state::{Refusal, State};
use crate::text::{Escaped, RemainingTime, plural};
use std::error::Error;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

/// A refusal by a circuit. The guarded code was not called.
///
/// The error describes the circuit at the time of the refusal. Only
/// [`last_failure`](CircuitOpen::last_failure) reads the present state of the circuit.
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, Refusal, State};
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::builder().name("users-api").build()?;
/// breaker.trip_for(Duration::from_secs(3600));
/// let open = breaker.try_acquire().unwrap_err();
/// assert_eq!(open.name(), "users-api");
/// assert_eq!(open.state(), State::Open);
/// assert_eq!(open.reason(), Refusal::Open);
/// assert!(open.retry_after() > Some(Duration::from_secs(3590)));
/// assert!(open.to_string().starts_with("circuit \"users-api\" is open for another"));
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
///
/// `{:#}` adds the last failure, and why the circuit opened: the number of consecutive failures, the
/// values of another rule, a failed trial, or a command. `{}` omits them, because error texts often become
/// part of responses.
///
/// The error keeps the name of its breaker, but does not keep the breaker alive. A refusal allocates
/// nothing, except for the first refusal of a breaker on a thread.
#[derive(Clone)]
pub struct CircuitOpen {
    link: Arc<RefusalLink>,
    refused: RefusalDetails,
}

impl CircuitOpen {
    #[inline]
    pub(crate) fn new(link: Arc<RefusalLink>, refused: RefusalDetails) -> Self {
        Self { link, refused }
    }

    /// Creates the refusal of a call for which there was no circuit to choose.
    pub(super) fn by_no_circuit() -> Self {
        let link = RefusalLink::without_circuit();
        Self::new(Arc::new(link), RefusalDetails::by_no_circuit())
    }

    /// Returns the name of the breaker.
    pub fn name(&self) -> &str {
        self.link.name()
    }

    /// Returns the state in which the circuit refused the call.
    pub fn state(&self) -> State {
        match self.refused.reason() {
            Refusal::Open => State::Open,
            Refusal::TrialsTaken => State::HalfOpen,
            Refusal::Forced => State::ForcedOpen,
            Refusal::RampingUp => State::Closed,
        }
    }

    /// Returns why the circuit refused the call.
    pub fn reason(&self) -> Refusal {
        self.refused.reason()
    }

    /// Returns how long to wait before the next call.
    ///
    /// For an open circuit, this is the remaining recovery timeout. For a half-open circuit, it is the
    /// remaining lease of the trials that hold all slots. For a circuit that ramps up, it is a twentieth of
    /// [`ramp_up`](crate::BreakerBuilder::ramp_up), at most a second. Returns `None` if the circuit is
    /// forced open, and [`Duration::MAX`] if the wait has no end. The duration is never zero, and at most 20 ms too long.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refused.retry_after()
    }

    /// Returns the number of consecutive failures at the time of the refusal.
    pub fn failure_count(&self) -> u32 {
        self.refused.failure_count()
    }

    /// Returns the `Debug` text of the last failure.
    ///
    /// Returns `None` if the breaker no longer exists, or if its circuit has changed its state since the
    /// refusal.
    pub fn last_failure(&self) -> Option<Arc<str>> {
        self.link.last_failure_of(self.refused.generation())
    }

    /// Writes why the circuit refuses calls, and the last failure, if anything is known about them.
    fn fmt_cause(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = self.failure_count();
        let ending = plural(failures);
        match self.link.cause_of(self.refused.generation()) {
            Some(RefusalCause::Other(cause)) => write!(f, " ({cause}")?,
            _ if failures == 0 => return Ok(()),
            Some(RefusalCause::ConsecutiveFailures) => write!(f, " ({failures} failure{ending}")?,
            // The failures need not be the reason, so the text says which failures they are.
            None => write!(f, " ({failures} consecutive failure{ending}")?,
        }
        if let Some(last) = self.last_failure() {
            write!(f, ", last: {}", Escaped(&last))?;
        }
        f.write_str(")")
    }
}

// The shared state consists of atomics and of values behind locks. User code, which may panic, never runs
// while a lock is held, so every value is consistent when its lock is released. The compiler cannot derive
// this, because the state contains closures of listeners and predicates.
impl UnwindSafe for CircuitOpen {}
impl RefUnwindSafe for CircuitOpen {}

impl fmt::Display for CircuitOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.link.has_no_circuit() {
            return f.write_str(NO_CIRCUIT);
        }
        write!(f, "circuit {:?} is ", self.name())?;
        match (self.reason(), self.retry_after()) {
            (Refusal::Forced, _) => f.write_str("forced open")?,
            (Refusal::Open, Some(Duration::MAX) | None) => {
                f.write_str("open until a command closes it")?;
            }
            (Refusal::Open, Some(left)) => write!(f, "open for another {}", RemainingTime(left))?,
            (Refusal::TrialsTaken, _) => f.write_str("half-open and admits no more trials")?,
            (Refusal::RampingUp, _) => f.write_str("ramping up and admits only some calls")?,
        }
        if f.alternate() {
            self.fmt_cause(f)?;
        }
        Ok(())
    }
}

/// The text of a refusal without a circuit.
pub(super) const NO_CIRCUIT: &str = "there is no circuit breaker to choose from";

/// The source of every refusal.
///
/// An error type with `#[error(transparent)]` forwards `source()` to the refusal inside it. The chain of
/// such an error omits the refusal, but not this source.
#[derive(Debug)]
pub(super) struct NotCalled;

impl fmt::Display for NotCalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guarded code was not called")
    }
}

impl Error for NotCalled {}

impl Error for CircuitOpen {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&NotCalled)
    }
}
