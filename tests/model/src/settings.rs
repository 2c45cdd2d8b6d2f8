//! Settings as plain data, for both the library and the model.

use breakerbox::{Backoff, BreakerBuilder, Mode, Outcome, TripRule, Window};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Settings {
    pub rules: Vec<Rule>,
    pub recovery: Recovery,
    pub reset_backoff_after: Option<Duration>,
    pub ramp_up: Option<Duration>,
    pub half_open_calls: u32,
    pub success_threshold: Option<u32>,
    pub trial_timeout: Option<Duration>,
    pub max_trip_for: Duration,
    pub mode: Mode,
    pub cancelled_as: Outcome,
    pub cancelled_after: Option<Duration>,
    pub count_successes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    pub kind: Kind,
    pub span: Option<Span>,
    pub minimum_calls: Option<u32>,
    pub slower_than: Option<Duration>,
}

/// Removes duplicates: a breaker evaluates equal rules once.
pub fn distinct(rules: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
    let mut distinct: Vec<Rule> = Vec::new();
    for rule in rules {
        if !distinct
            .iter()
            .any(|known| known.to_trip_rule() == rule.to_trip_rule())
        {
            distinct.push(rule);
        }
    }
    distinct
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Consecutive(u32),
    Failures(u32),
    FailureRate(f64),
    SlowCalls(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    Calls(u32),
    Time { length: Duration, buckets: u32 },
}

#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    pub first: Duration,
    pub factor: u32,
    pub max: Option<Duration>,
}

impl Rule {
    /// Returns a rule that the library accepts, for any arguments: limits are reduced to the size of the
    /// window, and arguments that the kind does not use are dropped.
    pub fn clamped(
        kind: Kind,
        span: Span,
        minimum_calls: Option<u32>,
        slower_than: Duration,
    ) -> Self {
        let rate = matches!(kind, Kind::FailureRate(_) | Kind::SlowCalls(_));
        let consecutive = matches!(kind, Kind::Consecutive(_));
        let most = match span {
            Span::Calls(calls) => calls,
            Span::Time { .. } => u32::MAX,
        };
        let kind = match kind {
            Kind::Failures(failures) => Kind::Failures(failures.min(most)),
            kind => kind,
        };
        Self {
            kind,
            span: (!consecutive).then_some(span),
            minimum_calls: minimum_calls.filter(|_| rate).map(|calls| calls.min(most)),
            slower_than: matches!(kind, Kind::SlowCalls(_)).then_some(slower_than),
        }
    }

    /// Returns a rule of the kind of `other` over the same window, or this rule if that is impossible.
    #[must_use]
    pub fn with_kind_of(&self, other: &Self) -> Self {
        match (self.span, self.slower_than) {
            (Some(span), None) if other.slower_than.is_none() && other.span.is_some() => {
                Self::clamped(other.kind, span, other.minimum_calls, Duration::ZERO)
            }
            (Some(span), Some(limit)) if other.slower_than.is_some() => {
                Self::clamped(other.kind, span, other.minimum_calls, limit)
            }
            (None, _) if other.span.is_none() => *other,
            _ => *self,
        }
    }

    pub fn to_trip_rule(&self) -> TripRule {
        let rule = match self.kind {
            Kind::Consecutive(n) => TripRule::consecutive_failures(n),
            Kind::Failures(n) => TripRule::failures(n),
            Kind::FailureRate(rate) => TripRule::failure_rate(rate),
            Kind::SlowCalls(rate) => TripRule::slow_calls(rate),
        };
        let rule = match self.span {
            None => rule,
            Some(Span::Calls(calls)) => rule.over(Window::calls(calls)),
            Some(Span::Time { length, buckets }) => {
                rule.over(Window::time(length).buckets(buckets))
            }
        };
        let rule = self
            .minimum_calls
            .map_or(rule, |calls| rule.minimum_calls(calls));
        self.slower_than
            .map_or(rule, |limit| rule.slower_than(limit))
    }
}

impl Recovery {
    pub fn delay(&self, attempt: u32) -> Duration {
        let mut delay = self.first;
        for _ in 0..attempt {
            delay = delay.saturating_mul(self.factor);
        }
        delay.min(self.max.unwrap_or(Duration::MAX))
    }
}

impl Settings {
    pub fn builder(&self) -> BreakerBuilder {
        let Recovery { first, factor, max } = self.recovery;
        let backoff = Backoff::exponential(first).factor(f64::from(factor));
        let mut builder = BreakerBuilder::default()
            .trip_rules(self.rules.iter().map(Rule::to_trip_rule))
            .recovery_backoff(max.map_or(backoff, |max| backoff.max(max)))
            .half_open_calls(self.half_open_calls)
            .max_trip_for(self.max_trip_for)
            .mode(self.mode)
            .cancelled_as(self.cancelled_as)
            .count_successes(self.count_successes);
        if let Some(time) = self.reset_backoff_after {
            builder = builder.reset_backoff_after(time);
        }
        if let Some(time) = self.ramp_up {
            builder = builder.ramp_up(time);
        }
        if let Some(successes) = self.success_threshold {
            builder = builder.success_threshold(successes);
        }
        if let Some(timeout) = self.trial_timeout {
            builder = builder.trial_timeout(timeout);
        }
        if let Some(time) = self.cancelled_after {
            builder = builder.cancelled_after(time);
        }
        builder
    }
}
