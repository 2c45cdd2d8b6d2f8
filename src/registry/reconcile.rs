//! Live breakers follow what is due to them.
//!
//! Two who change presets at the same time need no turn: whoever gives a breaker its settings goes by
//! the presets of that moment, and asks, under that breaker's lock, whether they still are.

use super::presets::Presets;
use super::shared::Shared;
use crate::breaker::CircuitBreaker;
use crate::config::BreakerConfig;
use std::sync::Arc;

/// The settings that a breaker had, and those that it has now.
pub(super) type Replaced = (Arc<BreakerConfig>, Arc<BreakerConfig>);

impl Shared {
    /// Gives a live breaker what the presets have for it, if that is something else.
    pub(super) fn reconcile(&self, breaker: &CircuitBreaker) -> Option<Replaced> {
        loop {
            let presets = self.presets();
            let present = breaker.config();
            // Settings from code that came after the presets were checked, and do not go with them:
            // the later word stands.
            let settled = presets.settled(breaker.name(), &present).ok()?;
            if settled.settings.is(&present.settings) {
                return None;
            }
            let replaced = breaker.circuit.reconfigure_if(&settled, |found| {
                Arc::ptr_eq(found, &present) && self.goes_by(&presets)
            });
            if replaced.is_some() {
                return Some((present, settled));
            }
        }
    }

    /// Whoever gave a breaker settings by `presets` may have missed a change of them.
    pub(super) fn catch_up(&self, breaker: &CircuitBreaker, presets: &Arc<Presets>) {
        if !self.goes_by(presets) {
            self.reconcile(breaker);
        }
    }
}
