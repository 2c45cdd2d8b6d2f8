//! Validation of settings. Invalid values are rejected with the name of the setting, never clamped.

use crate::backoff::Backoff;
use crate::classify::Outcome;
use crate::error::ConfigError;
use crate::names;
use crate::rules::{RuleKind, TripRule, Window, WindowKind};
#[cfg(feature = "fleet")]
use crate::share::Share;
use crate::state::{RampUp, Trials};
use crate::text::ExactDuration;
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

const POSITIVE: &str = "longer than zero";
const TICK: Duration = Duration::from_millis(1);
const YEAR: Duration = RampUp::MAX_LENGTH;

/// The maximum number of rules of one breaker.
pub(crate) const MAX_RULES: usize = 32;
const ALLOWED_RULES: &str = "a list of 1 to 32 rules";

/// Checks a success threshold against the number of trials.
pub(super) fn success_threshold(successes: u32, trials: u32) -> Result<(), ConfigError> {
    within("success_threshold", successes, 1..=trials)
        .map_err(|error| error.with_bound("limited by half_open_calls"))
}

pub(super) fn rules(rules: &[TripRule]) -> Result<(), ConfigError> {
    if rules.is_empty() {
        return Err(ConfigError::new("trip_rules", rules, ALLOWED_RULES));
    }
    if rules.len() > MAX_RULES {
        let count = format_args!("a list of {} rules", rules.len());
        return Err(ConfigError::new("trip_rules", count, ALLOWED_RULES));
    }
    rules.iter().try_for_each(rule)
}

pub(super) fn trials(field: &str, calls: u32) -> Result<(), ConfigError> {
    within(field, calls, 1..=Trials::MAX_CALLS)
}

pub(super) fn unexpected(field: &str, outcome: &Outcome) -> Result<(), ConfigError> {
    one_of(field, *outcome, &[Outcome::Success, Outcome::Ignored])
}

pub(super) fn cancelled(field: &str, outcome: &Outcome) -> Result<(), ConfigError> {
    let plain = [Outcome::Ignored, Outcome::Failure, Outcome::Success];
    one_of(field, *outcome, &plain)
}

pub(crate) fn name(name: &str) -> Result<(), ConfigError> {
    names::check(name).map_err(|(value, allowed)| ConfigError::new("name", value, allowed))
}

pub(super) fn backoff(backoff: &Backoff) -> Result<(), ConfigError> {
    let Backoff {
        first,
        factor,
        max,
        jitter,
        jitter_seed: _,
    } = *backoff;
    if *backoff == Backoff::constant(first) {
        return positive("recovery_timeout", &first);
    }
    positive("recovery_backoff.first", &first)?;
    holds(
        "recovery_backoff.factor",
        factor,
        (1.0..=1_000.0).contains(&factor),
        "1.0 to 1000.0",
    )?;
    holds(
        "recovery_backoff.max",
        max,
        max >= first,
        format!("at least the first delay, {first:?}"),
    )?;
    holds(
        "recovery_backoff.jitter",
        jitter,
        (0.0..1.0).contains(&jitter),
        "at least 0.0 and less than 1.0",
    )
}

fn rule(rule: &TripRule) -> Result<(), ConfigError> {
    let none = "omitted, because the rule counts consecutive failures";
    let (name, rate) = match rule.kind {
        RuleKind::Consecutive(n) => {
            within("failure_threshold", n, 1..=u32::MAX)?;
            absent(
                "consecutive_failures.over",
                rule.window.map(|window| window.to_string()),
                none,
            )?;
            absent(
                "consecutive_failures.minimum_calls",
                rule.minimum_calls,
                none,
            )?;
            return absent("consecutive_failures.slower_than", rule.slower_than, none);
        }
        RuleKind::Failures(n) => {
            within("failures", n, 1..=u32::MAX)?;
            ("failures", None)
        }
        RuleKind::FailureRate(rate) => ("failure_rate", Some(rate)),
        RuleKind::SlowCalls(rate) => ("slow_calls", Some(rate)),
    };
    let within_rule = |error: ConfigError| error.with_prefix(name);
    let calls = match rule.window {
        None => {
            return Err(
                ConfigError::new("over", format_args!("missing"), "a window").with_prefix(name),
            );
        }
        Some(over) => window(over).map_err(within_rule)?,
    };
    match (rule.kind, rule.slower_than) {
        (RuleKind::SlowCalls(_), Some(limit)) => {
            positive("slower_than", &limit).map_err(within_rule)?;
        }
        (RuleKind::SlowCalls(_), None) => {
            return Err(
                ConfigError::new("slower_than", format_args!("missing"), "a duration")
                    .with_prefix(name),
            );
        }
        (_, limit) => {
            absent(
                "slower_than",
                limit,
                "omitted, because only slow_calls uses it",
            )
            .map_err(within_rule)?;
        }
    }
    let Some(rate) = rate else {
        if let RuleKind::Failures(n) = rule.kind {
            within("failures", n, 1..=calls)
                .map_err(|error| error.with_bound("limited by the size of the window"))?;
        }
        let none = "omitted, because only failure_rate and slow_calls use it";
        return absent("minimum_calls", rule.minimum_calls, none).map_err(within_rule);
    };
    holds(
        name,
        rate,
        rate > 0.0 && rate <= 1.0,
        "greater than 0.0 and at most 1.0",
    )?;
    match rule.minimum_calls {
        Some(minimum) => within("minimum_calls", minimum, 1..=calls).map_err(|error| {
            let error = if calls < u32::MAX {
                error.with_bound("limited by the size of the window")
            } else {
                error
            };
            error.with_prefix(name)
        }),
        None => Ok(()),
    }
}

/// Checks a window, and returns the maximum number of calls that it can hold.
fn window(window: Window) -> Result<u32, ConfigError> {
    match window.span {
        WindowKind::Calls(calls) => {
            within("window.calls", calls, 1..=1_000_000)?;
            let none = "omitted, because a window of calls has no buckets";
            absent("window.buckets", window.buckets, none)?;
            Ok(calls)
        }
        WindowKind::Time(length) => {
            up_to_a_year("window.time", length)?;
            let buckets = window.bucket_count();
            within("window.buckets", buckets, 1..=3_600)?;
            let wide = length >= TICK.saturating_mul(buckets);
            let most = length.as_millis();
            let allowed = format!("at most {most}, because a bucket is at least 1ms long");
            holds("window.buckets", buckets, wide, allowed)?;
            Ok(u32::MAX)
        }
    }
}

pub(super) fn ramp_up(field: &str, duration: &Duration) -> Result<(), ConfigError> {
    up_to_a_year(field, *duration)
}

fn up_to_a_year(field: &str, duration: Duration) -> Result<(), ConfigError> {
    let exact = format_args!("{}", ExactDuration(duration));
    holds(
        field,
        exact,
        (TICK..=YEAR).contains(&duration),
        "1ms to 366 days",
    )
}

pub(super) fn positive(field: &str, duration: &Duration) -> Result<(), ConfigError> {
    let exact = format_args!("{}", ExactDuration(*duration));
    holds(field, exact, !duration.is_zero(), POSITIVE)
}

#[cfg(feature = "fleet")]
pub(super) fn share(field: &str, share: Share) -> Result<(), ConfigError> {
    let text = format_args!("{share}");
    holds(field, text, share.is_valid(), Share::ALLOWED)
}

fn within(field: &str, value: u32, allowed: RangeInclusive<u32>) -> Result<(), ConfigError> {
    let range = format!("{} to {}", allowed.start(), allowed.end());
    holds(field, value, allowed.contains(&value), range)
}

fn one_of(field: &str, value: Outcome, allowed: &[Outcome]) -> Result<(), ConfigError> {
    let names: Vec<_> = allowed
        .iter()
        .map(|outcome| format!("{outcome:?}"))
        .collect();
    holds(field, value, allowed.contains(&value), names.join(" or "))
}

fn absent(field: &str, value: Option<impl Debug>, allowed: &str) -> Result<(), ConfigError> {
    value.map_or(Ok(()), |value| Err(ConfigError::new(field, value, allowed)))
}

fn holds(
    field: &str,
    value: impl Debug,
    holds: bool,
    allowed: impl Into<String>,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError::new(field, value, allowed))
}
