//! Values that are written as text.

use super::duration;
use super::strict::Strict;
use crate::classify::Outcome;
use crate::rules::{Window, WindowKind};
#[cfg(feature = "fleet")]
use crate::share::Share;
use crate::state::Mode;
use crate::text::{ExactDuration, prefix};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// A value that is written as text.
pub(super) trait Word: Sized {
    const EXPECTED: &'static str;

    fn parse(text: &str) -> Option<Self>;

    /// Returns the word that `text` may be meant to be.
    fn hint(_text: &str) -> Option<&'static str> {
        None
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A `T` that is written as text in a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text<T>(pub(super) T);

impl<'de, T: Word> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(TextVisitor(PhantomData))
    }
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Word> Visitor<'_> for TextVisitor<T> {
    type Value = Text<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<T>, E> {
        if let Some(value) = T::parse(text) {
            return Ok(Text(value));
        }
        let found = Unexpected::Str(prefix(text, 64));
        Err(match T::hint(text) {
            Some(hint) => {
                let expected = format!("{} (did you mean {hint}?)", T::EXPECTED);
                E::invalid_value(found, &expected.as_str())
            }
            None => E::invalid_value(found, &self),
        })
    }
}

impl<T> From<T> for Text<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<Text<Self>> for Duration {
    fn from(Text(time): Text<Self>) -> Self {
        time
    }
}

impl<T: Word> fmt::Display for Text<&T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f)
    }
}

impl<T: Word> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Text(&self.0))
    }
}

/// Implements serde's traits for types that users serialize directly.
macro_rules! values {
    ($($type:ty)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(&Text(self))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Text::deserialize(Strict::new(from)).map(|Text(value)| value)
            }
        }

        impl From<Text<Self>> for $type {
            fn from(Text(value): Text<Self>) -> Self {
                value
            }
        }
    )*};
}

values! { Mode Outcome }

#[cfg(feature = "fleet")]
values! { Share }

impl Word for Mode {
    const EXPECTED: &'static str = "enforcing, metrics_only, disabled or forced_open";

    fn parse(text: &str) -> Option<Self> {
        let modes = [
            Self::Enforcing,
            Self::MetricsOnly,
            Self::Disabled,
            Self::ForcedOpen,
        ];
        modes.into_iter().find(|mode| mode.as_str() == text)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Word for Duration {
    const EXPECTED: &'static str = "a duration such as \"30s\" or \"1m 30s\" \
                                    (units: d, h, m, s, ms, us and ns, the largest first)";

    fn parse(text: &str) -> Option<Self> {
        duration::parse(text)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", ExactDuration(*self))
    }
}

/// Written as `success` or `trip for 30s`.
impl Word for Outcome {
    const EXPECTED: &'static str = "success, failure, ignored or a text such as \"trip for 30s\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "success" => Some(Self::Success),
            "failure" => Some(Self::Failure),
            "ignored" => Some(Self::Ignored),
            _ => duration::parse(text.strip_prefix("trip for ")?).map(Self::TripFor),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Success => f.write_str("success"),
            Self::Failure => f.write_str("failure"),
            Self::Ignored => f.write_str("ignored"),
            Self::TripFor(time) => write!(f, "trip for {}", ExactDuration(time)),
        }
    }
}

/// Written as `100 calls`, `1m` or `1m in 12 buckets`.
impl Word for Window {
    const EXPECTED: &'static str =
        "a window, such as \"100 calls\", \"1m\" or \"1m in 12 buckets\"";

    fn parse(text: &str) -> Option<Self> {
        let (span, buckets) = match text.split_once(" in ") {
            Some((span, buckets)) => (span, Some(counted(buckets, "bucket")?)),
            None => (text, None),
        };
        let window = match counted(span, "call") {
            Some(calls) => Self::calls(calls),
            None => Self::time(duration::parse(span)?),
        };
        Some(buckets.map_or(window, |buckets| window.buckets(buckets)))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            WindowKind::Calls(calls) => write!(f, "{calls} calls")?,
            WindowKind::Time(length) => write!(f, "{}", ExactDuration(length))?,
        }
        let buckets = self.buckets;
        buckets.map_or(Ok(()), |buckets| write!(f, " in {buckets} buckets"))
    }
}

/// Parses a number with a unit, such as `12 buckets` or `1 bucket`.
fn counted(text: &str, what: &str) -> Option<u32> {
    let (number, unit) = text.trim().split_once(' ')?;
    let unit = unit.trim_start();
    let is_known = unit == what || unit.strip_suffix('s') == Some(what);
    let is_digits = number.bytes().all(|byte| byte.is_ascii_digit());
    (is_known && is_digits).then(|| number.parse().ok())?
}
