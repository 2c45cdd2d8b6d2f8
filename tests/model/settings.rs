//! Settings as plain data, which both the library and the model are given.

use breakerbox::{Backoff, BreakerBuilder, Mode, Outcome, TripRule, Window};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) rules: Vec<Rule>,
    pub(crate) recovery: Recovery,
    pub(crate) half_open_calls: u32,
    pub(crate) success_threshold: Option<u32>,
    pub(crate) trial_timeout: Option<Duration>,
    pub(crate) max_trip_for: Duration,
    pub(crate) mode: Mode,
    pub(crate) cancelled_as: Outcome,
    pub(crate) cancelled_after: Option<Duration>,
    pub(crate) count_successes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) kind: Kind,
    pub(crate) span: Option<Span>,
    pub(crate) minimum_calls: Option<u32>,
    pub(crate) slower_than: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Consecutive(u32),
    Failures(u32),
    FailureRate(f64),
    SlowCalls(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Span {
    Calls(u32),
    Time { length: Duration, buckets: u32 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovery {
    pub(crate) first: Duration,
    pub(crate) factor: u32,
    pub(crate) max: Option<Duration>,
}

impl Rule {
    fn of(kind: Kind, span: Span, minimum_calls: Option<u32>, slower_than: Duration) -> Self {
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

    /// Another rule over the same window.
    pub(crate) fn rekinded(&self, other: &Self) -> Self {
        match (self.span, self.slower_than) {
            (Some(span), None) if other.slower_than.is_none() && other.span.is_some() => {
                Self::of(other.kind, span, other.minimum_calls, Duration::ZERO)
            }
            (Some(span), Some(limit)) if other.slower_than.is_some() => {
                Self::of(other.kind, span, other.minimum_calls, limit)
            }
            (None, _) if other.span.is_none() => *other,
            _ => *self,
        }
    }

    pub(crate) fn built(&self) -> TripRule {
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

impl Settings {
    pub(crate) fn builder(&self) -> BreakerBuilder {
        let Recovery { first, factor, max } = self.recovery;
        let backoff = Backoff::exponential(first).factor(f64::from(factor));
        let mut builder = BreakerBuilder::default()
            .trip_rules(self.rules.iter().map(Rule::built))
            .recovery_backoff(max.map_or(backoff, |max| backoff.max(max)))
            .half_open_calls(self.half_open_calls)
            .max_trip_for(self.max_trip_for)
            .mode(self.mode)
            .cancelled_as(self.cancelled_as)
            .count_successes(self.count_successes);
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

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Few lengths, so that they meet.
pub(crate) fn length() -> impl Strategy<Value = Duration> {
    select(vec![
        ms(1),
        ms(3),
        ms(10),
        ms(10),
        ms(37),
        ms(100),
        ms(1_000),
        ms(3_600_000),
    ])
}

fn kind() -> impl Strategy<Value = Kind> {
    let rate = || select(vec![0.01, 0.25, 1.0 / 3.0, 0.5, 0.7, 1.0]);
    prop_oneof![
        (1..=6_u32).prop_map(Kind::Consecutive),
        (1..=6_u32).prop_map(Kind::Failures),
        rate().prop_map(Kind::FailureRate),
        rate().prop_map(Kind::SlowCalls),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    let time =
        (1..=200_u64, select(vec![1, 2, 3, 5, 10, 60])).prop_map(|(millis, buckets)| Span::Time {
            length: ms(millis.max(u64::from(buckets))),
            buckets,
        });
    prop_oneof![
        (1..=5_u32).prop_map(Span::Calls),
        select(vec![10, 20, 64, 65, 1_000]).prop_map(Span::Calls),
        time,
        select(vec![ms(1_000), ms(60_000), ms(31_000_000_000)]).prop_map(|length| Span::Time {
            length,
            buckets: 10
        }),
    ]
}

/// Several at once; settings that follow mix these with their own.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let rule = (kind(), span(), option::of(1..=6_u32), length())
        .prop_map(|(kind, span, minimum_calls, limit)| Rule::of(kind, span, minimum_calls, limit));
    vec(rule, 1..=3)
}

fn recovery() -> impl Strategy<Value = Recovery> {
    // Whole seconds where nothing bounds the delay: these a float holds exactly.
    let unbounded = select(vec![ms(1_000), ms(30_000)]).prop_map(|first| Recovery {
        first,
        factor: 2,
        max: None,
    });
    let bounded =
        (select(vec![ms(5), ms(10), ms(50)]), 1..=3_u32).prop_map(|(first, factor)| Recovery {
            first,
            factor,
            max: Some(ms(5_000)),
        });
    prop_oneof![1 => unbounded, 3 => bounded]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        8 => Just(Mode::Enforcing),
        2 => Just(Mode::MetricsOnly),
        1 => Just(Mode::Disabled),
        1 => Just(Mode::ForcedOpen),
    ]
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let cancelled = select(vec![Outcome::Ignored, Outcome::Failure, Outcome::Success]);
    let trials = (1..=5_u32, option::of(1..=5_u32), option::of(length()));
    let calls = (cancelled, option::weighted(0.3, length()), any::<bool>());
    let trips = (recovery(), length(), mode());
    (rules(), trials, calls, trips).prop_map(|(rules, trials, calls, trips)| Settings {
        rules,
        half_open_calls: trials.0,
        success_threshold: trials.1.map(|successes| successes.min(trials.0)),
        trial_timeout: trials.2,
        cancelled_as: calls.0,
        cancelled_after: calls.1,
        count_successes: calls.2,
        recovery: trips.0,
        max_trip_for: trips.1,
        mode: trips.2,
    })
}
