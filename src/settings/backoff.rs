use super::duration::{self, Exact};
use super::path::Path;
use super::read::{PackedState, Read, Scalar, flaw};
use super::table::{Table, table, value};
use crate::backoff::Backoff;
use crate::config::{BreakerBuilder, BreakerConfig};
use crate::error::ConfigError;
use serde::de::{Deserialize, Deserializer, Error, MapAccess};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::time::Duration;

#[derive(Default)]
struct Draft {
    constant: Option<Duration>,
    first: Option<Duration>,
    factor: Option<f64>,
    max: Option<Duration>,
    jitter: Option<f64>,
}

impl Table for Draft {
    const EXPECTED: &'static str =
        "a duration such as \"30s\", or a table of first, factor, max and jitter";
    const KEYS: &'static [&'static str] = &["first", "factor", "max", "jitter"];

    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &Path<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            "first" => self.first = value(path, map)?,
            "factor" => self.factor = value(path, map)?,
            "max" => self.max = value(path, map)?,
            _ => self.jitter = value(path, map)?,
        }
        Ok(())
    }

    fn from_text(text: &str) -> Option<Self> {
        Some(Self {
            constant: Some(duration::parse(text)?),
            ..Self::default()
        })
    }
}

impl Draft {
    fn into_backoff<E: Error>(self, path: &Path<'_>) -> Result<Backoff, E> {
        let mut backoff = match (self.constant, self.first) {
            (Some(delay), _) => Backoff::constant(delay),
            (None, Some(first)) => Backoff::exponential(first),
            (None, None) => {
                return Err(flaw(&path.key("first"), Scalar::Null, Duration::EXPECTED));
            }
        };
        if let Some(factor) = self.factor {
            backoff = backoff.factor(factor);
        }
        if let Some(max) = self.max {
            backoff = backoff.max(max);
        }
        if let Some(jitter) = self.jitter {
            backoff = backoff.jitter(jitter);
        }
        check(backoff).map_err(|error| {
            let (value, allowed) = (error.value(), error.allowed());
            match error.field().split_once('.') {
                Some((_, part)) => flaw(&path.key(part), value, allowed),
                None => flaw(path, value, allowed),
            }
        })?;
        Ok(backoff)
    }
}

fn check(backoff: Backoff) -> Result<(), ConfigError> {
    let builder = BreakerBuilder::default().recovery_backoff(backoff);
    builder.settings.check_each()
}

impl Read for Option<Backoff> {
    fn read<'de, D: Deserializer<'de>>(path: &Path<'_>, from: D) -> Result<Self, D::Error> {
        let draft: Option<Draft> = table(path, from)?;
        draft.map(|draft| draft.into_backoff(path)).transpose()
    }
}

impl<'de> Deserialize<'de> for Backoff {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let path = Path::Root;
        let read = Option::<Self>::read(&path, from)?;
        read.ok_or_else(|| flaw(&path, Scalar::Null, Draft::EXPECTED))
    }
}

impl Serialize for Backoff {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if *self == Self::constant(self.first) {
            return Exact(self.first).serialize(to);
        }
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("first", &Exact(self.first))?;
        map.serialize_entry("factor", &self.factor)?;
        if self.max != Duration::MAX {
            map.serialize_entry("max", &Exact(self.max))?;
        }
        if self.jitter != 0.0 {
            map.serialize_entry("jitter", &self.jitter)?;
        }
        map.end()
    }
}
