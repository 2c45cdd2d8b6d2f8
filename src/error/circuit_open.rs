use super::refusal_link::RefusalLink;
use crate::refused::Refused;
use crate::state::{Refusal, State};
use crate::text::{Escaped, RemainingTime};
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
/// An error keeps no breaker alive, and keeps the name of a breaker that has ended. It takes no
/// allocation after the first refusal of a breaker on a thread.
#[derive(Clone)]
pub struct CircuitOpen {
    link: Arc<RefusalLink>,
    refused: Refused,
}

impl CircuitOpen {
    #[inline]
    pub(crate) fn new(link: Arc<RefusalLink>, refused: Refused) -> Self {
        Self { link, refused }
    }

    /// The name of the breaker.
    pub fn name(&self) -> &str {
        self.link.name()
    }

    /// The state in which it refused.
    pub fn state(&self) -> State {
        match self.refused.reason() {
            Refusal::Open => State::Open,
            Refusal::TrialsTaken => State::HalfOpen,
            Refusal::Forced => State::ForcedOpen,
        }
    }

    /// Why it refused.
    pub fn reason(&self) -> Refusal {
        self.refused.reason()
    }

    /// When to come back: the time left when open, the rest of the trials' lease when their slots
    /// were taken, `None` when forced open. Never zero, nor less than it takes, and at most 20 ms more;
    /// [`Duration::MAX`] for ever.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refused.retry_after()
    }

    /// The failures in a row that the breaker had counted.
    pub fn failure_count(&self) -> u32 {
        self.refused.failure_count()
    }

    /// The `Debug` text of the last failure, while the breaker is there and its circuit has not moved on
    /// since the refusal.
    pub fn last_failure(&self) -> Option<Arc<str>> {
        self.link.last_failure_of(self.refused.generation())
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
            (Refusal::Open, Some(left)) => write!(f, "open for another {}", RemainingTime(left))?,
            (Refusal::TrialsTaken, _) => f.write_str("half-open and its trials are taken")?,
        }
        if !f.alternate() || self.failure_count() == 0 {
            return Ok(());
        }
        let failures = self.failure_count();
        let plural = if failures == 1 { "" } else { "s" };
        write!(f, " ({failures} failure{plural}")?;
        if let Some(last) = self.last_failure() {
            write!(f, ", last: {}", Escaped(&last))?;
        }
        f.write_str(")")
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
