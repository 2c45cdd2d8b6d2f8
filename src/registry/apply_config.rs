//! Application of a settings document to a registry, as a whole or not at all.

use super::breaker_registry::BreakerRegistry;
use super::config_layers::DocumentLayers;
use super::current_presets::Replaced;
use super::presets::Presets;
use crate::breaker::CircuitBreaker;
use crate::config::Overruled;
use crate::error::ConfigError;
use std::sync::Arc;

/// The changes that a document made.
#[derive(Debug)]
pub(crate) struct ApplyReport {
    pub(crate) created: Vec<Arc<str>>,
    pub(crate) reconfigured: Vec<(Arc<str>, Replaced)>,
    /// Breakers that the previous document named, and the new one does not.
    pub(crate) released: Vec<(Arc<str>, Option<Replaced>)>,
    pub(crate) unchanged: usize,
    /// The settings from code that the document overrides.
    pub(crate) overruled: Vec<Overruled>,
    /// The names of all breakers, sorted.
    pub(crate) live: Vec<Arc<str>>,
}

/// Why a document was not applied.
#[derive(Debug)]
pub(crate) enum LayersError {
    Config(ConfigError),
    Full { missing: usize },
}

impl From<ConfigError> for LayersError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl BreakerRegistry {
    /// Applies a document on top of the settings from code, in place of the previous document.
    pub(crate) fn apply_layers(&self, layers: DocumentLayers) -> Result<ApplyReport, LayersError> {
        let layers = Arc::new(layers);
        // Dropped at the end, because the settings of evicted breakers contain user values, whose `Drop` may
        // be slow.
        let mut evicted = Vec::new();
        let (before, presets, created) = loop {
            let before = self.inner.presets.load();
            let presets = Arc::new(before.with_document(layers.clone())?);
            for breaker in self.sorted() {
                presets.resolve_layers(breaker.name(), breaker.config().name_layers())?;
            }
            let created = self
                .inner
                .replace_presets(&before, &presets, &mut evicted)
                .map_err(|missing| LayersError::Full { missing })?;
            if let Some(created) = created {
                break (before, presets, created);
            }
        };
        for breaker in &created {
            self.inner.emit_added(breaker);
        }
        Ok(self.reconfigure_live(&before, &presets, &created))
    }

    /// Reconfigures live breakers after the presets changed.
    fn reconfigure_live(
        &self,
        before: &Presets,
        presets: &Presets,
        created: &[CircuitBreaker],
    ) -> ApplyReport {
        let mut report = ApplyReport {
            created: created.iter().map(name).collect(),
            reconfigured: Vec::new(),
            released: Vec::new(),
            unchanged: 0,
            overruled: presets
                .configs()
                .flat_map(|config| config.overruled())
                .collect(),
            live: Vec::new(),
        };
        for breaker in self.sorted() {
            report.live.push(name(&breaker));
            let replaced = self.inner.presets.follow(&breaker);
            let named = |presets: &Presets| presets.document().names.contains_key(breaker.name());
            if named(presets) {
                report.overruled.extend(breaker.config().overruled());
            }
            let is_new = report.created.binary_search(&name(&breaker)).is_ok();
            match replaced {
                _ if is_new => {}
                replaced if named(before) && !named(presets) => {
                    report.released.push((name(&breaker), replaced));
                }
                Some(replaced) => report.reconfigured.push((name(&breaker), replaced)),
                None => report.unchanged += 1,
            }
        }
        report
    }
}

fn name(breaker: &CircuitBreaker) -> Arc<str> {
    breaker.circuit.name.clone()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn name_unpinned_repeatedly_is_pooled_once() {
        let registry = BreakerRegistry::new();
        registry.breaker("used");
        for _ in 0..3 {
            let mut layers = DocumentLayers::default();
            for name in ["used", "made"] {
                layers.names.insert(name.into(), Vec::new());
            }
            registry.apply_layers(layers).expect("there is room");
            registry
                .apply_layers(DocumentLayers::default())
                .expect("there is room");
        }
        assert_eq!(registry.inner.pool.lock().len(), 2);
    }
}
