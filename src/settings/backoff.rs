//! [`Backoff`] in a document.

use super::strict::Strict;
use super::words::{Text, Word};
use crate::backoff::Backoff;
use crate::config::BreakerBuilder;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// A backoff in a document: a duration or a table.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct BackoffTable(pub(super) Backoff);

#[derive(serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct RawBackoff {
    first: Option<Text<Duration>>,
    factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Text<Duration>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<f64>,
}

impl<'de> Deserialize<'de> for BackoffTable {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(DelayVisitor)
    }
}

struct DelayVisitor;

impl<'de> Visitor<'de> for DelayVisitor {
    type Value = BackoffTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"30s\", or a table of first, factor, max and jitter")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<BackoffTable, E> {
        let delay = Duration::parse(text);
        let delay = delay.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))?;
        if delay.is_zero() {
            return Err(E::invalid_value(Unexpected::Str(text), &"longer than zero"));
        }
        Ok(BackoffTable(Backoff::constant(delay)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BackoffTable, A::Error> {
        let raw = RawBackoff::deserialize(MapAccessDeserializer::new(map))?;
        let Some(Text(first)) = raw.first else {
            let problem = "recovery_backoff.first is missing, but must be a duration";
            return Err(A::Error::custom(problem));
        };
        let mut backoff = Backoff::exponential(first);
        backoff.factor = raw.factor.unwrap_or(backoff.factor);
        backoff.max = raw.max.map_or(backoff.max, |Text(max)| max);
        backoff.jitter = raw.jitter.unwrap_or(backoff.jitter);
        checked(backoff)
    }
}

fn checked<E: Error>(backoff: Backoff) -> Result<BackoffTable, E> {
    let builder = BreakerBuilder::default().recovery_backoff(backoff);
    builder.settings.check_each().map_err(E::custom)?;
    Ok(BackoffTable(backoff))
}

impl<'de> Deserialize<'de> for Backoff {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        BackoffTable::deserialize(Strict::new(from)).map(|BackoffTable(backoff)| backoff)
    }
}

impl Serialize for Backoff {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if *self == Self::constant(self.first) {
            return to.collect_str(&Text(&self.first));
        }
        let raw = RawBackoff {
            first: Some(Text(self.first)),
            factor: Some(self.factor),
            max: (self.max != Duration::MAX).then_some(Text(self.max)),
            jitter: (self.jitter != 0.0).then_some(self.jitter),
        };
        raw.serialize(to)
    }
}
