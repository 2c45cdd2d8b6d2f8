use super::{RuleKind, TripRule, WindowCounts};
use crate::text::{Percent, plural};
use std::fmt;

/// A rule, with the contents of its window.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RuleSnapshot {
    /// The rule.
    pub rule: TripRule,
    /// The number of calls in the window. Without a window, the consecutive failures.
    pub recorded: u32,
    /// The number of failures among the `recorded` calls.
    pub failed: u32,
    /// The number of slow calls among the `recorded` calls.
    pub slow: u32,
    /// The rate that the rule compares with its threshold, from 0.0 to 1.0. `None` if the window
    /// contains fewer than the [minimum of calls](TripRule::minimum_calls), and for rules without a
    /// rate.
    pub rate: Option<f64>,
}

impl RuleSnapshot {
    pub(crate) fn new(rule: TripRule, counts: WindowCounts) -> Self {
        let rate = rule.rate(counts);
        let WindowCounts {
            recorded,
            failed,
            slow,
        } = counts;
        Self {
            rule,
            recorded,
            failed,
            slow,
            rate,
        }
    }

    /// Returns the number of calls that count against the rule.
    #[cfg(feature = "fleet")]
    pub(crate) fn counted(&self) -> u32 {
        match self.rule.kind {
            RuleKind::SlowCalls(_) => self.slow,
            RuleKind::Consecutive(_) | RuleKind::Failures(_) | RuleKind::FailureRate(_) => {
                self.failed
            }
        }
    }

    /// Returns `true` if the rule is met.
    pub(crate) fn is_met(&self) -> bool {
        self.rule.is_met(WindowCounts {
            recorded: self.recorded,
            failed: self.failed,
            slow: self.slow,
        })
    }
}

impl fmt::Display for RuleSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            recorded,
            failed,
            slow,
            rate,
        } = self;
        let calls = plural(*recorded);
        match rule.kind {
            RuleKind::Consecutive(_) if self.is_met() => {
                return write!(f, "{failed} consecutive failure{}", plural(*failed));
            }
            RuleKind::Consecutive(threshold) => {
                return write!(f, "{failed} of {threshold} consecutive failures");
            }
            RuleKind::Failures(_) | RuleKind::FailureRate(_) => {
                write!(f, "{rule}: {failed} of {recorded} call{calls} failed")?;
            }
            RuleKind::SlowCalls(_) => {
                write!(f, "{rule}: {slow} of {recorded} call{calls} slow")?;
            }
        }
        rate.map_or(Ok(()), |rate| write!(f, ", {}", Percent(rate)))
    }
}
