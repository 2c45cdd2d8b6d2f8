//! [`Call`]: one call of the traffic.

use std::sync::Arc;
use std::time::Duration;

/// One call of the traffic, recorded or generated.
///
/// Traffic is an iterator of calls in the order of [`start`](Self::start). Calls that start at the
/// same time are replayed in the order of the iterator.
///
/// # Examples
///
/// ```
/// use breakerbox_replay::{Call, Outcome};
/// use std::time::Duration;
///
/// let mut call = Call::new("users-api", Duration::from_millis(1_500), Outcome::Failure);
/// call.duration = Some(Duration::from_millis(30));
/// call.error = Some("503".into());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// When the call started, since the epoch of the traffic: the Unix epoch in a log, and the
    /// first moment in a scenario.
    pub start: Duration,
    /// The name of the breaker.
    pub name: Arc<str>,
    /// The process that made the call. Each process has breakers of its own.
    pub instance: Option<Arc<str>>,
    /// How long the call ran. `None` if the source does not say: the call then takes no time.
    pub duration: Option<Duration>,
    /// How the call ended.
    pub outcome: Outcome,
    /// The kind of the error, or the status.
    pub error: Option<Arc<str>>,
    /// The request to which the call belongs. Retries of one request have the same text.
    pub request: Option<Arc<str>>,
}

impl Call {
    /// Creates a call without a duration.
    pub fn new(name: impl Into<Arc<str>>, start: Duration, outcome: Outcome) -> Self {
        Self {
            start,
            name: name.into(),
            instance: None,
            duration: None,
            outcome,
            error: None,
            request: None,
        }
    }

    /// Returns when the call ended, since the epoch of the traffic.
    pub fn end(&self) -> Duration {
        self.start
            .saturating_add(self.duration.unwrap_or(Duration::ZERO))
    }
}

/// How a call of the traffic ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Outcome {
    /// The dependency answered.
    Success,
    /// The dependency failed.
    Failure,
    /// The end says nothing about the dependency.
    Ignored,
    /// The caller gave the call up.
    Cancelled,
    /// The call never ran, because a breaker refused it. What it would have returned is unknown.
    Refused,
}

impl Outcome {
    /// Returns the word for the outcome, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Ignored => "ignored",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }
}
