use crate::config::{BreakerConfig, PartialSettings};
use crate::registry::ApplyReport;
use std::fmt;
use std::sync::Arc;

/// What applying settings has changed.
///
/// It prints a line for each breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    created: Vec<Arc<str>>,
    changed: Vec<Change>,
    released: Vec<Change>,
    unchanged: usize,
}

/// What has changed of one live breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    breaker: Arc<str>,
    settings: Vec<(&'static str, String, String)>,
}

impl Change {
    /// The name of the breaker.
    pub fn breaker(&self) -> &str {
        &self.breaker
    }

    /// The settings that have changed: key, old value, new value. None when only judges or listeners
    /// have, or nothing.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.settings
            .iter()
            .map(|(key, old, new)| (*key, old.as_str(), new.as_str()))
    }
}

impl Applied {
    pub(super) fn new(report: ApplyReport) -> Self {
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
        }
    }

    /// The names that have a breaker now and had none, sorted.
    pub fn created(&self) -> impl Iterator<Item = &str> {
        self.created.iter().map(|name| &**name)
    }

    /// The live breakers that got other settings, by name.
    pub fn changed(&self) -> &[Change] {
        &self.changed
    }

    /// The live breakers whose entry has gone, by name; they have what is due without it.
    pub fn released(&self) -> &[Change] {
        &self.released
    }

    /// How many live breakers were not touched.
    pub fn unchanged(&self) -> usize {
        self.unchanged
    }

    /// Whether nothing was created, changed or released.
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.changed.is_empty() && self.released.is_empty()
    }
}

/// The settings that are data, as text.
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
        if self.is_empty() {
            return f.write_str("nothing has changed");
        }
        let mut gap = "";
        for name in &self.created {
            write!(f, "{gap}created {name:?}")?;
            gap = "\n";
        }
        for (verb, changes) in [("changed", &self.changed), ("released", &self.released)] {
            for change in changes {
                write!(f, "{gap}{verb} {change}")?;
                gap = "\n";
            }
        }
        Ok(())
    }
}
