use super::inherit::{self, Entries};
use super::overlay::{Bottom, Draft, Entry};
use super::path::Path;
use super::read::flaw;
use super::table::{Table, table, value};
use crate::names;
use crate::registry::DocumentLayers;
use serde::de::{Deserialize, Deserializer, Error, MapAccess};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Settings of many breakers as data: a document in TOML, YAML or JSON, or in any other format that
/// describes itself.
///
/// [`BreakerRegistry::apply`](crate::BreakerRegistry::apply) gives them to the breakers. The keys, and
/// who inherits from whom: [the configuration guide](https://github.com/breakerbox/breakerbox/blob/main/docs/configuration.md).
///
/// Reading refuses unknown keys, wrong units, values that cannot work, unknown presets and presets
/// that inherit from themselves, with the path of the key. What is written reads as the same
/// settings.
///
/// # Default
///
/// An empty document, which changes nothing of what code says.
///
/// # Examples
///
/// ```
/// use breakerbox::settings::Settings;
///
/// let settings: Settings = toml::from_str(r#"
///     [default]
///     recovery_timeout = "1m 30s"
///
///     [presets.patient]
///     failure_threshold = 10
///
///     [prefixes."http:"]
///     inherits = "patient"
///
///     [breakers."users-api"]
///     inherits = "patient"
///     mode = "metrics_only"
/// "#)?;
/// assert_eq!(toml::from_str::<Settings>(&toml::to_string(&settings)?)?, settings);
///
/// let error = toml::from_str::<Settings>("breakers.users.recovery_timeout = 30").unwrap_err();
/// assert!(error.to_string().contains("breakers.users.recovery_timeout is 30, but must be a duration"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    default: Draft,
    presets: Entries,
    prefixes: Entries,
    breakers: Entries,
}

impl Settings {
    /// The names that have an entry of their own, sorted.
    pub fn breakers(&self) -> impl Iterator<Item = &str> {
        self.breakers.keys().map(|name| &**name)
    }

    /// The same, with everything that is inherited in its place.
    pub(super) fn layers(&self) -> DocumentLayers {
        let resolve = |table: &'static str, entries: &Entries| {
            entries
                .iter()
                .map(|(name, entry)| {
                    let path = Path::Key(&Path::Root, table).key(name).to_string();
                    (name.clone(), inherit::layers(path, entry, &self.presets))
                })
                .collect()
        };
        DocumentLayers {
            default: inherit::layers("default".to_owned(), &self.default, &self.presets),
            prefixes: resolve("prefixes", &self.prefixes),
            names: resolve("breakers", &self.breakers),
        }
    }
}

#[derive(Default)]
struct Document(Settings);

impl Table for Document {
    const KEYS: &'static [&'static str] = &["default", "presets", "prefixes", "breakers"];

    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        path: &Path<'_>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let Self(settings) = self;
        match key {
            "default" => {
                let Bottom(draft) = value(path, map)?;
                settings.default = draft;
            }
            "presets" => settings.presets = entries(path, map, |_| Ok(()))?,
            "prefixes" => {
                let fits = |prefix: &str| match prefix {
                    "" => Ok(()),
                    prefix => names::check(prefix),
                };
                settings.prefixes = entries(path, map, fits)?;
            }
            _ => settings.breakers = entries(path, map, names::check)?,
        }
        Ok(())
    }
}

fn entries<'de, A: MapAccess<'de>>(
    path: &Path<'_>,
    map: &mut A,
    fits: impl Fn(&str) -> Result<(), (String, &'static str)>,
) -> Result<Entries, A::Error> {
    let entries: BTreeMap<Arc<str>, Entry> = value(path, map)?;
    for name in entries.keys() {
        let shown = crate::text::prefix(name, 48);
        fits(name).map_err(|(value, allowed)| {
            let value = format_args!("the name {value:?}").to_string();
            flaw(&path.key(shown), value, allowed)
        })?;
    }
    let drafts = entries
        .into_iter()
        .map(|(name, Entry(draft))| (name, draft));
    Ok(drafts.collect())
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Document(settings) = table(&Path::Root, from)?.unwrap_or_default();
        let tables = [
            ("presets", &settings.presets),
            ("prefixes", &settings.prefixes),
            ("breakers", &settings.breakers),
        ];
        for (table, entries) in tables {
            let table = Path::Key(&Path::Root, table);
            for (name, entry) in entries {
                let path = table.key(name);
                inherit::check(&path, entry, &settings.presets).map_err(D::Error::custom)?;
            }
        }
        Ok(settings)
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        if self.default != Draft::default() {
            map.serialize_entry("default", &self.default)?;
        }
        let tables = [
            ("presets", &self.presets),
            ("prefixes", &self.prefixes),
            ("breakers", &self.breakers),
        ];
        for (table, entries) in tables {
            if !entries.is_empty() {
                map.serialize_entry(table, &Named(entries))?;
            }
        }
        map.end()
    }
}

struct Named<'a>(&'a Entries);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, entry)| (&**name, entry)))
    }
}
