//! [`Presets`]: resolution of a breaker's name to its settings.

use super::config_layers::DocumentLayers;
use crate::config::{BreakerConfig, Layer, Level, NameLayers};
use crate::error::ConfigError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The maximum number of prefixes of a registry, from code and from the document together.
pub(crate) const MAX_PREFIXES: usize = 10_000;

/// The settings for names, from the presets in code and from the document. They are merged and checked once,
/// and shared by all breakers that resolve to them.
#[derive(Clone, Debug)]
pub(super) struct Presets {
    code: CodePresets,
    document: Arc<DocumentLayers>,
    default: Arc<BreakerConfig>,
    prefixes: PrefixTable,
    /// The settings of names in the document, for breakers without settings from code.
    names: BTreeMap<Arc<str>, Arc<BreakerConfig>>,
}

/// The presets from code.
#[derive(Clone, Debug, Default)]
pub(super) struct CodePresets {
    pub(super) default: NameLayers,
    pub(super) prefixes: BTreeMap<Arc<str>, NameLayers>,
}

/// Merged settings by prefix.
#[derive(Clone, Debug, Default)]
struct PrefixTable {
    /// Sorted by prefix, so that each prefix comes after the prefixes that it begins with.
    prefixes: Vec<Prefix>,
}

#[derive(Clone, Debug)]
struct Prefix {
    text: Arc<str>,
    /// The index of the longest other prefix that this one begins with.
    parent: Option<usize>,
    config: Arc<BreakerConfig>,
}

impl PrefixTable {
    /// Returns the index of the longest prefix of `name`.
    ///
    /// A prefix of `name` is also a prefix of every entry that sorts between the two. The longest prefix is
    /// therefore the last entry that is not after `name`, or one of the parents of that entry.
    fn find(&self, name: &str) -> Option<usize> {
        let after = self.prefixes.partition_point(|entry| *entry.text <= *name);
        let mut found = after.checked_sub(1);
        while let Some(at) = found {
            let entry = &self.prefixes[at];
            if name.starts_with(&*entry.text) {
                return found;
            }
            found = entry.parent;
        }
        None
    }
}

impl Presets {
    /// Merges the layers of code and document, each level on top of the next more general one.
    pub(super) fn merge(
        code: CodePresets,
        document: Arc<DocumentLayers>,
    ) -> Result<Self, ConfigError> {
        let default = Level {
            code: code.default.clone(),
            document: document.default.clone(),
            ..Level::default()
        };
        let mut presets = Self {
            default: Arc::new(BreakerConfig::merge(default)?),
            prefixes: PrefixTable::default(),
            names: BTreeMap::new(),
            code,
            document,
        };
        presets.merge_prefixes()?;
        let names = presets.document.names.keys().map(|name| {
            let config = presets.resolve_layers(name, NameLayers::default())?;
            Ok((name.clone(), config))
        });
        presets.names = names.collect::<Result<_, _>>()?;
        Ok(presets)
    }

    fn merge_prefixes(&mut self) -> Result<(), ConfigError> {
        let code = &self.code.prefixes;
        let document = &self.document.prefixes;
        // Stable on purpose: this sort merges two sorted runs in linear time.
        let mut prefixes: Vec<_> = code.keys().chain(document.keys()).collect();
        prefixes.sort();
        prefixes.dedup();
        if prefixes.len() > MAX_PREFIXES {
            let count = format_args!("{} prefixes", prefixes.len());
            let allowed = format!("at most {MAX_PREFIXES} prefixes");
            return Err(ConfigError::new("prefixes", count, allowed));
        }
        for prefix in prefixes {
            let parent = self.prefixes.find(prefix);
            let beneath = parent.map_or(&self.default, |at| &self.prefixes.prefixes[at].config);
            let config = BreakerConfig::merge(Level {
                beneath: Some(beneath.clone()),
                code: code.get(prefix).cloned().unwrap_or_default(),
                document: document.get(prefix).cloned().unwrap_or_default(),
                is_of_name: false,
            })?;
            self.prefixes.prefixes.push(Prefix {
                text: prefix.clone(),
                parent,
                config: Arc::new(config),
            });
        }
        Ok(())
    }

    /// Returns these presets with another preset for `prefix` from code.
    pub(super) fn with(&self, prefix: &str, layer: Layer) -> Result<Self, ConfigError> {
        let mut code = self.code.clone();
        code.prefixes.insert(prefix.into(), layer.into());
        Self::merge(code, self.document.clone())
    }

    /// Returns these presets with another document.
    #[cfg(feature = "serde")]
    pub(super) fn with_document(&self, document: Arc<DocumentLayers>) -> Result<Self, ConfigError> {
        Self::merge(self.code.clone(), document)
    }

    /// Returns the settings of the default and of all prefixes.
    #[cfg(feature = "serde")]
    pub(super) fn configs(&self) -> impl Iterator<Item = &Arc<BreakerConfig>> {
        let prefixes = self.prefixes.prefixes.iter();
        std::iter::once(&self.default).chain(prefixes.map(|prefix| &prefix.config))
    }

    pub(super) fn document(&self) -> &DocumentLayers {
        &self.document
    }

    /// Returns the settings of `name` for a breaker without settings from code.
    pub(super) fn resolve(&self, name: &str) -> &Arc<BreakerConfig> {
        self.names.get(name).unwrap_or_else(|| self.base(name))
    }

    /// Returns the settings that prefixes and the default give to `name`.
    fn base(&self, name: &str) -> &Arc<BreakerConfig> {
        let found = self.prefixes.find(name);
        found.map_or(&self.default, |at| &self.prefixes.prefixes[at].config)
    }

    /// Returns the settings of `name` for a breaker with these layers from code.
    pub(super) fn resolve_layers(
        &self,
        name: &str,
        code: NameLayers,
    ) -> Result<Arc<BreakerConfig>, ConfigError> {
        let base = self.base(name);
        let document = self.document.names.get(name);
        if code.is_empty() && document.is_none_or(Vec::is_empty) {
            return Ok(base.clone());
        }
        let config = BreakerConfig::merge(Level {
            beneath: Some(base.clone()),
            code,
            document: document.cloned().unwrap_or_default(),
            is_of_name: true,
        })?;
        Ok(Arc::new(config))
    }
}

impl Default for Presets {
    fn default() -> Self {
        let default = Self::merge(CodePresets::default(), Arc::default());
        // Cannot panic: the defaults take no input, and tests build them.
        default.expect("the default settings are valid")
    }
}
