use crate::config::{BreakerConfig, ConfigError, Settings};
use std::sync::Arc;

/// Which settings are due to a name that nobody spoke of. Checked once, and shared by all breakers
/// that are made of them.
#[derive(Clone, Debug)]
pub(super) struct Presets {
    default: Arc<BreakerConfig>,
    /// The longest first, so that the first match wins.
    prefixes: Vec<(Arc<str>, Arc<BreakerConfig>)>,
}

impl Presets {
    pub(super) fn new(default: Arc<BreakerConfig>) -> Self {
        Self { default, prefixes: Vec::new() }
    }

    /// The same presets with one more; a later word on a prefix replaces an earlier one.
    pub(super) fn with(&self, prefix: &str, config: Arc<BreakerConfig>) -> Self {
        let mut presets = self.clone();
        presets.prefixes.retain(|(other, _)| **other != *prefix);
        let at = presets.prefixes.partition_point(|(other, _)| other.len() >= prefix.len());
        presets.prefixes.insert(at, (prefix.into(), config));
        presets
    }

    pub(super) fn due_to(&self, name: &str) -> Arc<BreakerConfig> {
        let due = self.prefixes.iter().find(|(prefix, _)| name.starts_with(&**prefix));
        due.map_or(&self.default, |(_, config)| config).clone()
    }
}

impl Default for Presets {
    fn default() -> Self {
        let default = BreakerConfig::check(Settings::default());
        // The tests build it; nothing from outside comes in.
        Self::new(Arc::new(default.expect("the default settings can work")))
    }
}

/// The settings of the preset for `prefix`; an error names the preset.
pub(super) fn check(prefix: &str, settings: Settings) -> Result<Arc<BreakerConfig>, ConfigError> {
    let named = |error: ConfigError| error.within(&format!("preset_for({prefix:?})"));
    BreakerConfig::check(settings).map(Arc::new).map_err(named)
}
