//! [`CurrentPresets`]: the presets in force, and live breakers that follow them.

use super::presets::Presets;
use crate::breaker::CircuitBreaker;
use crate::config::BreakerConfig;
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
        self.0.lock().layers().names.contains_key(name)
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
    pub(super) fn add(&self, prefix: &str, config: &BreakerConfig) -> Result<(), ConfigError> {
        loop {
            let current = self.load();
            let next = Arc::new(current.with(prefix, config.clone())?);
            if self.replace(&current, &next) {
                return Ok(());
            }
        }
    }

    /// Gives a live breaker the settings that its name resolves to. Returns `None` if the breaker has them
    /// already.
    pub(super) fn reconfigure(&self, breaker: &CircuitBreaker) -> Option<Replaced> {
        loop {
            let presets = self.load();
            let present = breaker.config();
            // Fails for settings from code that are newer than the presets, and do not go with them. The
            // newer settings stay.
            let resolved = presets.resolve_explicit(breaker.name(), &present).ok()?;
            if resolved.settings.is(&present.settings) {
                return None;
            }
            let replaced = breaker.circuit.reconfigure_if(&resolved, |found| {
                Arc::ptr_eq(found, &present) && self.is_current(&presets)
            });
            if replaced.is_some() {
                return Some((present, resolved));
            }
        }
    }

    /// Reconfigures a breaker whose settings came from `used`, if `used` were replaced meanwhile.
    pub(super) fn reapply(&self, breaker: &CircuitBreaker, used: &Arc<Presets>) {
        if !self.is_current(used) {
            self.reconfigure(breaker);
        }
    }
}
