use super::extract;
use crate::breaker::CircuitBreaker;
use crate::refused::Refused;
use crate::registry::{Slip, notify, notify_at_hand};
use crate::state::{Refusal, State};
use crate::text::{Left, Plain};
use std::error::Error;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

/// A refusal: the guarded code was not called.
///
/// It describes the moment of the refusal; only [`last_failure`](CircuitOpen::last_failure) is
/// looked up when it is asked for.
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
/// `{:#}` adds the failures and the last of them. It is not in the plain text, since people put
/// errors into responses.
///
/// One word, and no handle: it may outlive its breaker. Two refusals of one breaker that a thread
/// holds at the same time take an allocation; otherwise none does.
#[derive(Clone)]
pub struct CircuitOpen(Arc<Slip>);

impl CircuitOpen {
    pub(crate) fn new(breaker: &CircuitBreaker, refused: Refused) -> Self {
        Self(notify(breaker, refused))
    }

    /// Of what `refused` tells, if it refuses and this thread has a slip for it at hand; it has been
    /// counted then.
    #[inline]
    pub(crate) fn at_hand(
        breaker: &CircuitBreaker,
        refused: impl FnOnce() -> Option<Refused>,
    ) -> Option<Self> {
        notify_at_hand(breaker, refused).map(Self)
    }

    /// Whether somebody may want to hear of it.
    #[inline]
    pub(crate) fn is_heard(&self) -> bool {
        self.0.is_heard()
    }

    pub(crate) fn refused(&self) -> Refused {
        self.0.read()
    }

    /// The name of the breaker.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The state in which it refused.
    pub fn state(&self) -> State {
        match self.refused().reason() {
            Refusal::Open => State::Open,
            Refusal::TrialsTaken => State::HalfOpen,
            Refusal::Forced => State::ForcedOpen,
        }
    }

    /// Why it refused.
    pub fn reason(&self) -> Refusal {
        self.refused().reason()
    }

    /// When to come back: the time left when open, the rest of the trials' lease when their slots
    /// were taken, `None` when forced open. Never zero, nor less than it takes, and at most 20 ms more;
    /// [`Duration::MAX`] for ever.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refused().retry_after()
    }

    /// The failures in a row that the breaker had counted.
    pub fn failure_count(&self) -> u32 {
        self.refused().failure_count()
    }

    /// The `Debug` text of the last failure, while the breaker is there and its circuit has not moved on
    /// since the refusal.
    pub fn last_failure(&self) -> Option<Arc<str>> {
        let generation = self.refused().generation();
        self.0.circuit()?.last_failure_of(generation)
    }
}

// The shared state consists of atomics and of values behind locks, and every lock is released with the state
// whole: user code, which may panic, never runs while one is held. The compiler cannot see that
// through the closures of listeners and predicates.
impl UnwindSafe for CircuitOpen {}
impl RefUnwindSafe for CircuitOpen {}

impl fmt::Display for CircuitOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "circuit {:?} is ", self.name())?;
        match (self.reason(), self.retry_after()) {
            (Refusal::Forced, _) => f.write_str("forced open")?,
            (Refusal::Open, Some(Duration::MAX) | None) => f.write_str("open for ever")?,
            (Refusal::Open, Some(left)) => write!(f, "open for another {}", Left(left))?,
            (Refusal::TrialsTaken, _) => f.write_str("half-open and its trials are taken")?,
        }
        if !f.alternate() || self.failure_count() == 0 {
            return Ok(());
        }
        let failures = self.failure_count();
        let plural = if failures == 1 { "" } else { "s" };
        write!(f, " ({failures} failure{plural}")?;
        if let Some(last) = self.last_failure() {
            write!(f, ", last: {}", Plain(&last))?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for CircuitOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if extract::answer(|| self.clone().into()) {
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

/// The source of every refusal. An error type that forwards `source()` to the refusal that it holds, as
/// `#[error(transparent)]` does, leaves the refusal itself out of its chain, but not this.
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
