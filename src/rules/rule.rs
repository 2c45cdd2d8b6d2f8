use super::{Window, WindowCounts, WindowKind};
use crate::text::{HumanDuration, Percent, plural};
use std::fmt;
use std::time::Duration;

/// A rule that opens a closed circuit.
///
/// A rule is plain data. A breaker may have several rules, and each of them can open the circuit.
/// Only a call that counts against a rule can trip the rule: a failure, or a slow call for
/// [`slow_calls`](TripRule::slow_calls).
///
/// Every comparison is inclusive (`>=`), with one exception: a call is slow if it took *longer*
/// than [`slower_than`](TripRule::slower_than).
///
/// # Default
///
/// * [`minimum_calls`](TripRule::minimum_calls): 10, or the size of a smaller window of calls
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, TripRule, Window};
/// use std::time::Duration;
///
/// let minute = Window::time(Duration::from_secs(60));
/// let breaker = CircuitBreaker::builder()
///     .trip_when(TripRule::failure_rate(0.5).over(Window::calls(100)).minimum_calls(20))
///     .trip_when(TripRule::slow_calls(0.8).slower_than(Duration::from_secs(2)).over(minute))
///     .build()?;
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a rule does nothing until it is passed to a builder"]
pub struct TripRule {
    pub(crate) kind: RuleKind,
    pub(crate) window: Option<Window>,
    pub(crate) minimum_calls: Option<u32>,
    pub(crate) slower_than: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RuleKind {
    Consecutive(u32),
    Failures(u32),
    FailureRate(f64),
    SlowCalls(f64),
}

impl TripRule {
    const fn new(kind: RuleKind) -> Self {
        Self {
            kind,
            window: None,
            minimum_calls: None,
            slower_than: None,
        }
    }

    /// Creates a rule that trips at `n` consecutive failures, without a success between them.
    ///
    /// `n` is at least 1.
    pub const fn consecutive_failures(n: u32) -> Self {
        Self::new(RuleKind::Consecutive(n))
    }

    /// Creates a rule that trips at `n` failures among the calls of a [window](Self::over).
    ///
    /// `n` is at least 1.
    pub const fn failures(n: u32) -> Self {
        Self::new(RuleKind::Failures(n))
    }

    /// Creates a rule that trips if at least this fraction of the calls of a [window](Self::over)
    /// failed.
    ///
    /// `rate` is greater than 0.0 and at most 1.0.
    pub const fn failure_rate(rate: f64) -> Self {
        Self::new(RuleKind::FailureRate(rate))
    }

    /// Creates a rule that trips if at least this fraction of the calls of a [window](Self::over)
    /// took longer than [`slower_than`](Self::slower_than), whether they succeeded or not.
    ///
    /// `rate` is greater than 0.0 and at most 1.0.
    pub const fn slow_calls(rate: f64) -> Self {
        Self::new(RuleKind::SlowCalls(rate))
    }

    /// Sets the window of calls that the rule evaluates.
    ///
    /// Every rule except [`consecutive_failures`](Self::consecutive_failures) needs a window.
    pub const fn over(self, window: Window) -> Self {
        Self {
            window: Some(window),
            ..self
        }
    }

    /// Sets the number of recorded calls below which the rule does not trip, at least 1.
    ///
    /// Applies to [`failure_rate`](Self::failure_rate) and [`slow_calls`](Self::slow_calls).
    ///
    /// Default: 10, or the size of a smaller window of calls.
    pub const fn minimum_calls(self, calls: u32) -> Self {
        Self {
            minimum_calls: Some(calls),
            ..self
        }
    }

    /// Sets the maximum duration of a call that is not slow.
    ///
    /// Applies to [`slow_calls`](Self::slow_calls), which needs a limit.
    pub const fn slower_than(self, limit: Duration) -> Self {
        Self {
            slower_than: Some(limit),
            ..self
        }
    }
}

impl TripRule {
    /// Returns the number of recorded calls below which a rate is not evaluated.
    pub(crate) fn min_calls(&self) -> u32 {
        let window = match self.window.map(|window| window.span) {
            Some(WindowKind::Calls(calls)) => calls,
            _ => u32::MAX,
        };
        self.minimum_calls
            .unwrap_or(window.min(Self::MINIMUM_CALLS))
    }

    const MINIMUM_CALLS: u32 = 10;

    /// Returns the rate that the rule compares with its threshold. `None` below the minimum number
    /// of calls, and for rules without a rate.
    pub(crate) fn rate(&self, counts: WindowCounts) -> Option<f64> {
        match self.kind {
            RuleKind::Consecutive(_) | RuleKind::Failures(_) => None,
            RuleKind::FailureRate(_) => self.ratio(counts.failed, counts),
            RuleKind::SlowCalls(_) => self.ratio(counts.slow, counts),
        }
    }

    fn ratio(&self, part: u32, counts: WindowCounts) -> Option<f64> {
        // No division by zero: a breaker cannot be built with a minimum of zero calls.
        let enough = counts.recorded >= self.min_calls();
        enough.then(|| f64::from(part) / f64::from(counts.recorded))
    }

    /// Returns `true` if the rule is met. The comparison is inclusive.
    #[inline]
    pub(crate) fn is_met(&self, counts: WindowCounts) -> bool {
        match self.kind {
            RuleKind::Consecutive(threshold) | RuleKind::Failures(threshold) => {
                counts.failed >= threshold
            }
            RuleKind::FailureRate(threshold) => self.rate_reaches(threshold, counts.failed, counts),
            RuleKind::SlowCalls(threshold) => self.rate_reaches(threshold, counts.slow, counts),
        }
    }

    #[inline]
    fn rate_reaches(&self, threshold: f64, part: u32, counts: WindowCounts) -> bool {
        self.ratio(part, counts)
            .is_some_and(|ratio| ratio >= threshold)
    }

    /// Returns the length of the window of time, if the rule has one.
    #[cfg(feature = "fleet")]
    pub(crate) fn period(&self) -> Option<Duration> {
        match self.window?.span {
            WindowKind::Time(length) => Some(length),
            WindowKind::Calls(_) => None,
        }
    }

    /// Returns `true` if the rule has a window of time.
    pub(crate) fn is_over_time(&self) -> bool {
        let over_time = |window: Window| matches!(window.span, WindowKind::Time(_));
        self.window.is_some_and(over_time)
    }
}

impl fmt::Display for TripRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RuleKind::Consecutive(n) => write!(f, "{n} consecutive failure{}", plural(n))?,
            RuleKind::Failures(n) => write!(f, "{n} failure{}", plural(n))?,
            RuleKind::FailureRate(rate) => {
                write!(f, "failure rate of {}", Percent(rate))?;
            }
            RuleKind::SlowCalls(rate) => write!(f, "slow-call rate of {}", Percent(rate))?,
        }
        if let Some(limit) = self.slower_than {
            write!(f, " (slower than {})", HumanDuration(limit))?;
        }
        if let Some(window) = self.window {
            write!(f, " over {window}")?;
        }
        Ok(())
    }
}
