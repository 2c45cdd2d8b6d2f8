//! The settings of one breaker as a table.

use super::duration::Exact;
use super::path::Path;
use super::read::{Read, flaw};
use super::table::{Table, table, value};
use crate::backoff::Backoff;
use crate::classify::Outcome;
use crate::config::{self, BreakerBuilder, BreakerConfig, PartialSettings};
use crate::rules::TripRule;
use crate::state::Mode;
use crate::state::Trials;
use serde::de::{Deserialize, Deserializer, Error, MapAccess};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::sync::Arc;
use std::time::Duration;

/// All keys; `inherits` is for entries of a document, `name` for a breaker alone.
const KEYS: [&str; 18] = [
    "inherits",
    "failure_threshold",
    "trip_when",
    "trip_rules",
    "recovery_timeout",
    "recovery_backoff",
    "reset_backoff_after",
    "max_trip_for",
    "half_open_calls",
    "success_threshold",
    "trial_timeout",
    "unexpected_errors_as",
    "cancelled_as",
    "cancelled_after",
    "mode",
    "count_successes",
    "capture_last_failure",
    "name",
];

/// The settings that a table names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Overlay {
    pub(super) trip_rules: Option<Vec<TripRule>>,
    pub(super) failure_threshold: Option<u32>,
    pub(super) trip_when: Vec<TripRule>,
    pub(super) recovery: Option<Backoff>,
    pub(super) reset_backoff_after: Option<Duration>,
    pub(super) max_trip_for: Option<Duration>,
    pub(super) half_open_calls: Option<u32>,
    pub(super) success_threshold: Option<u32>,
    pub(super) trial_timeout: Option<Duration>,
    pub(super) unexpected: Option<Outcome>,
    pub(super) cancelled: Option<Outcome>,
    pub(super) cancelled_after: Option<Duration>,
    pub(super) mode: Option<Mode>,
    pub(super) count_successes: Option<bool>,
    pub(super) capture_last_failure: Option<bool>,
}

impl Overlay {
    /// The trip rules first, then the threshold, then the additional rules.
    pub(super) fn settings(&self) -> PartialSettings {
        let mut builder = BreakerBuilder::default();
        if let Some(rules) = &self.trip_rules {
            builder = builder.trip_rules(rules.iter().copied());
        }
        if let Some(failures) = self.failure_threshold {
            builder = builder.failure_threshold(failures);
        }
        for rule in &self.trip_when {
            builder = builder.trip_when(*rule);
        }
        PartialSettings {
            recovery_backoff: self.recovery,
            reset_backoff_after: self.reset_backoff_after,
            max_trip_for: self.max_trip_for,
            half_open_calls: self.half_open_calls,
            success_threshold: self.success_threshold,
            trial_timeout: self.trial_timeout,
            unexpected_errors_as: self.unexpected,
            cancelled_as: self.cancelled,
            cancelled_after: self.cancelled_after,
            mode: self.mode,
            count_successes: self.count_successes,
            capture_last_failure: self.capture_last_failure,
            ..builder.settings
        }
    }
}

/// A table while it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Draft {
    pub(super) overlay: Overlay,
    pub(super) inherits: Option<Arc<str>>,
    name: Option<Arc<str>>,
}

impl Draft {
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &Path<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let Self {
            overlay,
            inherits,
            name,
        } = self;
        match key {
            "inherits" => *inherits = value(path, map)?,
            "name" => *name = value(path, map)?,
            "failure_threshold" => overlay.failure_threshold = value(path, map)?,
            "trip_when" => {
                let rules: Option<Vec<TripRule>> = value(path, map)?;
                overlay.trip_when = rules.unwrap_or_default();
            }
            "trip_rules" => overlay.trip_rules = value(path, map)?,
            "recovery_timeout" => {
                let timeout: Option<Duration> = value(path, map)?;
                only(path, overlay.recovery, "recovery_backoff")?;
                overlay.recovery = timeout.map(Backoff::constant);
            }
            "recovery_backoff" => {
                let backoff: Option<Backoff> = value(path, map)?;
                only(path, overlay.recovery, "recovery_timeout")?;
                overlay.recovery = backoff;
            }
            "reset_backoff_after" => overlay.reset_backoff_after = value(path, map)?,
            "max_trip_for" => overlay.max_trip_for = value(path, map)?,
            "half_open_calls" => overlay.half_open_calls = value(path, map)?,
            "success_threshold" => overlay.success_threshold = value(path, map)?,
            "trial_timeout" => overlay.trial_timeout = value(path, map)?,
            "unexpected_errors_as" => overlay.unexpected = value(path, map)?,
            "cancelled_as" => overlay.cancelled = value(path, map)?,
            "cancelled_after" => overlay.cancelled_after = value(path, map)?,
            "mode" => overlay.mode = value(path, map)?,
            "count_successes" => overlay.count_successes = value(path, map)?,
            _ => overlay.capture_last_failure = value(path, map)?,
        }
        self.check(path)
    }

    /// Refuses what can work over no settings at all; `path` is that of the key read last.
    fn check<E: Error>(&self, path: &Path<'_>) -> Result<(), E> {
        let Path::Key(owner, _) = path else {
            return Ok(());
        };
        let mut settings = self.overlay.settings();
        let name = self.name.as_deref().map_or(Ok(()), config::check_name);
        settings.half_open_calls.get_or_insert(Trials::MAX_CALLS);
        name.and_then(|()| settings.check_together())
            .map_err(|error| flaw(&owner.key(error.field()), error.value(), error.allowed()))
    }

    fn into_builder(self) -> BreakerBuilder {
        let mut builder = BreakerBuilder::from_settings(self.overlay.settings());
        builder.name = self.name;
        builder
    }
}

fn only<E: Error>(path: &Path<'_>, given: Option<Backoff>, other: &str) -> Result<(), E> {
    given.map_or(Ok(()), |_| {
        Err(flaw(
            path,
            "given",
            format_args!("left out: there is {other}"),
        ))
    })
}

macro_rules! tables {
    ($($table:ident: $keys:expr;)*) => {$(
        #[derive(Default)]
        pub(super) struct $table(pub(super) Draft);

        impl Table for $table {
            const EXPECTED: &'static str = "a table of settings";
            const KEYS: &'static [&'static str] = $keys;

            fn field<'de, A: MapAccess<'de>>(
                &mut self,
                key: &str,
                path: &Path<'_>,
                map: &mut A,
            ) -> Result<(), A::Error> {
                self.0.field(key, path, map)
            }
        }
    )*};
}

const WITHOUT_INHERITS: &[&str] = KEYS.split_at(1).1;

tables! {
    Entry: KEYS.split_at(KEYS.len() - 1).0;
    Bottom: WITHOUT_INHERITS.split_at(WITHOUT_INHERITS.len() - 1).0;
    Lone: WITHOUT_INHERITS;
}

impl Read for Entry {
    fn read<'de, D: Deserializer<'de>>(path: &Path<'_>, from: D) -> Result<Self, D::Error> {
        table(path, from).map(Option::unwrap_or_default)
    }
}

impl Read for Bottom {
    fn read<'de, D: Deserializer<'de>>(path: &Path<'_>, from: D) -> Result<Self, D::Error> {
        table(path, from).map(Option::unwrap_or_default)
    }
}

/// Each setting that is there.
impl Serialize for Draft {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Overlay {
            trip_rules,
            failure_threshold,
            trip_when,
            recovery,
            reset_backoff_after,
            max_trip_for,
            half_open_calls,
            success_threshold,
            trial_timeout,
            unexpected,
            cancelled,
            cancelled_after,
            mode,
            count_successes,
            capture_last_failure,
        } = &self.overlay;
        let timeout = recovery.filter(|backoff| *backoff == Backoff::constant(backoff.first));
        let backoff = recovery.filter(|_| timeout.is_none());
        let trip_when = (!trip_when.is_empty()).then_some(trip_when);
        let exact = |time: &Option<Duration>| time.map(Exact);
        let mut words = Words(to.serialize_map(None)?);
        words.put("name", self.name.as_deref())?;
        words.put("inherits", self.inherits.as_deref())?;
        words.put("failure_threshold", *failure_threshold)?;
        words.put("recovery_timeout", timeout)?;
        words.put("reset_backoff_after", exact(reset_backoff_after))?;
        words.put("max_trip_for", exact(max_trip_for))?;
        words.put("half_open_calls", *half_open_calls)?;
        words.put("success_threshold", *success_threshold)?;
        words.put("trial_timeout", exact(trial_timeout))?;
        words.put("unexpected_errors_as", *unexpected)?;
        words.put("cancelled_as", *cancelled)?;
        words.put("cancelled_after", exact(cancelled_after))?;
        words.put("mode", *mode)?;
        words.put("count_successes", *count_successes)?;
        words.put("capture_last_failure", *capture_last_failure)?;
        // Tables come last, where TOML wants them.
        words.put("recovery_backoff", backoff)?;
        words.put("trip_rules", trip_rules.as_ref())?;
        words.put("trip_when", trip_when)?;
        words.0.end()
    }
}

struct Words<M>(M);

impl<M: SerializeMap> Words<M> {
    fn put<T: Serialize>(&mut self, key: &'static str, value: Option<T>) -> Result<(), M::Error> {
        value.map_or(Ok(()), |value| self.0.serialize_entry(key, &value))
    }
}

impl Draft {
    /// What of the settings is data.
    fn of(settings: &PartialSettings) -> Self {
        let (trip_rules, failure_threshold, trip_when) = match &settings.trip_rules {
            Some(changes) => changes.to_keys(),
            None => (None, None, Vec::new()),
        };
        let overlay = Overlay {
            trip_rules,
            failure_threshold,
            trip_when,
            recovery: settings.recovery_backoff,
            reset_backoff_after: settings.reset_backoff_after,
            max_trip_for: settings.max_trip_for,
            half_open_calls: settings.half_open_calls,
            success_threshold: settings.success_threshold,
            trial_timeout: settings.trial_timeout,
            unexpected: settings.unexpected_errors_as,
            cancelled: settings.cancelled_as,
            cancelled_after: settings.cancelled_after,
            mode: settings.mode,
            count_successes: settings.count_successes,
            capture_last_failure: settings.capture_last_failure,
        };
        Self {
            overlay,
            inherits: None,
            name: None,
        }
    }
}

/// The settings that are data, as far as the builder names them. Judges, listeners, redaction
/// and clock are left out.
impl Serialize for BreakerBuilder {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut draft = Draft::of(&self.settings);
        draft.name.clone_from(&self.name);
        draft.serialize(to)
    }
}

impl<'de> Deserialize<'de> for BreakerBuilder {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Lone(draft) = table(&Path::Root, from)?.unwrap_or_default();
        Ok(draft.into_builder())
    }
}

/// The settings that are data, defaults and all. Judges, listeners, redaction and clock are left out.
impl Serialize for BreakerConfig {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut draft = Draft::of(self.settings());
        let overlay = &mut draft.overlay;
        (overlay.failure_threshold, overlay.trip_when) = (None, Vec::new());
        overlay.trip_rules = Some(self.trip_rules().to_vec());
        overlay.recovery = Some(self.recovery_backoff());
        overlay.max_trip_for = Some(self.max_trip_for());
        overlay.half_open_calls = Some(self.half_open_calls());
        overlay.unexpected = Some(self.unexpected_errors_as());
        overlay.cancelled = Some(self.cancelled_as());
        overlay.mode = Some(self.mode());
        overlay.count_successes = Some(self.count_successes());
        overlay.capture_last_failure = Some(self.capture_last_failure());
        draft.serialize(to)
    }
}

impl<'de> Deserialize<'de> for BreakerConfig {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let builder = BreakerBuilder::deserialize(from)?;
        Self::from_builder(builder).map_err(D::Error::custom)
    }
}
