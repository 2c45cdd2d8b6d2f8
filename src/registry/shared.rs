use super::eviction::{Leavers, Population, Suspect};
use super::presets::Presets;
use super::{Breakers, Limits, Origin, cache};
use crate::breaker::{CircuitBreaker, Home};
use crate::clock::{Moment, Timepiece};
use crate::config::BreakerConfig;
use crate::event::{Event, EventStream, Hub, NotKept};
use crate::names;
use crate::sync::Lock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the clones of a registry share.
///
/// # Invariants
///
/// 1. The map changes under the lock of `population` only, so that creation, removal and eviction
///    see each other whole: a name has one breaker, and the capacity is exact. Look-ups take no
///    part in it.
/// 2. Locks are taken in one order: `population`, a shard of the map, a breaker's own. `presets`
///    is taken alone.
/// 3. No user code runs under any of them: settings are checked, breakers made, clocks read and
///    events sent before or after, and what leaves is dropped after.
pub(super) struct Shared {
    pub(super) id: u64,
    pub(super) breakers: Breakers,
    population: Lock<Population>,
    presets: Lock<Arc<Presets>>,
    pub(super) limits: Limits,
    hub: Arc<Hub>,
    clock: Timepiece,
}

/// What became of a breaker that was to be kept.
pub(super) enum Admitted {
    Kept(CircuitBreaker),
    /// Somebody else was first; this is that breaker.
    Found(CircuitBreaker),
    NoRoom(CircuitBreaker),
}

impl Shared {
    pub(super) fn new(presets: Presets, limits: Limits, hub: Arc<Hub>, clock: Timepiece) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            // Relaxed: the number is unique, and publishes nothing.
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            breakers: Breakers::default(),
            population: Lock::new(Population::default()),
            presets: Lock::new(Arc::new(presets)),
            limits,
            hub,
            clock,
        }
    }

    /// The breaker of that name; counts as a use of it.
    pub(super) fn find(&self, name: &str) -> Option<CircuitBreaker> {
        // Nobody leaves while the shard is held for reading, so the clone is one of a breaker that
        // is there, and from then on it is held.
        let found = self.breakers.get(name)?;
        found.circuit.tenancy.visit();
        Some(found.clone())
    }

    /// Finds the breaker of `name`, or creates it with what `config` gives, on behalf of `origin`;
    /// and whether it is kept.
    pub(super) fn find_or_create(
        &self,
        name: &str,
        origin: Option<&'static Origin>,
        config: impl FnOnce() -> Arc<BreakerConfig>,
    ) -> (CircuitBreaker, bool) {
        let make = |name| {
            let breaker = self.make(name, config());
            // Before anybody can find it: whoever made it has not lost.
            origin.inspect(|origin| breaker.circuit.tenancy.sites.found(origin));
            breaker
        };
        if names::check(name).is_err() {
            let breaker = make(crate::text::prefix(name, names::LONGEST));
            self.turn_away(&breaker, NotKept::InvalidName);
            return (breaker, false);
        }
        if let Some(found) = self.find(name) {
            return (found, true);
        }
        match self.admit(make(name)) {
            Admitted::Kept(breaker) | Admitted::Found(breaker) => (breaker, true),
            Admitted::NoRoom(breaker) => {
                self.turn_away(&breaker, NotKept::NoRoom);
                (breaker, false)
            }
        }
    }

    fn make(&self, name: &str, config: Arc<BreakerConfig>) -> CircuitBreaker {
        let home = Home {
            registry: self.id,
            hub: Some(self.hub.clone()),
            clock: self.clock.clone(),
        };
        CircuitBreaker::create(name.into(), config, home)
    }

    /// Makes a breaker that is here to stay.
    pub(super) fn admit_lasting(&self, name: &str, config: &Arc<BreakerConfig>) -> Admitted {
        let breaker = self.make(name, config.clone());
        breaker.circuit.tenancy.settle();
        self.admit(breaker)
    }

    /// Puts a breaker in the map, unless its name is there already or there is no room for it.
    fn admit(&self, newcomer: CircuitBreaker) -> Admitted {
        let now = match self.limits.idle_timeout {
            Some(_) => self.clock.now(),
            None => Moment::ORIGIN,
        };
        let suspects = self.suspects();
        let judged: Vec<_> = suspects
            .into_iter()
            .filter_map(|one| one.judge(now))
            .collect();
        let mut leavers = Leavers::default();
        let admitted = {
            let mut population = self.population.lock();
            population.take_back(judged);
            match self.find(newcomer.name()) {
                Some(first) => Admitted::Found(first),
                None if self.has_room(&mut population, now, &mut leavers) => {
                    self.breakers
                        .insert(newcomer.circuit.name.clone(), newcomer.clone());
                    population.kept += 1;
                    if !newcomer.circuit.tenancy.is_lasting() {
                        population.welcome(&newcomer, now);
                    }
                    Admitted::Kept(newcomer)
                }
                None => Admitted::NoRoom(newcomer),
            }
        };
        for breaker in &leavers.evicted {
            self.tell(breaker, |breaker| Event::BreakerEvicted { breaker });
        }
        drop(leavers);
        if let Admitted::Kept(newcomer) = &admitted {
            // A stream that began while it was made has not seen it in the map.
            if self.hub.is_heard() {
                newcomer.circuit.set_busy();
            }
            self.tell(newcomer, |breaker| Event::BreakerAdded { breaker });
        }
        admitted
    }

    fn suspects(&self) -> Vec<Suspect> {
        let mut population = self.population.lock();
        let full = population.kept >= self.limits.capacity;
        if full || self.limits.idle_timeout.is_some() {
            population.suspects()
        } else {
            Vec::new()
        }
    }

    fn has_room(&self, population: &mut Population, now: Moment, leavers: &mut Leavers) -> bool {
        population.tidy();
        if let Some(idle) = self.limits.idle_timeout {
            population.sweep(idle, &self.breakers, now, leavers);
        }
        population.kept < self.limits.capacity || population.make_room(&self.breakers, now, leavers)
    }

    /// The events of all breakers from now on.
    pub(super) fn subscribe(&self) -> EventStream {
        let stream = self.hub.subscribe();
        for breaker in &self.breakers {
            breaker.circuit.set_busy();
        }
        stream
    }

    /// A breaker that is not kept: whoever keeps handles for a name must ask again next time.
    fn turn_away(&self, breaker: &CircuitBreaker, reason: NotKept) {
        breaker.circuit.tenancy.expel();
        self.tell(breaker, |breaker| Event::NotKept { breaker, reason });
    }

    pub(super) fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        let removed = {
            let mut population = self.population.lock();
            // Inside, so that whoever finds the name missing finds the breaker gone.
            let expel = |_: &Arc<str>, breaker: &CircuitBreaker| {
                breaker.circuit.tenancy.expel();
                true
            };
            let removed = self.breakers.remove_if(name, expel);
            population.kept -= usize::from(removed.is_some());
            removed
        };
        let (_, breaker) = removed?;
        cache::forget(|other| Arc::ptr_eq(&other.circuit, &breaker.circuit));
        self.tell(&breaker, |breaker| Event::BreakerRemoved { breaker });
        Some(breaker)
    }

    /// Exact, unlike the map's own count, which goes from shard to shard.
    pub(super) fn len(&self) -> usize {
        self.population.lock().kept
    }

    /// The settings due to a name that nobody spoke of.
    pub(super) fn due_to(&self, name: &str) -> Arc<BreakerConfig> {
        let presets = self.presets.lock().clone();
        presets.due_to(name)
    }

    pub(super) fn add_preset(&self, prefix: &str, config: Arc<BreakerConfig>) {
        let replaced = {
            let mut presets = self.presets.lock();
            let more = Arc::new(presets.with(prefix, config));
            std::mem::replace(&mut *presets, more)
        };
        // Perhaps the last to hold settings with a user's closures in them.
        drop(replaced);
    }

    pub(super) fn tell(&self, breaker: &CircuitBreaker, event: impl FnOnce(Arc<str>) -> Event) {
        if self.hub.is_heard() {
            self.hub.emit(&event(breaker.circuit.name.clone()));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.hub.end();
        let id = self.id;
        cache::forget(|breaker| breaker.circuit.home.registry == id);
    }
}
