//! Values that are one of a few words.

use super::duration::{self, Exact};
use super::path::Path;
use super::read::{PackedState, Scalar, word};
use crate::classify::Outcome;
use crate::event::NotKept;
use crate::rules::{Window, WindowKind};
use crate::state::{Mode, Refusal, State};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// The word for a value, and the value for a word.
macro_rules! words {
    ($($type:ident: $expected:literal { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        impl $type {
            pub(super) const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl PackedState for $type {
            const EXPECTED: &'static str = $expected;

            fn from_scalar(scalar: &Scalar) -> Option<Self> {
                match scalar {
                    Scalar::Text(text) => match text.as_str() {
                        $($word => Some(Self::$variant),)*
                        _ => None,
                    },
                    _ => None,
                }
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.word())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                word(&Path::Root, from)
            }
        }
    )*};
}

words! {
    Mode: "enforcing, metrics_only, disabled or forced_open" {
        Enforcing = "enforcing",
        MetricsOnly = "metrics_only",
        Disabled = "disabled",
        ForcedOpen = "forced_open",
    }
    State: "closed, open, half_open, forced_open, disabled or metrics_only" {
        Closed = "closed",
        Open = "open",
        HalfOpen = "half_open",
        ForcedOpen = "forced_open",
        Disabled = "disabled",
        MetricsOnly = "metrics_only",
    }
    Refusal: "open, trials_taken or forced" {
        Open = "open",
        TrialsTaken = "trials_taken",
        Forced = "forced",
    }
    NotKept: "invalid_name or no_room" {
        InvalidName = "invalid_name",
        NoRoom = "no_room",
    }
}

/// An outcome as one text: `success`, `trip for 30s`.
pub(super) struct Verdict(pub(super) Outcome);

const TRIP_FOR: &str = "trip for ";

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Outcome::Success => f.write_str("success"),
            Outcome::Failure => f.write_str("failure"),
            Outcome::Ignored => f.write_str("ignored"),
            Outcome::TripFor(time) => write!(f, "{TRIP_FOR}{}", Exact(time)),
        }
    }
}

impl PackedState for Outcome {
    const EXPECTED: &'static str = "success, failure, ignored or, for example, \"trip for 30s\"";

    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        let Scalar::Text(text) = scalar else {
            return None;
        };
        match text.as_str() {
            "success" => Some(Self::Success),
            "failure" => Some(Self::Failure),
            "ignored" => Some(Self::Ignored),
            text => {
                let time = text.strip_prefix(TRIP_FOR)?;
                duration::parse(time).map(Self::TripFor)
            }
        }
    }
}

/// A window as one text: `100 calls`, `1m`, `1m in 12 buckets`.
pub(super) struct Reach(pub(super) Window);

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.span {
            WindowKind::Calls(calls) => write!(f, "{calls} calls")?,
            WindowKind::Time(length) => Exact(length).fmt(f)?,
        }
        let buckets = self.0.buckets;
        buckets.map_or(Ok(()), |buckets| write!(f, " in {buckets} buckets"))
    }
}

impl PackedState for Window {
    const EXPECTED: &'static str =
        "a window, such as \"100 calls\", \"1m\" or \"1m in 12 buckets\"";

    fn from_scalar(scalar: &Scalar) -> Option<Self> {
        let Scalar::Text(text) = scalar else {
            return None;
        };
        let (span, buckets) = match text.split_once(" in ") {
            Some((span, buckets)) => (span, Some(counted(buckets, "bucket")?)),
            None => (text.as_str(), None),
        };
        let window = match counted(span, "call") {
            Some(calls) => Self::calls(calls),
            None => Self::time(duration::parse(span)?),
        };
        Some(buckets.map_or(window, |buckets| window.buckets(buckets)))
    }
}

/// `12 buckets`, `1 bucket`.
fn counted(text: &str, what: &str) -> Option<u32> {
    let (number, unit) = text.trim().split_once(' ')?;
    let unit = unit.trim_start();
    let known = unit == what || unit.strip_suffix('s') == Some(what);
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    if known && digits {
        number.parse().ok()
    } else {
        None
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Verdict(*self))
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        word(&Path::Root, from)
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Reach(*self))
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// For fields of measured time: seconds, as a number.
pub(super) fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(crate::text::rounded_seconds)
}
