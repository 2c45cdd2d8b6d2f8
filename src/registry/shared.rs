use super::eviction::{Leavers, Population, Suspect};
use super::handle_table::HandleTables;
use super::presets::Presets;
use super::{Breakers, Limits};
use crate::breaker::CircuitBreaker;
use crate::circuit::{CallSite, CircuitContext};
use crate::clock::{ClockSource, Moment};
use crate::config::BreakerConfig;
use crate::error::ConfigError;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::event::Listener;
use crate::event::{Event, EventStream, Hub, NotKept, Warned};
use crate::names;
use crate::state::Flags;
use crate::sync::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the clones of a registry share.
///
/// # Invariants
///
/// 1. The map changes under the lock of `population` only, so that creation, removal and eviction
///    see each other whole: a name has one breaker, and the capacity is exact. Look-ups take no
///    part in it.
/// 2. Locks are taken in one order: `population`, a shard of the map, a handle table, a breaker's own, `presets`.
/// 3. No user code runs under any of them: settings are checked, breakers made, clocks read and
///    events sent before or after, and what leaves is dropped after.
pub(crate) struct Shared {
    pub(super) id: u64,
    pub(super) breakers: Breakers,
    /// In front of `breakers`, for calls by name.
    pub(super) handles: HandleTables,
    pub(super) population: Mutex<Population>,
    presets: Mutex<Arc<Presets>>,
    pub(super) limits: Limits,
    hub: Arc<Hub>,
    warned: Warned,
    pub(crate) clock: ClockSource,
    /// What its breakers share.
    context: Arc<CircuitContext>,
    #[cfg(feature = "metrics")]
    pub(super) heirs: super::heirs::Heirs,
}

/// What became of a breaker that was to be kept.
pub(super) enum Admitted {
    Kept(CircuitBreaker),
    /// Somebody else was first; this is that breaker.
    Found(CircuitBreaker),
    NoRoom(CircuitBreaker),
}

impl Shared {
    pub(super) fn new(presets: Presets, limits: Limits, hub: Arc<Hub>, clock: ClockSource) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // Relaxed: the number is unique, and publishes nothing.
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let context = CircuitContext {
            registry: id,
            hub: Some(hub.clone()),
            clock: clock.clone(),
        };
        Self {
            id,
            context: Arc::new(context),
            breakers: Breakers::default(),
            handles: HandleTables::new(),
            population: Mutex::new(Population::default()),
            presets: Mutex::new(Arc::new(presets)),
            limits,
            hub,
            warned: Warned::default(),
            clock,
            #[cfg(feature = "metrics")]
            heirs: super::heirs::Heirs::default(),
        }
    }

    /// The breaker of that name; counts as a use of it.
    pub(super) fn find(&self, name: &str) -> Option<CircuitBreaker> {
        // Nobody leaves while the shard is held for reading, so the clone is one of a breaker that
        // is there, and from then on it is held.
        let found = self.breakers.get(name)?;
        found.circuit.entry.touch();
        Some(found.clone())
    }

    /// The handle of `name` in the tables; counts as a use of its breaker.
    #[inline]
    pub(super) fn find_handle(&self, name: &str) -> Option<Arc<CircuitBreaker>> {
        let handle = self.handles.get(name)?;
        handle.circuit.entry.touch();
        Some(handle)
    }

    /// Finds the breaker of `name`, or creates it with what `config` gives, on behalf of `origin`;
    /// and whether it is kept.
    pub(super) fn find_or_create(
        &self,
        name: &str,
        origin: Option<&'static CallSite>,
        config: impl FnOnce(&Presets) -> Arc<BreakerConfig>,
    ) -> (CircuitBreaker, bool) {
        let make = |name, presets: &Presets| {
            let breaker = self.make(name, config(presets));
            // Before anybody can find it: whoever made it has not lost.
            origin.inspect(|origin| breaker.circuit.entry.call_sites.add_first(origin));
            breaker
        };
        if names::check(name).is_err() {
            let breaker = make(crate::text::prefix(name, names::LONGEST), &self.presets());
            self.turn_away(&breaker, NotKept::InvalidName);
            return (breaker, false);
        }
        if let Some(found) = self.find(name) {
            return (found, true);
        }
        let presets = self.presets();
        match self.admit(make(name, &presets)) {
            Admitted::Kept(breaker) => {
                self.catch_up(&breaker, &presets);
                (breaker, true)
            }
            Admitted::Found(breaker) => (breaker, true),
            Admitted::NoRoom(breaker) => {
                self.turn_away(&breaker, NotKept::NoRoom);
                (breaker, false)
            }
        }
    }

    pub(super) fn make(&self, name: &str, config: Arc<BreakerConfig>) -> CircuitBreaker {
        CircuitBreaker::create(name.into(), config, &self.context)
    }

    /// Makes a breaker that is here to stay.
    pub(super) fn admit_lasting(&self, name: &str, config: &Arc<BreakerConfig>) -> Admitted {
        let breaker = self.make(name, config.clone());
        breaker.circuit.entry.make_permanent();
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
            .filter_map(|one| one.judge(&self.handles, now))
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
                    if self
                        .presets
                        .lock()
                        .layers()
                        .names
                        .contains_key(newcomer.name())
                    {
                        newcomer.circuit.entry.pin();
                    }
                    if newcomer.circuit.entry.is_evictable() {
                        population.welcome(&newcomer, now);
                    }
                    Admitted::Kept(newcomer)
                }
                None => Admitted::NoRoom(newcomer),
            }
        };
        self.tell_gone(&leavers);
        if let Admitted::Kept(newcomer) = &admitted {
            self.tell_added(newcomer);
        }
        // Last: the settings of breakers that leave hold user values, whose `Drop` may take its time.
        drop(leavers);
        admitted
    }

    pub(super) fn tell_gone(&self, leavers: &Leavers) {
        for breaker in &leavers.evicted {
            #[cfg(feature = "metrics")]
            self.heirs.tell(breaker);
            self.tell(breaker, |breaker| Event::BreakerEvicted { breaker });
        }
    }

    pub(super) fn tell_added(&self, newcomer: &CircuitBreaker) {
        // Who came to listen while it was made has not seen it in the map.
        if self.hub.is_heard() {
            newcomer.circuit.set_flags(self.hub.calls().flags());
        }
        self.tell(newcomer, |breaker| Event::BreakerAdded { breaker });
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

    /// As `suspects`, for room for many.
    #[cfg(feature = "serde")]
    pub(super) fn suspects_for(&self, newcomers: usize) -> Vec<Suspect> {
        let mut leavers = Leavers::default();
        let mut population = self.population.lock();
        let full = population.kept + newcomers > self.limits.capacity;
        let suspects = full.then(|| population.all_suspects(&mut leavers));
        drop(population);
        suspects.unwrap_or_default()
    }

    fn has_room(&self, population: &mut Population, now: Moment, leavers: &mut Leavers) -> bool {
        population.tidy();
        if let Some(idle) = self.limits.idle_timeout {
            population.sweep(idle, self, now, leavers);
        }
        population.kept < self.limits.capacity || population.make_room(self, now, leavers)
    }

    /// The events of all breakers from now on.
    pub(super) fn subscribe(&self) -> EventStream {
        let stream = self.hub.subscribe();
        self.raise(Flags::SLOW_PATH);
        stream
    }

    /// Somebody has come who may want to hear of calls.
    pub(crate) fn raise(&self, flags: Flags) {
        for breaker in &self.breakers {
            breaker.circuit.set_flags(flags);
        }
    }

    /// A listener of the registry and all its breakers, from now on.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn attach(&self, listener: &Listener) {
        self.hub.attach(listener);
        self.raise(self.hub.calls().flags() | Flags::SLOW_PATH);
    }

    /// A breaker that is not kept: whoever keeps handles for a name must ask again next time.
    fn turn_away(&self, breaker: &CircuitBreaker, reason: NotKept) {
        breaker.circuit.entry.mark_removed();
        self.report(breaker, |breaker| Event::NotKept { breaker, reason });
    }

    pub(super) fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        let removed = {
            let mut population = self.population.lock();
            // Inside, so that whoever finds the name missing finds the breaker gone.
            let expel = |name: &Arc<str>, breaker: &CircuitBreaker| {
                breaker.circuit.entry.mark_removed();
                self.handles.remove(name);
                true
            };
            let removed = self.breakers.remove_if(name, expel);
            population.kept -= usize::from(removed.is_some());
            removed
        };
        let (_, breaker) = removed?;
        #[cfg(feature = "metrics")]
        self.heirs.tell(&breaker);
        self.tell(&breaker, |breaker| Event::BreakerRemoved { breaker });
        Some(breaker)
    }

    /// Exact, unlike the map's own count, which goes from shard to shard.
    pub(super) fn len(&self) -> usize {
        self.population.lock().kept
    }

    /// Which settings are due to names now.
    pub(super) fn presets(&self) -> Arc<Presets> {
        self.presets.lock().clone()
    }

    /// Whether these are still the presets.
    pub(super) fn goes_by(&self, presets: &Arc<Presets>) -> bool {
        Arc::ptr_eq(&self.presets.lock(), presets)
    }

    /// Puts `next` in the place of `present`, if nobody was faster. The caller still holds both, so
    /// that no settings are dropped under the lock.
    pub(super) fn replace_presets(&self, present: &Arc<Presets>, next: &Arc<Presets>) -> bool {
        let mut presets = self.presets.lock();
        let unchanged = Arc::ptr_eq(&presets, present);
        if unchanged {
            *presets = next.clone();
        }
        unchanged
    }

    pub(super) fn add_preset(
        &self,
        prefix: &str,
        config: &BreakerConfig,
    ) -> Result<(), ConfigError> {
        loop {
            let present = self.presets();
            let more = Arc::new(present.with(prefix, config.clone())?);
            if self.replace_presets(&present, &more) {
                return Ok(());
            }
        }
    }

    /// Tells a mistake, or prints it where nothing listens. A breaker that the registry does not
    /// keep is another one at each lookup, so what is printed of those is printed once for all.
    pub(super) fn report(&self, breaker: &CircuitBreaker, mistake: impl FnOnce(Arc<str>) -> Event) {
        let circuit = &breaker.circuit;
        if self.hub.shows_mistakes() {
            self.tell(breaker, mistake);
        } else if cfg!(debug_assertions) {
            let warned = if circuit.entry.is_removed() {
                &self.warned
            } else {
                &circuit.entry.warned
            };
            warned.print(&mistake(circuit.name.clone()));
        }
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
        #[cfg(feature = "metrics")]
        self.bequeath();
    }
}
