//! [`Applied`]: the changes that a document made.

use super::document::Settings;
use super::strict::path_of;
use crate::config::{BreakerConfig, Overruled, PartialSettings};
use crate::registry::ApplyReport;
use std::fmt;
use std::sync::Arc;

/// The changes that applying settings made, as returned by
/// [`BreakerRegistry::apply`](crate::BreakerRegistry::apply).
///
/// `Display` prints one line for each created, changed or released breaker. One line follows for
/// each setting from code that the document overrides, and for each prefix that matches no breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    created: Vec<Arc<str>>,
    changed: Vec<Change>,
    released: Vec<Change>,
    unchanged: usize,
    defaults: Vec<(&'static str, String)>,
    presets: Vec<String>,
    prefixes: Vec<String>,
    unmatched: Vec<String>,
    overruled: Vec<Overruled>,
}

/// The changes to one existing breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    breaker: Arc<str>,
    settings: Vec<(&'static str, String, String)>,
}

impl Change {
    /// Returns the name of the breaker.
    pub fn breaker(&self) -> &str {
        &self.breaker
    }

    /// Returns the key, the old value and the new value of each changed setting.
    ///
    /// The iterator is empty if nothing changed except error rules, redaction or listeners.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.settings
            .iter()
            .map(|(key, old, new)| (*key, old.as_str(), new.as_str()))
    }
}

impl Applied {
    pub(super) fn new(report: ApplyReport, settings: &Settings) -> Self {
        let live = report.live;
        let is_unmatched = |prefix: &&str| {
            let at = live.partition_point(|name| **name < **prefix);
            !live.get(at).is_some_and(|name| name.starts_with(prefix))
        };
        let change = |breaker, old: &BreakerConfig, new: &BreakerConfig| Change {
            breaker,
            settings: described(old)
                .into_iter()
                .zip(described(new))
                .filter(|((_, old), (_, new))| old != new)
                .map(|((key, old), (_, new))| (key, old, new))
                .collect(),
        };
        let changed = report.reconfigured.into_iter();
        let released = report.released.into_iter();
        Self {
            created: report.created,
            changed: changed
                .map(|(name, (old, new))| change(name, &old, &new))
                .collect(),
            released: released
                .map(|(name, replaced)| match replaced {
                    Some((old, new)) => change(name, &old, &new),
                    None => Change {
                        breaker: name,
                        settings: Vec::new(),
                    },
                })
                .collect(),
            unchanged: report.unchanged,
            defaults: settings.defaults(),
            presets: settings.presets().map(str::to_owned).collect(),
            prefixes: settings.prefixes().map(str::to_owned).collect(),
            unmatched: settings
                .prefixes()
                .filter(is_unmatched)
                .map(str::to_owned)
                .collect(),
            overruled: report.overruled,
        }
    }

    /// Returns the names for which breakers were created, sorted.
    pub fn created(&self) -> impl Iterator<Item = &str> {
        self.created.iter().map(|name| &**name)
    }

    /// Returns the existing breakers whose settings were replaced, sorted by name.
    pub fn changed(&self) -> &[Change] {
        &self.changed
    }

    /// Returns the existing breakers that no longer have an entry, sorted by name.
    ///
    /// These breakers now have the settings that apply without the entry.
    pub fn released(&self) -> &[Change] {
        &self.released
    }

    /// Returns the number of existing breakers that were left alone.
    pub fn unchanged(&self) -> usize {
        self.unchanged
    }

    /// Returns the key and the value of each setting in the document's default entry.
    pub fn defaults(&self) -> impl Iterator<Item = (&str, &str)> {
        self.defaults
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
    }

    /// Returns the names of the document's presets, sorted.
    pub fn presets(&self) -> impl Iterator<Item = &str> {
        self.presets.iter().map(String::as_str)
    }

    /// Returns the document's prefixes, sorted.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(String::as_str)
    }

    /// Returns the document's prefixes that match no existing breaker, because they are not used
    /// yet or are misspelled.
    pub fn unmatched_prefixes(&self) -> impl Iterator<Item = &str> {
        self.unmatched.iter().map(String::as_str)
    }

    /// Returns the settings from code that the document overrides.
    ///
    /// Such a setting takes effect again as soon as the document no longer contains it.
    pub fn overruled(&self) -> &[Overruled] {
        &self.overruled
    }

    /// Returns `true` if no breaker was created, changed or released.
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.changed.is_empty() && self.released.is_empty()
    }
}

/// Returns the key and the value of each setting that is data.
fn described(config: &BreakerConfig) -> Vec<(&'static str, String)> {
    let is_data = |key: &&&str| !["error_rules", "redact_last_failure", "on_event"].contains(key);
    let keys = PartialSettings::KEYS.iter().filter(is_data);
    keys.map(|key| (*key, config.describe(key).join("; ")))
        .collect()
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.breaker)?;
        let mut gap = ": ";
        for (key, old, new) in &self.settings {
            write!(f, "{gap}{key}: {old} -> {new}")?;
            gap = ", ";
        }
        Ok(())
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let created = self.created.iter().map(|name| format!("created {name:?}"));
        let changed = self
            .changed
            .iter()
            .map(|change| format!("changed {change}"));
        let released = self
            .released
            .iter()
            .map(|change| format!("released {change}"));
        let overruled = self.overruled.iter().map(Overruled::to_string);
        let unmatched = self.unmatched.iter().map(|prefix| {
            let prefix = path_of(prefix);
            format!("prefixes.{prefix} matches no breaker")
        });
        let nothing = self.is_empty().then(|| "nothing has changed".to_owned());
        let lines = created.chain(changed).chain(released).chain(nothing);
        let mut gap = "";
        for line in lines.chain(overruled).chain(unmatched) {
            write!(f, "{gap}{line}")?;
            gap = "\n";
        }
        Ok(())
    }
}
