use super::{Kind, TripRule, WindowCounts};
use crate::text::Percent;
use std::fmt;

/// A rule with its figures.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RuleSnapshot {
    /// The rule.
    pub rule: TripRule,
    /// Outcomes in its window; for consecutive failures, the failures in a row.
    pub recorded: u32,
    /// Failures among them.
    pub failed: u32,
    /// Slow calls among them.
    pub slow: u32,
    /// The rate that the rule compares; `None` below its minimum of calls, and for rules without
    /// a rate.
    pub rate: Option<f64>,
}

impl RuleSnapshot {
    pub(crate) fn new(rule: TripRule, figures: WindowCounts) -> Self {
        let rate = rule.rate(figures);
        let WindowCounts {
            recorded,
            failed,
            slow,
        } = figures;
        Self {
            rule,
            recorded,
            failed,
            slow,
            rate,
        }
    }

    /// Whether the rule is met.
    pub(crate) fn holds(&self) -> bool {
        self.rule.holds(WindowCounts {
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
        write!(f, "{rule}: ")?;
        match rule.kind {
            Kind::Consecutive(_) => write!(f, "{failed}")?,
            Kind::Failures(_) | Kind::FailureRate(_) => write!(f, "{failed} of {recorded}")?,
            Kind::SlowCalls(_) => write!(f, "{slow} slow of {recorded}")?,
        }
        rate.map_or(Ok(()), |rate| write!(f, ", {}", Percent(rate)))
    }
}
