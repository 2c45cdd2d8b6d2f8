//! [`TripRule`] and [`Window`] in a document.

use super::strict::Strict;
use super::words::Text;
use crate::config::{BreakerBuilder, MAX_RULES};
use crate::error::ConfigError;
use crate::rules::{RuleKind, TripRule, Window};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use std::time::Duration;

/// A list of rules in a document.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(try_from = "Vec<TripRule>")]
pub(super) struct RuleList(pub(super) Vec<TripRule>);

impl TryFrom<Vec<TripRule>> for RuleList {
    type Error = String;

    fn try_from(rules: Vec<TripRule>) -> Result<Self, String> {
        if rules.len() > MAX_RULES {
            let count = rules.len();
            return Err(format!(
                "the list has {count} rules, but must have at most {MAX_RULES}"
            ));
        }
        Ok(Self(rules))
    }
}

#[derive(Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
#[serde(
    expecting = "a table with one of consecutive_failures, failures, failure_rate and slow_calls"
)]
struct RawRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    consecutive_failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_calls: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slower_than: Option<Text<Duration>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<Text<Window>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_calls: Option<u32>,
}

impl TryFrom<RawRule> for TripRule {
    type Error = String;

    fn try_from(raw: RawRule) -> Result<Self, String> {
        let kinds = [
            raw.consecutive_failures.map(RuleKind::Consecutive),
            raw.failures.map(RuleKind::Failures),
            raw.failure_rate.map(RuleKind::FailureRate),
            raw.slow_calls.map(RuleKind::SlowCalls),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err(
                "a rule must have exactly one of consecutive_failures, failures, failure_rate and \
                        slow_calls"
                    .to_owned(),
            );
        };
        let rule = Self {
            kind,
            window: raw.over.map(|Text(window)| window),
            minimum_calls: raw.minimum_calls,
            slower_than: raw.slower_than.map(|Text(limit)| limit),
        };
        check(rule).map_err(|error| {
            let (value, allowed) = (error.value(), error.allowed());
            // The error uses the names of the builder methods. Some keys of a document differ.
            let field = error
                .field()
                .replace("failure_threshold", "consecutive_failures");
            let field = field.replace(".window.", ".over.");
            format!("{field} is {value}, but must be {allowed}")
        })?;
        Ok(rule)
    }
}

fn check(rule: TripRule) -> Result<(), ConfigError> {
    BreakerBuilder::default()
        .trip_rules([rule])
        .settings
        .check_each()
}

impl<'de> Deserialize<'de> for TripRule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = RawRule::deserialize(Strict::new(from))?;
        Self::try_from(raw).map_err(D::Error::custom)
    }
}

impl Serialize for TripRule {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut raw = RawRule {
            slower_than: self.slower_than.map(Text),
            over: self.window.map(Text),
            minimum_calls: self.minimum_calls,
            ..RawRule::default()
        };
        match self.kind {
            RuleKind::Consecutive(n) => raw.consecutive_failures = Some(n),
            RuleKind::Failures(n) => raw.failures = Some(n),
            RuleKind::FailureRate(rate) => raw.failure_rate = Some(rate),
            RuleKind::SlowCalls(rate) => raw.slow_calls = Some(rate),
        }
        raw.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Text(window) = Text::deserialize(Strict::new(from))?;
        check(TripRule::failures(1).over(window)).map_err(D::Error::custom)?;
        Ok(window)
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Text(self))
    }
}
