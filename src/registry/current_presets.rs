//! [`CurrentPresets`]: the current presets, and changes of live breakers.

use super::presets::Presets;
use crate::breaker::CircuitBreaker;
use crate::config::{BreakerConfig, Layer, NameLayers};
use crate::error::ConfigError;
use crate::sync::Mutex;
use std::sync::Arc;

/// The previous and the present settings of a breaker.
pub(super) type Replaced = (Arc<BreakerConfig>, Arc<BreakerConfig>);

/// The current presets of a registry, which are replaced as a whole.
///
/// Changes of a breaker are optimistic. A thread resolves the new settings with the presets that it loaded,
/// and checks under the breaker's lock that these presets are still current. Otherwise it starts again.
pub(super) struct CurrentPresets(Mutex<Arc<Presets>>);

impl CurrentPresets {
    pub(super) fn new(presets: Presets) -> Self {
        Self(Mutex::new(Arc::new(presets)))
    }

    pub(super) fn load(&self) -> Arc<Presets> {
        self.0.lock().clone()
    }

    /// Returns whether the current document names `name`.
    pub(super) fn document_names(&self, name: &str) -> bool {
        self.0.lock().document().names.contains_key(name)
    }

    /// Returns whether `presets` are the current ones.
    pub(super) fn is_current(&self, presets: &Arc<Presets>) -> bool {
        Arc::ptr_eq(&self.0.lock(), presets)
    }

    /// Replaces `current` with `next`. Returns false if another thread has replaced `current`.
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

    /// Changes the layers from code for the name of a live breaker, and gives the breaker the resolved
    /// settings. Returns `None` if the breaker has these settings already.
    ///
    /// `change` is called again if another thread replaces the settings or the presets before this one does.
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
            // Equal settings replace only the layers, because a reconfiguration emits an event.
            if resolved.has_settings_of(&present) {
                if circuit.replace_layers_if(&resolved, is_current).is_some() {
                    return Ok(None);
                }
            } else if circuit.reconfigure_if(&resolved, is_current).is_some() {
                return Ok(Some((present, resolved)));
            }
        }
    }

    /// Applies the current presets to a live breaker. Returns `None` if its settings do not change.
    ///
    /// If the breaker's layers from code are invalid with these presets, the breaker keeps its settings.
    pub(super) fn follow(&self, breaker: &CircuitBreaker) -> Option<Replaced> {
        self.reconfigure(breaker, |_| {}).ok().flatten()
    }

    /// Applies the current presets to a breaker whose settings came from `used`, if `used` are no longer
    /// current.
    pub(super) fn reapply(&self, breaker: &CircuitBreaker, used: &Arc<Presets>) {
        if !self.is_current(used) {
            self.follow(breaker);
        }
    }
}
