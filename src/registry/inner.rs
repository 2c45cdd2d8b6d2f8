//! [`Inner`]: the state that all clones of a registry share, and every change to its map.

use super::breaker_map::BreakerMap;
use super::current_presets::CurrentPresets;
use super::eviction::{Candidate, Evicted, EvictionQueues};
use super::presets::Presets;
#[cfg(feature = "metrics")]
use super::removal_observer::{RemovalObserver, RemovalObservers};
use crate::breaker::CircuitBreaker;
#[cfg(any(feature = "metrics", feature = "serde"))]
use crate::circuit::Circuit;
use crate::circuit::{CallSite, CircuitContext};
use crate::clock::{ClockSource, Moment};
use crate::config::BreakerConfig;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::event::Listener;
use crate::event::{Event, EventStream, Hub, NotKept, Warned};
use crate::names;
use crate::state::Flags;
use crate::sync::Mutex;
use std::sync::Arc;
#[cfg(any(feature = "metrics", feature = "serde"))]
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The state that all clones of a registry share.
///
/// # Invariants
///
/// 1. Breakers enter and leave `breakers` only while `queues` is locked, so creation, removal and eviction
///    are serialized: a name has one breaker, and the capacity is exact. Lookups do not take that lock.
/// 2. No user code runs while a lock is held. Settings are checked, breakers created, clocks read and events
///    emitted before or after. Evicted breakers are dropped after.
///
/// # Lock order
///
/// `queues`, a shard of the map, a handle table, the locks of one breaker, `presets`.
pub(crate) struct Inner {
    /// Unique in the process.
    pub(super) id: u64,
    pub(super) breakers: BreakerMap,
    pub(super) queues: Mutex<EvictionQueues>,
    pub(super) presets: CurrentPresets,
    pub(super) limits: Limits,
    hub: Arc<Hub>,
    /// The warnings printed for untracked breakers.
    warned: Warned,
    pub(crate) clock: ClockSource,
    /// Shared by the circuits of the registry.
    context: Arc<CircuitContext>,
    #[cfg(feature = "metrics")]
    removal_observers: RemovalObservers,
}

/// The limits of a registry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) capacity: usize,
    pub(super) idle_timeout: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            capacity: 10_000,
            idle_timeout: None,
        }
    }
}

/// The result of inserting a breaker.
pub(super) enum InsertResult {
    Inserted(CircuitBreaker),
    /// Another thread inserted this breaker first.
    Existing(CircuitBreaker),
    /// There is no room for this breaker.
    Full(CircuitBreaker),
}

impl Inner {
    pub(super) fn new(presets: Presets, limits: Limits, hub: Arc<Hub>, clock: ClockSource) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        // Ordering: `Relaxed`, because the number only has to be unique.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let context = CircuitContext {
            registry: id,
            hub: Some(hub.clone()),
            clock: clock.clone(),
        };
        Self {
            id,
            context: Arc::new(context),
            breakers: BreakerMap::new(),
            queues: Mutex::new(EvictionQueues::default()),
            presets: CurrentPresets::new(presets),
            limits,
            hub,
            warned: Warned::default(),
            clock,
            #[cfg(feature = "metrics")]
            removal_observers: RemovalObservers::default(),
        }
    }

    /// Returns the breaker called `name`, and whether the registry tracks it. A missing breaker is created
    /// with what `config` returns, on behalf of `call_site`.
    pub(super) fn get_or_create(
        &self,
        name: &str,
        call_site: Option<&'static CallSite>,
        config: impl FnOnce(&Presets) -> Arc<BreakerConfig>,
    ) -> (CircuitBreaker, bool) {
        let create = |name, presets: &Presets| {
            let breaker = self.create(name, config(presets));
            // Before the breaker is in the map, so that no other site can be the first.
            call_site.inspect(|site| breaker.circuit.entry.call_sites.add_first(site));
            breaker
        };
        if names::check(name).is_err() {
            let shortened = crate::text::prefix(name, names::LONGEST);
            let breaker = create(shortened, &self.presets.load());
            self.report_untracked(&breaker, NotKept::InvalidName);
            return (breaker, false);
        }
        if let Some(found) = self.breakers.get(name) {
            return (found, true);
        }
        let presets = self.presets.load();
        match self.insert(create(name, &presets)) {
            InsertResult::Inserted(breaker) => {
                self.presets.reapply(&breaker, &presets);
                (breaker, true)
            }
            InsertResult::Existing(breaker) => (breaker, true),
            InsertResult::Full(breaker) => {
                self.report_untracked(&breaker, NotKept::NoRoom);
                (breaker, false)
            }
        }
    }

    /// Creates a breaker without inserting it.
    fn create(&self, name: &str, config: Arc<BreakerConfig>) -> CircuitBreaker {
        CircuitBreaker::create(name.into(), config, &self.context)
    }

    /// Creates and inserts a breaker that is never evicted.
    pub(super) fn insert_permanent(&self, name: &str, config: &Arc<BreakerConfig>) -> InsertResult {
        let breaker = self.create(name, config.clone());
        breaker.circuit.entry.make_permanent();
        self.insert(breaker)
    }

    fn insert(&self, new: CircuitBreaker) -> InsertResult {
        let now = match self.limits.idle_timeout {
            Some(_) => self.clock.now(),
            None => Moment::ORIGIN,
        };
        let candidates = self.reclassify(self.eviction_candidates(), now);
        let mut evicted = Evicted::default();
        let result = {
            let mut queues = self.queues.lock();
            queues.put_back(candidates);
            match self.breakers.get(new.name()) {
                Some(existing) => InsertResult::Existing(existing),
                None if self.make_room(&mut queues, now, &mut evicted) => {
                    self.breakers.insert(&new);
                    queues.map_len += 1;
                    if self.presets.document_names(new.name()) {
                        new.circuit.entry.pin();
                    }
                    if new.circuit.entry.is_evictable() {
                        queues.push(&new, now);
                    }
                    InsertResult::Inserted(new)
                }
                None => InsertResult::Full(new),
            }
        };
        self.emit_evicted(&evicted);
        if let InsertResult::Inserted(new) = &result {
            self.emit_added(new);
        }
        // Last, because the settings of evicted breakers hold user values, whose `Drop` may be slow.
        drop(evicted);
        result
    }

    /// Takes protected breakers that may be evictable by now out of their queue.
    fn eviction_candidates(&self) -> Vec<Candidate> {
        let mut queues = self.queues.lock();
        let full = queues.map_len >= self.limits.capacity;
        if full || self.limits.idle_timeout.is_some() {
            queues.take_candidates()
        } else {
            Vec::new()
        }
    }

    /// Classifies candidates again, outside the lock because it reads the clocks of breakers.
    fn reclassify(&self, candidates: Vec<Candidate>, now: Moment) -> Vec<Candidate> {
        candidates
            .into_iter()
            .filter_map(|candidate| candidate.reclassify(&self.breakers, now))
            .collect()
    }

    /// Whether there is room for one more breaker, after evicting one if necessary.
    fn make_room(&self, queues: &mut EvictionQueues, now: Moment, evicted: &mut Evicted) -> bool {
        queues.compact();
        if let Some(idle) = self.limits.idle_timeout {
            queues.expire_idle(idle, &self.breakers, now, evicted);
        }
        queues.map_len < self.limits.capacity || queues.evict_one(&self.breakers, now, evicted)
    }

    /// Removes the breaker called `name`, whatever holds it.
    pub(super) fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        let removed = {
            let mut queues = self.queues.lock();
            let removed = self.breakers.remove(name);
            queues.map_len -= usize::from(removed.is_some());
            removed
        };
        let breaker = removed?;
        #[cfg(feature = "metrics")]
        self.removal_observers.notify(&breaker.circuit);
        self.emit(&breaker, |breaker| Event::BreakerRemoved { breaker });
        Some(breaker)
    }

    /// The number of breakers. It is exact, unlike the length of the map, which is read shard by shard.
    pub(super) fn len(&self) -> usize {
        self.queues.lock().map_len
    }

    /// Returns a stream of the events of all breakers from now on.
    pub(super) fn subscribe(&self) -> EventStream {
        let stream = self.hub.subscribe();
        self.set_flags(Flags::SLOW_PATH);
        stream
    }

    /// Sets flags in the state words of all breakers, so that their calls look for listeners.
    pub(crate) fn set_flags(&self, flags: Flags) {
        self.breakers
            .for_each(|breaker| breaker.circuit.set_flags(flags));
    }

    /// Adds a listener to the registry and all its breakers.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn attach(&self, listener: &Listener) {
        self.hub.attach(listener);
        self.set_flags(self.hub.calls().flags() | Flags::SLOW_PATH);
    }

    /// Reports a breaker that is not in the map, and marks it as removed, so that call sites look the name
    /// up again.
    fn report_untracked(&self, breaker: &CircuitBreaker, reason: NotKept) {
        breaker.circuit.entry.mark_removed();
        self.report(breaker, |breaker| Event::NotKept { breaker, reason });
    }

    /// Emits a warning, or prints it if nothing listens.
    ///
    /// Each lookup of an untracked breaker creates another one, so a warning about those is printed once
    /// for all of them.
    pub(super) fn report(&self, breaker: &CircuitBreaker, warning: impl FnOnce(Arc<str>) -> Event) {
        let circuit = &breaker.circuit;
        if self.hub.shows_mistakes() {
            self.emit(breaker, warning);
        } else if cfg!(debug_assertions) {
            let warned = if circuit.entry.is_removed() {
                &self.warned
            } else {
                &circuit.entry.warned
            };
            warned.print(&warning(circuit.name.clone()));
        }
    }

    /// Emits an event about `breaker`, if anything listens.
    pub(super) fn emit(&self, breaker: &CircuitBreaker, event: impl FnOnce(Arc<str>) -> Event) {
        if self.hub.is_heard() {
            self.hub.emit(&event(breaker.circuit.name.clone()));
        }
    }

    /// Emits the event of a breaker that was inserted.
    pub(super) fn emit_added(&self, breaker: &CircuitBreaker) {
        // A listener that was attached before the insertion did not find the breaker in the map.
        if self.hub.is_heard() {
            breaker.circuit.set_flags(self.hub.calls().flags());
        }
        self.emit(breaker, |breaker| Event::BreakerAdded { breaker });
    }

    /// Emits the events of evicted breakers, and notifies the observers.
    fn emit_evicted(&self, evicted: &Evicted) {
        for breaker in &evicted.breakers {
            #[cfg(feature = "metrics")]
            self.removal_observers.notify(&breaker.circuit);
            self.emit(breaker, |breaker| Event::BreakerEvicted { breaker });
        }
    }
}

#[cfg(feature = "serde")]
impl Inner {
    /// Replaces `current` presets by `next`, and creates the breakers that the document in `next` names.
    ///
    /// Returns the created breakers by name, or `None` if the presets or the map changed meanwhile and the
    /// caller has to retry. Evicted breakers are moved to `evicted`, to be dropped last.
    ///
    /// # Errors
    ///
    /// The number of breakers for which there is no room. The presets have not changed then.
    pub(super) fn replace_presets(
        &self,
        current: &Arc<Presets>,
        next: &Arc<Presets>,
        evicted: &mut Vec<Evicted>,
    ) -> Result<Option<Vec<CircuitBreaker>>, usize> {
        let created = self.create_missing(next);
        let now = self.clock.now();
        let candidates = self.reclassify(self.candidates_for(created.len()), now);

        let mut leaving = Evicted::default();
        let (result, _existing) = {
            let mut queues = self.queues.lock();
            queues.put_back(candidates);
            // Breakers dropped under this lock run no user code: the presets hold their settings.
            let (missing, existing): (Vec<_>, Vec<_>) = created
                .into_iter()
                .partition(|new| !self.breakers.contains(new.name()));
            // A breaker may have left after the missing ones were created.
            let is_missing = |name: &&Arc<str>| !self.breakers.contains(name);
            if next.document().names.keys().filter(is_missing).count() > missing.len() {
                return Ok(None);
            }
            let room = self.limits.capacity.saturating_sub(queues.map_len);
            let short = missing.len().saturating_sub(room);
            let result = if short > 0 && !queues.reserve(short, &self.breakers, now, &mut leaving) {
                Err(short)
            } else if self.presets.replace(current, next) {
                for breaker in &missing {
                    self.breakers.insert(breaker);
                }
                queues.map_len += missing.len();
                queues.requeue(self.move_pins(current, next), now);
                Ok(Some(missing))
            } else {
                Ok(None)
            };
            (result, existing)
        };
        self.emit_evicted(&leaving);
        evicted.push(leaving);
        result
    }

    /// Creates a breaker for each name in the document that has none.
    fn create_missing(&self, presets: &Presets) -> Vec<CircuitBreaker> {
        let names = presets.document().names.keys();
        names
            .filter(|name| !self.breakers.contains(name))
            .map(|name| {
                let breaker = self.create(name, presets.resolve(name).clone());
                breaker.circuit.entry.mark_from_config();
                breaker
            })
            .collect()
    }

    /// Takes all protected breakers out of their queue if `additional` breakers do not fit.
    fn candidates_for(&self, additional: usize) -> Vec<Candidate> {
        let mut evicted = Evicted::default();
        let mut queues = self.queues.lock();
        let full = queues.map_len + additional > self.limits.capacity;
        let candidates = full.then(|| queues.take_all_candidates(&mut evicted));
        drop(queues);
        candidates.unwrap_or_default()
    }

    /// Pins the breakers that the document in `next` names, and unpins those that only the one in
    /// `current` names. Returns the unpinned breakers that may be evicted now.
    fn move_pins(&self, current: &Presets, next: &Presets) -> Vec<Weak<Circuit>> {
        let names = &next.document().names;
        for name in names.keys() {
            self.breakers
                .peek(name, |breaker| breaker.circuit.entry.pin());
        }
        let unpin = |breaker: &CircuitBreaker| {
            let circuit = &breaker.circuit;
            circuit.entry.unpin().then(|| Arc::downgrade(circuit))
        };
        let before = current.document().names.keys();
        before
            .filter(|name| !names.contains_key(*name))
            .filter_map(|name| self.breakers.peek(name, unpin)?)
            .collect()
    }
}

#[cfg(feature = "metrics")]
impl Inner {
    pub(crate) fn add_removal_observer(&self, observer: Weak<dyn RemovalObserver>) {
        self.removal_observers.add(observer);
    }

    /// The circuits of all breakers. Weak, so that breakers can be evicted meanwhile.
    pub(crate) fn circuits(&self) -> Vec<Weak<Circuit>> {
        self.breakers
            .collect(|breaker| Some(Arc::downgrade(&breaker.circuit)))
    }

    /// Whether there is a breaker called `name`, without marking it as used.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.breakers.contains(name)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.limits.capacity
    }

    /// Marks all breakers as removed, since the registry ends, and notifies the observers.
    fn remove_all(&self) {
        if self.removal_observers.is_empty() {
            return;
        }
        for circuit in self.circuits().iter().filter_map(Weak::upgrade) {
            circuit.entry.mark_removed();
            self.removal_observers.notify(&circuit);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.hub.end();
        #[cfg(feature = "metrics")]
        self.remove_all();
    }
}
