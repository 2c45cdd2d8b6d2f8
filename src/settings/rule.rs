use super::duration::Exact;
use super::path::Path;
use super::read::{Read, Scalar, flaw};
use super::table::{Table, table, value};
use crate::config::{BreakerBuilder, BreakerConfig};
use crate::error::ConfigError;
use crate::rules::{RuleKind, TripRule, Window};
use serde::de::{Deserialize, Deserializer, Error, MapAccess};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::time::Duration;

#[derive(Default)]
struct Draft {
    kind: Option<TripRule>,
    again: bool,
    over: Option<Window>,
    minimum_calls: Option<u32>,
    slower_than: Option<Duration>,
}

const KINDS: &str =
    "a table with one of consecutive_failures, failures, failure_rate and slow_calls";

impl Table for Draft {
    const EXPECTED: &'static str = KINDS;
    const KEYS: &'static [&'static str] = &[
        "consecutive_failures",
        "failures",
        "failure_rate",
        "slow_calls",
        "over",
        "minimum_calls",
        "slower_than",
    ];

    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &Path<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            "over" => {
                self.over = value(path, map)?;
                return Ok(());
            }
            "minimum_calls" => {
                self.minimum_calls = value(path, map)?;
                return Ok(());
            }
            "slower_than" => {
                self.slower_than = value(path, map)?;
                return Ok(());
            }
            _ => {}
        }
        let kind = match key {
            "failure_rate" | "slow_calls" => {
                let rate: Option<f64> = value(path, map)?;
                let kind = if key == "slow_calls" {
                    TripRule::slow_calls
                } else {
                    TripRule::failure_rate
                };
                rate.map(kind)
            }
            _ => {
                let calls: Option<u32> = value(path, map)?;
                let kind = if key == "failures" {
                    TripRule::failures
                } else {
                    TripRule::consecutive_failures
                };
                calls.map(kind)
            }
        };
        self.again |= self.kind.is_some() && kind.is_some();
        self.kind = kind.or(self.kind);
        Ok(())
    }
}

impl Draft {
    fn into_rule<E: Error>(self, path: &Path<'_>) -> Result<TripRule, E> {
        let kind = match self.kind {
            Some(kind) if !self.again => kind,
            Some(_) => return Err(flaw(path, "a table with several of them", KINDS)),
            None => return Err(flaw(path, "a table with none of them", KINDS)),
        };
        let rule = TripRule {
            window: self.over,
            minimum_calls: self.minimum_calls,
            slower_than: self.slower_than,
            ..kind
        };
        check(rule).map_err(|error| {
            let (value, allowed) = (error.value(), error.allowed());
            match key_of(error.field()) {
                (key, Some(part)) => flaw(&path.key(key).key(part), value, allowed),
                (key, None) => flaw(&path.key(key), value, allowed),
            }
        })?;
        Ok(rule)
    }
}

fn check(rule: TripRule) -> Result<(), ConfigError> {
    let builder = BreakerBuilder::default().trip_rules([rule]);
    builder.settings.check_each()
}

/// The key of what the checks call a field, and the part of a window that is wrong, which is one
/// text here: `failure_rate.window.calls` is `over` and its `calls`.
fn key_of(field: &str) -> (&str, Option<&str>) {
    match field.split_once('.') {
        None if field == "failure_threshold" => ("consecutive_failures", None),
        None => (field, None),
        Some((_, key)) => match key.split_once('.') {
            Some((_, part)) => ("over", Some(part)),
            None => (key, None),
        },
    }
}

impl Read for TripRule {
    fn read<'de, D: Deserializer<'de>>(path: &Path<'_>, from: D) -> Result<Self, D::Error> {
        match table::<Draft, _>(path, from)? {
            Some(draft) => draft.into_rule(path),
            None => Err(flaw(path, Scalar::Null, KINDS)),
        }
    }
}

impl<'de> Deserialize<'de> for TripRule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::read(&Path::Root, from)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let window: Self = super::read::word(&Path::Root, from)?;
        check(TripRule::failures(1).over(window)).map_err(D::Error::custom)?;
        Ok(window)
    }
}

impl Serialize for TripRule {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        match self.kind {
            RuleKind::Consecutive(n) => map.serialize_entry("consecutive_failures", &n)?,
            RuleKind::Failures(n) => map.serialize_entry("failures", &n)?,
            RuleKind::FailureRate(rate) => map.serialize_entry("failure_rate", &rate)?,
            RuleKind::SlowCalls(rate) => map.serialize_entry("slow_calls", &rate)?,
        }
        if let Some(limit) = self.slower_than {
            map.serialize_entry("slower_than", &Exact(limit))?;
        }
        if let Some(window) = self.window {
            map.serialize_entry("over", &window)?;
        }
        if let Some(calls) = self.minimum_calls {
            map.serialize_entry("minimum_calls", &calls)?;
        }
        map.end()
    }
}
