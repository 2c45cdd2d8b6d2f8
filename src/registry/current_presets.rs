//! [`CurrentPresets`]: the presets in force, and live breakers that follow them.

use super::presets::Presets;
use crate::breaker::CircuitBreaker;
use crate::config::{BreakerConfig, Layer, NameLayers};
use crate::error::ConfigError;
use crate::sync::Mutex;
use std::sync::Arc;

/// The previous settings of a breaker, and the present ones.
pub(super) type Replaced = (Arc<BreakerConfig>, Arc<BreakerConfig>);

/// The presets of a registry, replaced as a whole.
///
/// Concurrent changes need no turn. Each thread that configures a breaker uses the presets of that moment,
/// and checks under the breaker's lock that they are still current.
pub(super) struct CurrentPresets(Mutex<Arc<Presets>>);

impl CurrentPresets {
    pub(super) fn new(presets: Presets) -> Self {
        Self(Mutex::new(Arc::new(presets)))
    }

    pub(super) fn load(&self) -> Arc<Presets> {
        self.0.lock().clone()
    }

    /// Whether the document in force names `name`.
    pub(super) fn document_names(&self, name: &str) -> bool {
        self.0.lock().document().names.contains_key(name)
    }

    /// Whether `presets` have not been replaced.
    pub(super) fn is_current(&self, presets: &Arc<Presets>) -> bool {
        Arc::ptr_eq(&self.0.lock(), presets)
    }

    /// Replaces `current` by `next`. Returns false if another thread replaced `current` before.
    ///
    /// The caller keeps both, so that no settings are dropped while the lock is held.
    pub(super) fn replace(&self, current: &Arc<Presets>, next: &Arc<Presets>) -> bool {
        let mut presets = self.0.lock();
        let unchanged = Arc::ptr_eq(&presets, current);
        if unchanged {
            *presets = next.clone();
        }
        unchanged
    }

    /// Adds a preset for names that begin with `prefix`.
    pub(super) fn add(&self, prefix: &str, layer: &Layer) -> Result<(), ConfigError> {
        loop {
            let current = self.load();
            let next = Arc::new(current.with(prefix, layer.clone())?);
            if self.replace(&current, &next) {
                return Ok(());
            }
        }
    }

    /// Gives a live breaker the settings that its name resolves to, after `change` of the layers that code
    /// wrote for the name. Returns `None` if the breaker has these settings already.
    ///
    /// `change` is called again if the settings or the presets change meanwhile.
    pub(super) fn reconfigure(
        &self,
        breaker: &CircuitBreaker,
        mut change: impl FnMut(&mut NameLayers),
    ) -> Result<Option<Replaced>, ConfigError> {
        loop {
            let presets = self.load();
            let present = breaker.config();
            let mut code = present.name_layers();
            change(&mut code);
            let resolved = presets.resolve_layers(breaker.name(), code)?;
            if Arc::ptr_eq(&resolved, &present) {
                return Ok(None);
            }
            let is_current =
                |found: &Arc<_>| Arc::ptr_eq(found, &present) && self.is_current(&presets);
            let circuit = &breaker.circuit;
            if resolved.has_settings_of(&present) {
                if circuit.replace_layers_if(&resolved, is_current).is_some() {
                    return Ok(None);
                }
            } else if circuit.reconfigure_if(&resolved, is_current).is_some() {
                return Ok(Some((present, resolved)));
            }
        }
    }

    /// Lets a live breaker follow the presets in force. Returns `None` if its settings do not change.
    ///
    /// Layers from code that are newer than the presets, and cannot work with them, keep the settings.
    pub(super) fn follow(&self, breaker: &CircuitBreaker) -> Option<Replaced> {
        self.reconfigure(breaker, |_| {}).ok().flatten()
    }

    /// Lets a breaker whose settings came from `used` follow the presets, if `used` were replaced meanwhile.
    pub(super) fn reapply(&self, breaker: &CircuitBreaker, used: &Arc<Presets>) {
        if !self.is_current(used) {
            self.follow(breaker);
        }
    }
}
