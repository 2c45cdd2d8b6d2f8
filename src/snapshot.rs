//! [`Snapshot`]: the state of a breaker at one moment.

use crate::event::Cause;
use crate::rules::RuleSnapshot;
use crate::state::State;
use crate::text::{Escaped, HumanDuration, Percent, RemainingTime};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The state of a breaker at one moment.
///
/// State, failure count, deadline, attempt and rules belong to one generation of the state. The
/// totals are exact if no call is in flight. `Display` prints several lines for people.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The name of the breaker.
    pub name: Arc<str>,
    /// The state of the circuit.
    pub state: State,
    /// The time since the circuit entered this state.
    pub since: Duration,
    /// Why the circuit entered this state, or `None` if the state has never changed.
    pub cause: Option<Cause>,
    /// The number of failures since the last success.
    pub failure_count: u32,
    /// The `Debug` text of the last failure, if it is
    /// [kept](crate::BreakerBuilder::capture_last_failure).
    pub last_failure: Option<Arc<str>>,
    /// The time until an open circuit becomes half-open. [`Duration::MAX`] means until a command.
    pub open_remaining: Option<Duration>,
    /// The number of consecutive failed recoveries.
    ///
    /// For a closed circuit, this is the attempt from which the
    /// [backoff](crate::BreakerBuilder::reset_backoff_after) continues.
    pub attempt: u32,
    /// The share of calls that a closed circuit admits while it
    /// [ramps up](crate::BreakerBuilder::ramp_up), from 0.1 to 1, or `None` if it does not ramp up.
    pub ramp_up_share: Option<f64>,
    /// Counts of calls since the breaker was created.
    pub totals: Totals,
    /// The number of calls in flight, if known.
    ///
    /// For a half-open circuit, this is the number of slots held by trials. In other states, calls
    /// are counted that started after a slow-call rule was set; without such a rule, the value is
    /// `None`.
    pub in_flight: Option<u32>,
    /// The rules with their current values.
    pub rules: Vec<RuleSnapshot>,
}

/// Counts of calls since the breaker was created. Counts never decrease.
///
/// Each completed call is counted once in `success`, `failure`, `ignored`, `cancelled` or `late`.
/// The fields `outlived`, `timed_out` and `slow` overlap with these. Calls that started and ended while the
/// breaker was disabled are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Successful calls, or `None` if successes are not counted.
    pub success: Option<u64>,
    /// Failed calls.
    pub failure: u64,
    /// Calls whose result says nothing about the health of the dependency.
    pub ignored: u64,
    /// Dropped calls that counted neither as success nor as failure.
    pub cancelled: u64,
    /// Calls that ended after the state in which they started, and did not affect the circuit.
    pub late: u64,
    /// Refused calls.
    pub refused: u64,
    /// Calls that ran inside a trial of the same breaker, as part of that trial.
    ///
    /// Such a call [joins](https://docs.rs/breakerbox/latest/breakerbox/guide/composition/index.html) the
    /// trial. Its outcome is not recorded.
    pub joined: u64,
    /// Trials that lost their slots, because they outlived their
    /// [lease](crate::BreakerBuilder::trial_timeout).
    pub outlived: u64,
    /// Calls that exceeded their `.timeout(…)`.
    pub timed_out: u64,
    /// Calls that exceeded the limit of a slow-call rule.
    pub slow: u64,
    /// How often a metrics-only breaker would have opened.
    pub would_trip: u64,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} has been {} for {}",
            self.name,
            self.state,
            HumanDuration(self.since)
        )?;
        match self.open_remaining {
            Some(Duration::MAX) => f.write_str(", until a command closes it")?,
            Some(left) => write!(f, ", {} remaining", RemainingTime(left))?,
            None => {}
        }
        if let Some(cause) = &self.cause {
            write!(f, "\n  because   {cause}")?;
        }
        write!(f, "\n  failures  {} consecutive", self.failure_count)?;
        if let Some(last) = &self.last_failure {
            write!(f, ", last: {}", Escaped(last))?;
        }
        if self.attempt > 0 {
            write!(f, "\n  attempt   {}", self.attempt)?;
        }
        if let Some(share) = self.ramp_up_share {
            write!(f, "\n  ramp-up   {} of the calls", Percent(share))?;
        }
        for rule in &self.rules {
            write!(f, "\n  rule      {rule}")?;
        }
        if let Some(calls) = self.in_flight {
            write!(f, "\n  in flight {calls}")?;
        }
        write!(f, "\n  calls     {}", self.totals)
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(success) = self.success {
            write!(f, "{success} succeeded, ")?;
        }
        write!(f, "{} failed, {} refused", self.failure, self.refused)?;
        let rest = [
            (self.ignored, "ignored"),
            (self.cancelled, "cancelled"),
            (self.late, "late"),
            (self.joined, "joined a trial"),
            (self.outlived, "outlived their lease"),
            (self.timed_out, "timed out"),
            (self.slow, "slow"),
            (self.would_trip, "would have tripped"),
        ];
        rest.iter()
            .filter(|(calls, _)| *calls > 0)
            .try_for_each(|(calls, what)| write!(f, ", {calls} {what}"))
    }
}
