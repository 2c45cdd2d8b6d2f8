//! [`Settings`]: a document with settings for all breakers of a registry.

use super::closest;
use super::entry::Entry;
use super::strict::{MAX_QUOTED, Quoted, Strict, path_of, path_of_at_most};
use crate::config::{Layer, Origin};
use crate::names;
use crate::registry::DocumentLayers;
use crate::registry::MAX_PREFIXES;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Settings of many breakers as data.
///
/// The data can be read from and written to TOML, YAML, JSON, and any other self-describing format
/// that serde supports. [`BreakerRegistry::apply`](crate::BreakerRegistry::apply) applies the
/// settings to the breakers of a registry.
///
/// The
/// [configuration guide](https://github.com/breakerbox/breakerbox/blob/main/docs/configuration.md)
/// lists all keys and explains inheritance.
///
/// Deserialization rejects unknown keys, wrong units, invalid values, unknown presets and circular
/// inheritance. The error message contains the position in the document if the format provides one,
/// otherwise the path of the entry. Serialized settings deserialize to an equal value.
///
/// # Default
///
/// An empty document, which overrides no settings from code.
///
/// # Examples
///
/// ```
/// use breakerbox::settings::Settings;
///
/// let settings: Settings = serde_json::from_str(r#"{
///     "default": { "recovery_timeout": "1m 30s" },
///     "presets": {
///         "patient": { "failure_threshold": 10 }
///     },
///     "prefixes": {
///         "http:": { "inherits": "patient" }
///     },
///     "breakers": {
///         "users-api": { "inherits": "patient", "mode": "metrics_only" }
///     }
/// }"#)?;
/// let written = serde_json::to_string(&settings)?;
/// assert_eq!(serde_json::from_str::<Settings>(&written)?, settings);
///
/// let invalid = r#"{ "breakers": { "users": { "recovery_timeout": 30 } } }"#;
/// let error = serde_json::from_str::<Settings>(invalid).unwrap_err();
/// assert!(error.to_string().contains("recovery_timeout is 30, but must be a duration"));
/// assert!(error.to_string().contains("line 1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Settings {
    #[serde(skip_serializing_if = "is_empty")]
    default: Entry,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    presets: Entries,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    prefixes: Entries,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    breakers: Entries,
}

/// The entries of a table, sorted by name.
type Entries = BTreeMap<String, Entry>;

fn is_empty(entry: &Entry) -> bool {
    *entry == Entry::default()
}

/// The maximum number of presets in an inheritance chain.
const MAX_INHERITED: usize = 16;

impl Settings {
    /// Returns the names that have their own entry, sorted.
    pub fn breakers(&self) -> impl Iterator<Item = &str> {
        self.breakers.keys().map(String::as_str)
    }

    /// Returns the prefixes that have an entry, sorted.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.keys().map(String::as_str)
    }

    /// Returns the names of the presets, sorted.
    pub(super) fn presets(&self) -> impl Iterator<Item = &str> {
        self.presets.keys().map(String::as_str)
    }

    /// Returns the key and the value of each setting in the default entry.
    pub(super) fn defaults(&self) -> Vec<(&'static str, String)> {
        let settings = self.default.settings();
        let described = |key| Some((key, settings.describe(key)?.join("; ")));
        settings.named().filter_map(described).collect()
    }

    /// Returns all entries except the default, each with its table and its name.
    fn entries(&self) -> impl Iterator<Item = (&'static str, &str, &Entry)> {
        let tables = [
            ("presets", &self.presets),
            ("prefixes", &self.prefixes),
            ("breakers", &self.breakers),
        ];
        tables.into_iter().flat_map(|(table, entries)| {
            let entries = entries.iter();
            entries.map(move |(name, entry)| (table, name.as_str(), entry))
        })
    }

    /// Checks inheritance and combinations of settings, for which the format cannot report a
    /// position.
    fn check(&self) -> Result<(), String> {
        if self.default.inherits.is_some() {
            return Err(
                "default.inherits is not a valid key: the default cannot inherit presets"
                    .to_owned(),
            );
        }
        check("default", &self.default)?;
        for (table, name, entry) in self.entries() {
            // The path is formatted even if there is no error, because this is cheap compared to
            // parsing.
            check(&format!("{table}.{}", path_of(name)), entry)?;
            self.check_inherited(table, name, entry)?;
        }
        Ok(())
    }

    /// Rejects unknown presets, circular inheritance and chains that are too long.
    fn check_inherited(&self, table: &str, name: &str, entry: &Entry) -> Result<(), String> {
        let refuse = |problem: String| {
            let name = path_of_at_most(name, MAX_QUOTED / 3);
            Err(format!("{table}.{name}.inherits {problem}"))
        };
        let mut chain: Vec<&str> = Vec::new();
        let mut next = entry.inherits.as_deref();
        while let Some(preset) = next {
            let Some(inherited) = self.presets.get(preset) else {
                let quoted = |text| Quoted {
                    text,
                    most: MAX_QUOTED / 3,
                };
                let hint = closest(preset, self.presets());
                let hint = hint.map(|name| format!(" (did you mean {}?)", quoted(name)));
                let (preset, hint) = (quoted(preset), hint.unwrap_or_default());
                return refuse(format!(
                    "is {preset}, but must be the name of a table in presets{hint}"
                ));
            };
            if chain.contains(&preset) {
                chain.push(preset);
                let round = chain.join(" -> ");
                let round = crate::text::prefix(&round, 2 * MAX_QUOTED / 3).escape_debug();
                return refuse(format!("forms a cycle: {round}"));
            }
            if chain.len() == MAX_INHERITED {
                return refuse(format!(
                    "forms a chain of more than {MAX_INHERITED} presets"
                ));
            }
            chain.push(preset);
            next = inherited.inherits.as_deref();
        }
        Ok(())
    }

    /// Returns the layers of all entries. Inherited presets come before the entry.
    pub(super) fn layers(&self) -> DocumentLayers {
        let layer = |path: String, entry: &Entry| {
            Arc::new(Layer {
                settings: entry.settings(),
                clock: None,
                origin: Origin::Document(path.into(), None),
            })
        };
        let presets: BTreeMap<&str, _> = self
            .presets
            .iter()
            .map(|(name, entry)| {
                let path = format!("presets.{}", path_of(name));
                (name.as_str(), layer(path, entry))
            })
            .collect();
        let with_inherited = |path: String, entry: &Entry| {
            let inherits = |entry: &&Entry| self.presets.get(entry.inherits.as_deref()?);
            let chain = std::iter::successors(Some(entry), inherits);
            let names = chain.filter_map(|entry| entry.inherits.as_deref());
            let mut layers: Vec<_> = names
                .filter_map(|name| presets.get(name).cloned())
                .collect();
            layers.reverse();
            if !is_empty(entry) {
                layers.push(layer(path, entry));
            }
            layers
        };
        let table = |table: &str, entries: &Entries| {
            entries
                .iter()
                .map(|(name, entry)| {
                    let path = format!("{table}.{}", path_of(name));
                    (name.as_str().into(), with_inherited(path, entry))
                })
                .collect()
        };
        DocumentLayers {
            default: with_inherited("default".to_owned(), &self.default),
            prefixes: table("prefixes", &self.prefixes),
            names: table("breakers", &self.breakers),
        }
    }
}

fn check(path: &str, entry: &Entry) -> Result<(), String> {
    if entry.name.is_some() {
        return Err(format!(
            "{path}.name is not a valid key: the key of the entry is already the name"
        ));
    }
    let checked = entry.check();
    checked.map_err(|error| error.with_prefix(path).to_string())
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let tables = Option::<Tables>::deserialize(Strict::new(from))?.unwrap_or_default();
        let settings = Self {
            default: tables.default.unwrap_or_default(),
            presets: tables.presets.unwrap_or_default().0,
            prefixes: tables.prefixes.unwrap_or_default().0,
            breakers: tables.breakers.unwrap_or_default().0,
        };
        settings.check().map_err(D::Error::custom)?;
        Ok(settings)
    }
}

/// The tables of a document. A missing table and a null value count as empty.
#[derive(Default, serde::Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table of default, presets, prefixes and breakers"
)]
struct Tables {
    default: Option<Entry>,
    presets: Option<Table<0>>,
    prefixes: Option<Table<1>>,
    breakers: Option<Table<2>>,
}

/// The name of a table, the allowed length of a name in bytes, and the maximum number of entries.
type Bounds = (&'static str, RangeInclusive<usize>, usize);

const BOUNDS: [Bounds; 3] = [
    ("presets", 0..=usize::MAX, 1_000),
    ("prefixes", 0..=names::LONGEST, MAX_PREFIXES),
    // The number of breakers is limited by the capacity of the registry instead.
    ("breakers", 1..=names::LONGEST, usize::MAX),
];

/// The entries of the table that `BOUNDS[AT]` describes.
#[derive(Default)]
struct Table<const AT: usize>(Entries);

impl<'de, const AT: usize> Deserialize<'de> for Table<AT> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(TableVisitor)
    }
}

struct TableVisitor<const AT: usize>;

impl<'de, const AT: usize> Visitor<'de> for TableVisitor<AT> {
    type Value = Table<AT>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<AT>, A::Error> {
        let (table, lengths, most) = &BOUNDS[AT];
        let mut entries = Entries::new();
        while let Some(name) = map.next_key::<String>()? {
            let refuse = |problem: String| {
                let name = path_of(&name);
                Err(A::Error::custom(format_args!("{table}.{name} {problem}")))
            };
            if !lengths.contains(&name.len()) {
                let (shortest, longest) = (lengths.start(), lengths.end());
                return refuse(format!("must have a name of {shortest} to {longest} bytes"));
            }
            if entries.contains_key(&name) {
                return refuse("is given twice".to_owned());
            }
            if entries.len() == *most {
                return refuse(format!("exceeds the limit of {most} {table}"));
            }
            let entry: Option<Entry> = map.next_value()?;
            entries.insert(name, entry.unwrap_or_default());
        }
        Ok(Table(entries))
    }
}
