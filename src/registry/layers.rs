//! What a document says of names, laid over what code says.

use crate::config::{BreakerBuilder, BreakerConfig, Overlay, Source};
use crate::error::ConfigError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All that a document says; nothing while there is none.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    pub(crate) default: Layer,
    pub(crate) prefixes: BTreeMap<Arc<str>, Layer>,
    pub(crate) names: BTreeMap<Arc<str>, Layer>,
}

/// What an entry of it says.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    /// Where it stands, for errors.
    pub(crate) path: String,
    /// Its own words come last, after those that it inherits.
    pub(crate) overlays: Vec<Overlay>,
}

impl Layer {
    /// The settings beneath, changed, if they can work so.
    pub(super) fn over(
        &self,
        beneath: &BreakerConfig,
        source: Source,
    ) -> Result<Arc<BreakerConfig>, ConfigError> {
        let builder = self
            .overlays
            .iter()
            .fold(BreakerBuilder::from_config(beneath), |builder, overlay| {
                overlay.over(builder)
            });
        let config = BreakerConfig::check(builder.settings)
            .map_err(|error| error.with_prefix(&self.path))?;
        Ok(Arc::new(config.from(source)))
    }
}
