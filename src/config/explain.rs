//! [`Explanation`]: the settings of a breaker, each with the layer that set it.

use super::{BreakerConfig, Layer, PartialSettings};
use std::fmt;

/// The settings of a breaker, each with its value and the layer that set it.
///
/// Returned by [`BreakerConfig::explain`]. `Display` prints a table with one line for each setting.
/// A setting that consists of several parts, such as the trip rules, has one line for each part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    lines: Vec<(&'static str, String, String)>,
}

impl Explanation {
    pub(super) fn of(config: &BreakerConfig) -> Self {
        let layers = config.layers_from_top();
        let lines = PartialSettings::KEYS.iter().flat_map(|key| {
            let lines = explain(config, &layers, key);
            lines.into_iter().map(|(value, layer)| (*key, value, layer))
        });
        Self {
            lines: lines.collect(),
        }
    }

    /// Returns an iterator over the key, the value and the layer of each setting.
    ///
    /// A setting with several parts occurs once for each part. If no layer sets a value, its layer
    /// is `default`.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let lines = self.lines.iter();
        lines.map(|(key, value, layer)| (*key, value.as_str(), layer.as_str()))
    }

    /// Returns the value and the layer of the setting called `key`, or `None` if there is no such
    /// setting.
    ///
    /// If the setting has several parts, the first part is returned.
    pub fn get(&self, key: &str) -> Option<(&str, &str)> {
        let found = self.settings().find(|(other, ..)| *other == key);
        found.map(|(_, value, layer)| (value, layer))
    }
}

/// Returns each part of a setting with the uppermost layer that contains this part.
fn explain(config: &BreakerConfig, layers: &[&Layer], key: &str) -> Vec<(String, String)> {
    let Some(parts) = config.settings.describe(key) else {
        let parts = PartialSettings::describe_default(config, key);
        return parts
            .into_iter()
            .map(|part| (part, "default".to_owned()))
            .collect();
    };
    let mut origins = vec![None; parts.len()];
    for layer in layers {
        for named in layer.settings.describe(key).unwrap_or_default() {
            let mut parts = parts.iter().zip(&mut origins).rev();
            let part = parts.find(|(part, origin)| **part == named && origin.is_none());
            if let Some((_, origin)) = part {
                *origin = Some(layer.origin.to_string());
            }
        }
    }
    let origins = origins.into_iter().map(Option::unwrap_or_default);
    parts.into_iter().zip(origins).collect()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: fn(&(&str, &str, &str)) -> usize| {
            self.settings().map(|line| column(&line)).max().unwrap_or(0)
        };
        let keys = width(|(key, ..)| key.chars().count());
        let values = width(|(_, value, _)| value.chars().count());
        let mut gap = "";
        for (key, value, layer) in self.settings() {
            write!(f, "{gap}{key:keys$}  {value:values$}  {layer}")?;
            gap = "\n";
        }
        Ok(())
    }
}
