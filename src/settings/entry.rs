//! [`Entry`]: the settings in one entry of a document.

use super::backoff::BackoffTable;
use super::rule::RuleList;
use super::share::{self, Share};
use super::strict::Strict;
use super::words::Text;
use crate::backoff::Backoff;
use crate::classify::Outcome;
use crate::config::{self, BreakerBuilder, BreakerConfig, PartialSettings, RuleChanges};
use crate::error::ConfigError;
use crate::state::{Mode, Trials};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// Defines [`Entry`] from a list of keys. Each key states its type in a document, how it sets
/// partial settings, and how it is read back from them. A key under `values` is also a field of
/// [`PartialSettings`].
macro_rules! entry {
    (
        values { $($name:ident: $type:ty;)* }
        $($key:ident: $written:ty, |$to:ident, $value:ident| $set:expr, |$from:ident| $get:expr;)*
    ) => {
        entry! {
            $($key: $written, |$to, $value| $set, |$from| $get;)*
            $($name: $type,
                |to, value| to.$name = Some(value.into()),
                |from| from.$name.map(Into::into);)*
        }
    };
    ($($key:ident: $written:ty, |$to:ident, $value:ident| $set:expr, |$from:ident| $get:expr;)*) => {
        /// The settings that an entry contains.
        #[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
        #[serde(default, deny_unknown_fields, expecting = "a table of settings")]
        pub(super) struct Entry {
            /// Allowed only in a document.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) inherits: Option<String>,
            $(#[serde(skip_serializing_if = "Option::is_none")]
            $key: Option<Checked<key::$key>>,)*
            /// Allowed only for a single breaker, outside a document.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(super) name: Option<String>,
        }

        #[allow(non_camel_case_types)] // Each type is named after its key in the document.
        mod key {
            $(#[derive(Clone, Debug, PartialEq)]
            pub(super) struct $key;)*
        }

        $(impl Key for key::$key {
            type Written = $written;

            fn set($to: &mut PartialSettings, $value: $written) {
                $set;
            }

            fn get($from: &PartialSettings) -> Option<$written> {
                $get
            }
        })*

        impl Entry {
            /// Returns the settings of this entry, without inherited ones.
            pub(super) fn settings(&self) -> PartialSettings {
                let mut settings = PartialSettings::default();
                $(if let Some(Checked(value)) = self.$key.clone() {
                    key::$key::set(&mut settings, value);
                })*
                settings
            }

            /// Creates the entry that contains `settings`.
            fn of(settings: &PartialSettings) -> Self {
                Self {
                    name: None,
                    inherits: None,
                    $($key: key::$key::get(settings).map(Checked),)*
                }
            }
        }
    };
}

// Trip rules merge in the order of this list, regardless of their order in the document.
entry! {
    values {
        reset_backoff_after: Text<Duration>;
        ramp_up: Text<Duration>;
        max_trip_for: Text<Duration>;
        half_open_calls: u32;
        success_threshold: u32;
        trial_timeout: Text<Duration>;
        unexpected_errors_as: Text<Outcome>;
        cancelled_as: Text<Outcome>;
        cancelled_after: Text<Duration>;
        mode: Text<Mode>;
        count_successes: bool;
        capture_last_failure: bool;
    }
    trip_rules: RuleList,
        |to, list| to.trip_rules = Some(RuleChanges::exactly(list.0)),
        |from| from.trip_rules.as_ref()?.to_keys().0.map(RuleList);
    failure_threshold: u32,
        |to, failures| to.trip_rules.get_or_insert_default().set_failure_threshold(failures),
        |from| from.trip_rules.as_ref()?.to_keys().1;
    trip_when: RuleList,
        |to, list| for rule in list.0 { to.trip_rules.get_or_insert_default().add(rule); },
        |from| Some(from.trip_rules.as_ref()?.to_keys().2).filter(|list| !list.is_empty()).map(RuleList);
    recovery_timeout: Text<Duration>,
        |to, delay| to.recovery_backoff = Some(Backoff::constant(delay.0)),
        |from| from.recovery_backoff.filter(is_constant).map(|backoff| Text(backoff.first));
    recovery_backoff: BackoffTable,
        |to, backoff| to.recovery_backoff = Some(backoff.0),
        |from| from.recovery_backoff.filter(|backoff| !is_constant(backoff)).map(BackoffTable);
    fleet: Text<Share>,
        |to, share| share::set(to, share.0),
        |from| share::get(from).map(Text);
}

fn is_constant(backoff: &Backoff) -> bool {
    *backoff == Backoff::constant(backoff.first)
}

/// A key of an entry.
trait Key {
    /// The type of the value in a document.
    type Written;

    fn set(settings: &mut PartialSettings, value: Self::Written);

    fn get(settings: &PartialSettings) -> Option<Self::Written>;
}

/// The value of a key that is valid in isolation.
///
/// The check runs during deserialization, while the format still knows the position of the value.
#[derive(Clone, Debug, PartialEq)]
struct Checked<K: Key>(K::Written);

impl<'de, K: Key<Written: Clone + Deserialize<'de>>> Deserialize<'de> for Checked<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_newtype_struct("Checked", CheckedVisitor(PhantomData))
    }
}

struct CheckedVisitor<K>(PhantomData<K>);

impl<'de, K: Key<Written: Clone + Deserialize<'de>>> Visitor<'de> for CheckedVisitor<K> {
    type Value = Checked<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setting")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Checked<K>, D::Error> {
        let value = K::Written::deserialize(from)?;
        let mut alone = PartialSettings::default();
        K::set(&mut alone, value.clone());
        alone.check_each().map_err(D::Error::custom)?;
        Ok(Checked(value))
    }
}

impl<K: Key<Written: Serialize>> Serialize for Checked<K> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl Entry {
    /// Checks the settings of this entry together.
    ///
    /// Rejects only combinations that are invalid regardless of the layers below.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.recovery_timeout.is_some() && self.recovery_backoff.is_some() {
            let value = format_args!("given");
            let allowed = "omitted, because recovery_backoff is given as well";
            return Err(ConfigError::new("recovery_timeout", value, allowed));
        }
        let mut settings = PartialSettings {
            half_open_calls: Some(Trials::MAX_CALLS),
            ..PartialSettings::default()
        };
        settings.merge(&self.settings());
        settings.check_together()
    }
}

/// Serializes the settings that the builder contains. Error rules, listeners, redaction and the
/// clock are not data and are left out.
impl Serialize for BreakerBuilder {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let entry = Entry {
            name: self.name.as_deref().map(str::to_owned),
            ..Entry::of(&self.settings)
        };
        entry.serialize(to)
    }
}

impl<'de> Deserialize<'de> for BreakerBuilder {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let entry = Option::<Entry>::deserialize(Strict::new(from))?.unwrap_or_default();
        if entry.inherits.is_some() {
            return Err(D::Error::custom(
                "inherits is not a valid key here: presets exist only in a document",
            ));
        }
        entry.check().map_err(D::Error::custom)?;
        let builder = Self::from_settings(entry.settings());
        let Some(name) = entry.name else {
            return Ok(builder);
        };
        config::check_name(&name).map_err(D::Error::custom)?;
        Ok(builder.name(name))
    }
}

/// Serializes all settings, including defaults. Error rules, listeners, redaction and the clock are
/// not data and are left out.
impl Serialize for BreakerConfig {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let settings = PartialSettings {
            trip_rules: Some(RuleChanges::exactly(self.trip_rules().iter().copied())),
            recovery_backoff: Some(self.recovery_backoff()),
            max_trip_for: Some(self.max_trip_for()),
            half_open_calls: Some(self.half_open_calls()),
            unexpected_errors_as: Some(self.unexpected_errors_as()),
            cancelled_as: Some(self.cancelled_as()),
            mode: Some(self.mode()),
            count_successes: Some(self.count_successes()),
            capture_last_failure: Some(self.capture_last_failure()),
            ..self.settings().clone()
        };
        Entry::of(&settings).serialize(to)
    }
}

impl<'de> Deserialize<'de> for BreakerConfig {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let builder = BreakerBuilder::deserialize(from)?;
        Self::from_builder(builder).map_err(D::Error::custom)
    }
}
