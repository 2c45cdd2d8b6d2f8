//! [`Presets`]: resolves the name of a breaker to its settings.

use super::config_layers::Layers;
use crate::config::{BreakerConfig, Settings, Source};
use crate::error::ConfigError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The settings of names, by prefix and by document. They are checked once, and shared by all breakers that
/// resolve to them.
#[derive(Clone, Debug)]
pub(super) struct Presets {
    /// The presets from code.
    code: PrefixTable,
    /// The document.
    layers: Arc<Layers>,
    /// The presets from code, with the default and the prefixes of the document applied.
    effective: PrefixTable,
    /// The settings of names in the document, for breakers without settings from code.
    names: BTreeMap<Arc<str>, Arc<BreakerConfig>>,
}

/// Settings by prefix, and the default for names that match none.
#[derive(Clone, Debug)]
struct PrefixTable {
    default: Arc<BreakerConfig>,
    /// The longest prefix first, so that the first match wins.
    prefixes: Vec<(Arc<str>, Arc<BreakerConfig>)>,
}

impl PrefixTable {
    fn new(default: Arc<BreakerConfig>) -> Self {
        Self {
            default,
            prefixes: Vec::new(),
        }
    }

    /// Inserts or replaces the settings of `prefix`.
    fn insert(&mut self, prefix: &str, config: Arc<BreakerConfig>) {
        self.prefixes.retain(|(other, _)| **other != *prefix);
        let at = self
            .prefixes
            .partition_point(|(other, _)| other.len() >= prefix.len());
        self.prefixes.insert(at, (prefix.into(), config));
    }

    /// Returns the settings of exactly this prefix.
    fn get(&self, prefix: &str) -> Option<&Arc<BreakerConfig>> {
        let found = self.prefixes.iter().find(|(other, _)| **other == *prefix);
        found.map(|(_, config)| config)
    }

    /// Returns the settings of the longest prefix of `name`, or the default.
    fn resolve(&self, name: &str) -> &Arc<BreakerConfig> {
        let found = self
            .prefixes
            .iter()
            .find(|(prefix, _)| name.starts_with(&**prefix));
        found.map_or(&self.default, |(_, config)| config)
    }
}

impl Presets {
    pub(super) fn new(default: BreakerConfig) -> Self {
        let code = PrefixTable::new(Arc::new(default.from(Source::Preset)));
        Self {
            effective: code.clone(),
            code,
            layers: Arc::default(),
            names: BTreeMap::new(),
        }
    }

    /// Returns the same presets with a preset for `prefix` from code.
    pub(super) fn with(&self, prefix: &str, config: BreakerConfig) -> Result<Self, ConfigError> {
        let mut code = self.code.clone();
        code.insert(prefix, Arc::new(config.from(Source::Preset)));
        Self::combine(code, self.layers.clone())
    }

    /// Returns the presets from code with another document.
    #[cfg(feature = "serde")]
    pub(super) fn with_layers(&self, layers: Arc<Layers>) -> Result<Self, ConfigError> {
        Self::combine(self.code.clone(), layers)
    }

    /// Applies each entry of the document to the settings that its names would have without the entry.
    fn combine(code: PrefixTable, layers: Arc<Layers>) -> Result<Self, ConfigError> {
        let mut effective = PrefixTable::new(if layers.default.overlays.is_empty() {
            code.default.clone()
        } else {
            layers.default.apply_to(&code.default, Source::Preset)?
        });
        let from_code = code.prefixes.iter().map(|(prefix, _)| prefix);
        let mut prefixes: Vec<_> = from_code.chain(layers.prefixes.keys()).collect();
        // The short prefixes first, because a longer one may be based on a shorter one.
        prefixes.sort_by_key(|prefix| prefix.len());
        for prefix in prefixes {
            let base = code
                .get(prefix)
                .unwrap_or_else(|| effective.resolve(prefix));
            let config = match layers.prefixes.get(prefix) {
                Some(layer) => layer.apply_to(base, Source::Preset)?,
                None => base.clone(),
            };
            effective.insert(prefix, config);
        }
        let names = layers.names.iter().map(|(name, layer)| {
            let base = effective.resolve(name);
            let config = layer.apply_to(base, Source::Document(base.clone()))?;
            Ok((name.clone(), config))
        });
        Ok(Self {
            names: names.collect::<Result<_, _>>()?,
            code,
            layers,
            effective,
        })
    }

    /// The document.
    pub(super) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// Returns the settings of `name` for a breaker without settings from code.
    pub(super) fn resolve(&self, name: &str) -> &Arc<BreakerConfig> {
        self.names
            .get(name)
            .unwrap_or_else(|| self.effective.resolve(name))
    }

    /// Returns the settings of `name` for a breaker that has, or gets, `config`.
    ///
    /// Settings from code stay, with the document's entry for the name applied. Settings that came from
    /// presets are resolved again.
    pub(super) fn resolve_explicit(
        &self,
        name: &str,
        config: &Arc<BreakerConfig>,
    ) -> Result<Arc<BreakerConfig>, ConfigError> {
        let base = match &config.source {
            Source::Document(base) => base,
            Source::Code | Source::Preset => config,
        };
        if matches!(base.source, Source::Preset) {
            return Ok(self.resolve(name).clone());
        }
        match self.layers.names.get(name) {
            Some(layer) => layer.apply_to(base, Source::Document(base.clone())),
            None => Ok(base.clone()),
        }
    }
}

impl Default for Presets {
    fn default() -> Self {
        let default = BreakerConfig::check(Settings::default());
        // Tests build the defaults, which take no input.
        Self::new(default.expect("the default settings are valid"))
    }
}

/// Checks the settings of the preset for `prefix`. An error names the preset.
pub(super) fn check(prefix: &str, settings: Settings) -> Result<BreakerConfig, ConfigError> {
    let named = |error: ConfigError| error.with_prefix(&format!("preset_for({prefix:?})"));
    BreakerConfig::check(settings).map_err(named)
}
