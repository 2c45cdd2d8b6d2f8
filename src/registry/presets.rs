use super::layers::Layers;
use crate::config::{BreakerConfig, Settings, Source};
use crate::error::ConfigError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which settings are due to a name. Checked once, and shared by all breakers that are made of
/// them.
#[derive(Clone, Debug)]
pub(super) struct Presets {
    /// What code said.
    code: Ranked,
    /// What a document says of it.
    layers: Arc<Layers>,
    /// Both together.
    due: Ranked,
    /// The names of the document, as long as code gives them nothing of their own.
    names: BTreeMap<Arc<str>, Arc<BreakerConfig>>,
}

/// A default, and what goes before it.
#[derive(Clone, Debug)]
struct Ranked {
    default: Arc<BreakerConfig>,
    /// The longest first, so that the first match wins.
    prefixes: Vec<(Arc<str>, Arc<BreakerConfig>)>,
}

impl Ranked {
    fn new(default: Arc<BreakerConfig>) -> Self {
        Self {
            default,
            prefixes: Vec::new(),
        }
    }

    /// A later word on a prefix replaces an earlier one.
    fn put(&mut self, prefix: &str, config: Arc<BreakerConfig>) {
        self.prefixes.retain(|(other, _)| **other != *prefix);
        let at = self
            .prefixes
            .partition_point(|(other, _)| other.len() >= prefix.len());
        self.prefixes.insert(at, (prefix.into(), config));
    }

    fn of(&self, prefix: &str) -> Option<&Arc<BreakerConfig>> {
        let found = self.prefixes.iter().find(|(other, _)| **other == *prefix);
        found.map(|(_, config)| config)
    }

    fn due_to(&self, name: &str) -> &Arc<BreakerConfig> {
        let due = self
            .prefixes
            .iter()
            .find(|(prefix, _)| name.starts_with(&**prefix));
        due.map_or(&self.default, |(_, config)| config)
    }
}

impl Presets {
    pub(super) fn new(default: BreakerConfig) -> Self {
        let code = Ranked::new(Arc::new(default.from(Source::Preset)));
        Self {
            due: code.clone(),
            code,
            layers: Arc::default(),
            names: BTreeMap::new(),
        }
    }

    /// The same presets with one more.
    pub(super) fn with(&self, prefix: &str, config: BreakerConfig) -> Result<Self, ConfigError> {
        let mut code = self.code.clone();
        code.put(prefix, Arc::new(config.from(Source::Preset)));
        Self::combined(code, self.layers.clone())
    }

    /// What code said, under another document.
    #[cfg(feature = "serde")]
    pub(super) fn under(&self, layers: Arc<Layers>) -> Result<Self, ConfigError> {
        Self::combined(self.code.clone(), layers)
    }

    /// Each entry of the document changes what would be due without it.
    fn combined(code: Ranked, layers: Arc<Layers>) -> Result<Self, ConfigError> {
        let mut due = Ranked::new(if layers.default.overlays.is_empty() {
            code.default.clone()
        } else {
            layers.default.over(&code.default, Source::Preset)?
        });
        let by_code = code.prefixes.iter().map(|(prefix, _)| prefix);
        let mut prefixes: Vec<_> = by_code.chain(layers.prefixes.keys()).collect();
        // The short ones first: the longer ones may lie over them.
        prefixes.sort_by_key(|prefix| prefix.len());
        for prefix in prefixes {
            let beneath = code.of(prefix).unwrap_or_else(|| due.due_to(prefix));
            let config = match layers.prefixes.get(prefix) {
                Some(layer) => layer.over(beneath, Source::Preset)?,
                None => beneath.clone(),
            };
            due.put(prefix, config);
        }
        let names = layers.names.iter().map(|(name, layer)| {
            let beneath = due.due_to(name);
            let config = layer.over(beneath, Source::Document(beneath.clone()))?;
            Ok((name.clone(), config))
        });
        Ok(Self {
            names: names.collect::<Result<_, _>>()?,
            code,
            layers,
            due,
        })
    }

    /// The document that lies over it all.
    pub(super) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The settings of a name that code gives none.
    pub(super) fn due_to(&self, name: &str) -> &Arc<BreakerConfig> {
        self.names
            .get(name)
            .unwrap_or_else(|| self.due.due_to(name))
    }

    /// The settings of a name that has, or gets, these: what the document says of that name lies
    /// over what code gave, and what was due by name alone is what is due now.
    pub(super) fn settled(
        &self,
        name: &str,
        config: &Arc<BreakerConfig>,
    ) -> Result<Arc<BreakerConfig>, ConfigError> {
        let by_code = match &config.source {
            Source::Document(beneath) => beneath,
            Source::Code | Source::Preset => config,
        };
        if matches!(by_code.source, Source::Preset) {
            return Ok(self.due_to(name).clone());
        }
        match self.layers.names.get(name) {
            Some(layer) => layer.over(by_code, Source::Document(by_code.clone())),
            None => Ok(by_code.clone()),
        }
    }
}

impl Default for Presets {
    fn default() -> Self {
        let default = BreakerConfig::check(Settings::default());
        // The tests build it; nothing from outside comes in.
        Self::new(default.expect("the default settings can work"))
    }
}

/// The settings of the preset for `prefix`; an error names the preset.
pub(super) fn check(prefix: &str, settings: Settings) -> Result<BreakerConfig, ConfigError> {
    let named = |error: ConfigError| error.with_prefix(&format!("preset_for({prefix:?})"));
    BreakerConfig::check(settings).map_err(named)
}
