//! A document is applied: all of it or nothing.

use super::BreakerRegistry;
use super::eviction::Leavers;
use super::layers::Layers;
use super::presets::Presets;
use super::reconcile::Replaced;
use super::shared::Shared;
use crate::breaker::CircuitBreaker;
use crate::error::ConfigError;
use std::sync::Arc;

/// What became of the breakers.
#[derive(Debug)]
pub(crate) struct Laid {
    pub(crate) created: Vec<Arc<str>>,
    pub(crate) with_rules: Vec<(Arc<str>, Replaced)>,
    /// The document before this one named them.
    pub(crate) released: Vec<(Arc<str>, Option<Replaced>)>,
    pub(crate) unchanged: usize,
}

/// Why nothing was changed.
#[derive(Debug)]
pub(crate) enum NotLaid {
    Config(ConfigError),
    NoRoom { missing: usize },
}

impl From<ConfigError> for NotLaid {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl BreakerRegistry {
    /// Lays a document over what code says, in the place of the one before.
    pub(crate) fn lay(&self, layers: Layers) -> Result<Laid, NotLaid> {
        let shared = &*self.shared;
        let layers = Arc::new(layers);
        let mut gone = Vec::new();
        let (before, presets, created) = loop {
            let before = shared.presets();
            let presets = Arc::new(before.under(layers.clone())?);
            for breaker in self.sorted() {
                presets.settled(breaker.name(), &breaker.config())?;
            }
            if let Some(created) = shared.commit(&before, &presets, &mut gone)? {
                break (before, presets, created);
            }
        };
        for breaker in &created {
            shared.tell_added(breaker);
        }
        Ok(self.follow(&before, &presets, &created))
    }

    /// Takes the live breakers along.
    fn follow(
        &self,
        before: &Arc<Presets>,
        presets: &Arc<Presets>,
        created: &[CircuitBreaker],
    ) -> Laid {
        let mut laid = Laid {
            created: created.iter().map(name).collect(),
            with_rules: Vec::new(),
            released: Vec::new(),
            unchanged: 0,
        };
        for breaker in self.sorted() {
            let replaced = self.shared.reconcile(&breaker);
            let named = |presets: &Presets| presets.layers().names.contains_key(breaker.name());
            let is_new = laid.created.binary_search(&name(&breaker)).is_ok();
            match replaced {
                _ if is_new => {}
                replaced if named(before) && !named(presets) => {
                    laid.released.push((name(&breaker), replaced));
                }
                Some(replaced) => laid.with_rules.push((name(&breaker), replaced)),
                None => laid.unchanged += 1,
            }
        }
        laid
    }
}

fn name(breaker: &CircuitBreaker) -> Arc<str> {
    breaker.circuit.name.clone()
}

impl Shared {
    /// Makes `next` the presets, and the breakers that its document names, by name; `None` when
    /// the presets were changed since they were `present`. Evicted breakers are moved to `gone`, to be
    /// dropped when everything else is done.
    fn commit(
        &self,
        present: &Arc<Presets>,
        next: &Arc<Presets>,
        gone: &mut Vec<Leavers>,
    ) -> Result<Option<Vec<CircuitBreaker>>, NotLaid> {
        let names = &next.layers().names;
        let newcomers: Vec<_> = names
            .keys()
            .filter(|name| !self.breakers.contains_key(&***name))
            .map(|name| {
                let breaker = self.make(name, next.due_to(name).clone());
                breaker.circuit.entry.mark_from_config();
                breaker
            })
            .collect();
        let now = self.clock.now();
        let judged: Vec<_> = self
            .suspects_for(newcomers.len())
            .into_iter()
            .filter_map(|one| one.judge(&self.handles, now))
            .collect();

        let mut leavers = Leavers::default();
        let (committed, spare) = {
            let mut population = self.population.lock();
            population.take_back(judged);
            // Newcomers that are dropped in here end no closure: the presets hold their settings.
            let (missing, spare): (Vec<_>, Vec<_>) = newcomers
                .into_iter()
                .partition(|one| !self.breakers.contains_key(one.name()));
            // One of them may have left since the others were made.
            let away = |name: &&Arc<str>| !self.breakers.contains_key(&***name);
            if names.keys().filter(away).count() > missing.len() {
                return Ok(None);
            }
            let room = self.limits.capacity.saturating_sub(population.kept);
            let short = missing.len().saturating_sub(room);
            let committed =
                if short > 0 && !population.make_room_for(short, self, now, &mut leavers) {
                    Err(NotLaid::NoRoom { missing: short })
                } else if self.replace_presets(present, next) {
                    for breaker in &missing {
                        self.breakers.insert(name(breaker), breaker.clone());
                    }
                    population.kept += missing.len();
                    for name in names.keys() {
                        if let Some(breaker) = self.breakers.get(&**name) {
                            breaker.circuit.entry.pin();
                        }
                    }
                    let earlier = present.layers().names.keys();
                    let released: Vec<_> = earlier
                        .filter(|name| !names.contains_key(*name))
                        .filter_map(|name| self.breakers.get(&**name))
                        .filter(|breaker| breaker.circuit.entry.unpin())
                        .map(|breaker| Arc::downgrade(&breaker.circuit))
                        .collect();
                    population.welcome_back(released, now);
                    Ok(Some(missing))
                } else {
                    Ok(None)
                };
            (committed, spare)
        };
        drop(spare);
        self.tell_gone(&leavers);
        gone.push(leavers);
        committed
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::registry::layers::Layer;

    #[test]
    fn a_name_that_comes_and_goes_in_documents_waits_to_be_evicted_once() {
        let registry = BreakerRegistry::new();
        registry.breaker("used");
        for _ in 0..3 {
            let mut layers = Layers::default();
            for name in ["used", "made"] {
                layers.names.insert(name.into(), Layer::default());
            }
            registry.lay(layers).expect("there is room");
            registry.lay(Layers::default()).expect("there is room");
        }
        assert_eq!(registry.shared.population.lock().queued(), 2);
    }
}
