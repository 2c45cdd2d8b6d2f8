//! The partial settings of a document, which change the settings that code gave.

use crate::config::{BreakerBuilder, BreakerConfig, Overlay, Source};
use crate::error::ConfigError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The entries of a document; empty without a document.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    pub(crate) default: Layer,
    pub(crate) prefixes: BTreeMap<Arc<str>, Layer>,
    pub(crate) names: BTreeMap<Arc<str>, Layer>,
}

/// An entry of a document.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    /// The path of the entry in the document, for errors.
    pub(crate) path: String,
    /// The inherited settings first, and those of the entry last.
    pub(crate) overlays: Vec<Overlay>,
}

impl Layer {
    /// Returns `base` with the settings of this layer, if they are valid together.
    pub(super) fn apply_to(
        &self,
        base: &BreakerConfig,
        source: Source,
    ) -> Result<Arc<BreakerConfig>, ConfigError> {
        let builder = self
            .overlays
            .iter()
            .fold(BreakerBuilder::from_config(base), |builder, overlay| {
                overlay.over(builder)
            });
        let config = BreakerConfig::check(builder.settings)
            .map_err(|error| error.with_prefix(&self.path))?;
        Ok(Arc::new(config.from(source)))
    }
}
