//! A breaker at one moment, for people and dashboards.

use crate::event::Cause;
use crate::rules::RuleSnapshot;
use crate::state::State;
use crate::text::{Escaped, HumanDuration, RemainingTime};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A breaker at one moment.
///
/// State, counts, deadline, attempt and rules come from one generation of the state; the totals are
/// exact when nothing is in flight.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The name of the breaker.
    pub name: Arc<str>,
    /// What it is doing.
    pub state: State,
    /// For how long it has been in that state.
    pub since: Duration,
    /// Why it entered that state; `None` for a breaker that has never changed.
    pub cause: Option<Cause>,
    /// Failures since the last success.
    pub failure_count: u32,
    /// The `Debug` text of the last of them.
    pub last_failure: Option<Arc<str>>,
    /// While open: the time left; [`Duration::MAX`] if the circuit never half-opens.
    pub open_remaining: Option<Duration>,
    /// How often in a row the circuit failed to recover. Of a closed circuit, the attempt from which the
    /// [backoff](crate::BreakerBuilder::reset_backoff_after) will continue.
    pub attempt: u32,
    /// What became of the calls since the breaker was made.
    pub totals: Totals,
    /// Of a half-open circuit, the slots that its trials hold. In other states, the calls that run now and
    /// began since a slow-call rule was set; `None` without such a rule.
    pub in_flight: Option<u32>,
    /// The rules, with their figures.
    pub rules: Vec<RuleSnapshot>,
}

/// What became of the calls since the breaker was made; never goes back.
///
/// `success + failure + ignored + cancelled + late` is the number of calls that ended, each once;
/// `timed_out` and `slow` overlap them. Calls that began and ended while the breaker was disabled are
/// in none of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Succeeded; `None` when successes are not counted.
    pub success: Option<u64>,
    /// Failed.
    pub failure: u64,
    /// Said nothing about the dependency.
    pub ignored: u64,
    /// Were dropped and counted neither as success nor as failure.
    pub cancelled: u64,
    /// Ended after the state in which they had begun, and changed nothing.
    pub late: u64,
    /// Were refused.
    pub refused: u64,
    /// Ran longer than their `.timeout(…)`.
    pub timed_out: u64,
    /// Ran longer than a slow-call rule allows.
    pub slow: u64,
    /// How often a breaker that only watches would have opened.
    pub would_trip: u64,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is {} for {}",
            self.name,
            self.state,
            HumanDuration(self.since)
        )?;
        match self.open_remaining {
            Some(Duration::MAX) => f.write_str(", and stays so")?,
            Some(left) => write!(f, ", another {} to go", RemainingTime(left))?,
            None => {}
        }
        if let Some(cause) = &self.cause {
            write!(f, "\n  because   {cause}")?;
        }
        write!(f, "\n  failures  {} in a row", self.failure_count)?;
        if let Some(last) = &self.last_failure {
            write!(f, ", last: {}", Escaped(last))?;
        }
        if self.attempt > 0 {
            write!(f, "\n  attempt   {}", self.attempt)?;
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
            (self.timed_out, "timed out"),
            (self.slow, "slow"),
            (self.would_trip, "would have tripped"),
        ];
        rest.iter()
            .filter(|(calls, _)| *calls > 0)
            .try_for_each(|(calls, what)| write!(f, ", {calls} {what}"))
    }
}
