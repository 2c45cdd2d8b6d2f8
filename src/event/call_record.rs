//! [`CallRecord`]: one call, as a recorder receives it.

use crate::classify::Outcome;
use crate::state::Refusal;
use std::sync::Arc;
use std::time::Duration;

/// A call that completed or was refused.
///
/// [`BreakerRegistry::record_calls`](crate::BreakerRegistry::record_calls) passes one for each call
/// to its closure.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallRecord<'a> {
    /// The name of the breaker.
    pub name: &'a Arc<str>,
    /// When the call was admitted or refused, since the origin of the
    /// [clock](crate::clock::Clock::now) of the breaker.
    pub started: Duration,
    /// How long the call ran. Zero for a refused call.
    pub elapsed: Duration,
    /// How the call ended.
    pub outcome: CallOutcome,
    /// A label of the error, if the call ended with one.
    ///
    /// The label is the text that [`last_failure`](crate::CircuitBreaker::last_failure) would show:
    /// the `Debug` text of the error after
    /// [`redact_last_failure`](crate::BreakerBuilder::redact_last_failure), up to 128 bytes. It is
    /// `panicked` for a panic, and `timed out` for a call that exceeded its time limit.
    ///
    /// Always `None` if the breaker does not
    /// [capture](crate::BreakerBuilder::capture_last_failure) texts of errors.
    pub error: Option<&'a str>,
}

/// How a recorded call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutcome {
    /// The call ran to its end, and was classified. A panic, and a time limit that was exceeded,
    /// are failures.
    Completed(Outcome),
    /// The call was dropped before its end, whatever the breaker counts it as.
    Cancelled,
    /// The call did not run.
    Refused(Refusal),
}
