//! [`Inner`]: the state that all clones of a registry share, and every change to its map.

use super::breaker_map::BreakerMap;
use super::current_presets::CurrentPresets;
use super::eviction::{Candidate, EvictionPool, SAMPLE_SIZE};
use super::presets::Presets;
use crate::breaker::CircuitBreaker;
use crate::circuit::{CallSite, Circuit, CircuitContext};
use crate::clock::{ClockSource, Moment};
use crate::config::BreakerConfig;
#[cfg(any(feature = "metrics", feature = "tracing"))]
use crate::event::Listener;
use crate::event::{CallInterest, Event, EventBus, EventStream, NotKept, Recorder, Warned};
#[cfg(feature = "fleet")]
use crate::event::{Change, Observer};
use crate::names;
use crate::state::Flags;
#[cfg(feature = "tracing")]
use crate::state::State;
use crate::sync::Mutex;
use std::sync::Arc;
#[cfg(feature = "metrics")]
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The state that all clones of a registry share.
///
/// # Invariants
///
/// 1. Breakers enter and leave `breakers` only while `pool` is locked. Creation, removal and eviction are
///    therefore serialized: a name has one breaker, and the capacity is exact. Lookups do not take this
///    lock.
/// 2. No user code runs while a lock is held. Settings are checked, breakers are created and clocks are read
///    before a lock is taken. Events are emitted and evicted breakers are dropped after it is released.
///
/// # Lock order
///
/// First `pool`, then a shard of the map, a handle table, the locks of one breaker, and `presets`.
pub(crate) struct Inner {
    /// Unique in the process.
    pub(super) id: u64,
    pub(super) breakers: BreakerMap,
    pub(super) pool: Mutex<EvictionPool>,
    pub(super) presets: CurrentPresets,
    pub(super) limits: Limits,
    bus: Arc<EventBus>,
    /// Which warnings about untracked breakers were printed.
    warned: Warned,
    pub(crate) clock: ClockSource,
    /// Shared by the circuits of the registry.
    context: Arc<CircuitContext>,
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
    pub(super) fn new(
        presets: Presets,
        limits: Limits,
        bus: Arc<EventBus>,
        clock: ClockSource,
    ) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        // Ordering: `Relaxed`, because the number only has to be unique.
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let context = CircuitContext {
            registry: id,
            bus: Some(bus.clone()),
            clock: clock.clone(),
        };
        Self {
            id,
            context: Arc::new(context),
            breakers: BreakerMap::new(),
            pool: Mutex::new(EvictionPool::new()),
            presets: CurrentPresets::new(presets),
            limits,
            bus,
            warned: Warned::default(),
            clock,
        }
    }

    /// Returns the breaker called `name`, and whether the registry tracks it. A missing breaker is created
    /// with the settings that `config` returns, on behalf of `call_site`.
    pub(super) fn get_or_create(
        &self,
        name: &str,
        call_site: Option<&'static CallSite>,
        config: impl FnOnce(&Presets) -> Arc<BreakerConfig>,
    ) -> (CircuitBreaker, bool) {
        let create = |name, presets: &Presets| {
            let breaker = self.create(name, config(presets));
            // Before the breaker is in the map, where another call site could find it and add itself first.
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
                // A change of the presets may not have found the breaker, which was not in the map yet.
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
        let sample = self.sample(1, SAMPLE_SIZE);
        let time = self.limits.idle_timeout.map(|_| self.clock.now());
        let mut evicted = Vec::new();
        let result = {
            let mut pool = self.pool.lock();
            let now = pool.advance(time);
            match self.breakers.get(new.name()) {
                Some(existing) => InsertResult::Existing(existing),
                None if self.make_room(&mut pool, sample, now, &mut evicted) => {
                    self.breakers.insert(&new);
                    pool.map_len += 1;
                    if self.presets.document_names(new.name()) {
                        new.circuit.entry.pin();
                    }
                    if new.circuit.entry.is_evictable() {
                        pool.insert(&new, now);
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
        // Last, because the settings of evicted breakers contain user values, whose `Drop` may be slow.
        drop(evicted);
        result
    }

    /// Draws candidates for eviction if `additional` breakers do not fit, or if there is an idle timeout.
    fn sample(&self, additional: usize, size: usize) -> Vec<Candidate> {
        let mut sample = {
            let mut pool = self.pool.lock();
            let fits = pool.map_len + additional <= self.limits.capacity;
            if fits && self.limits.idle_timeout.is_none() {
                return Vec::new();
            }
            pool.sample(size)
        };
        // After the lock is released, because clocks are user code.
        sample.iter_mut().for_each(Candidate::decide);
        sample
    }

    /// Evicts idle breakers, and one more breaker if necessary. Returns whether there is room for one.
    fn make_room(
        &self,
        pool: &mut EvictionPool,
        mut sample: Vec<Candidate>,
        now: Moment,
        evicted: &mut Vec<CircuitBreaker>,
    ) -> bool {
        if sample.is_empty() && pool.map_len >= self.limits.capacity {
            // Another thread took the last place after `sample` was called. These candidates stay undecided,
            // because clocks must not be read under the lock.
            sample = pool.sample(SAMPLE_SIZE);
        }
        let ranked = pool.rank(&sample, self.limits.idle_timeout, now);
        *evicted = pool.evict(&ranked, self.limits.capacity - 1, &self.breakers, now);
        pool.map_len < self.limits.capacity
    }

    /// Removes the breaker called `name`, even if it is held.
    pub(super) fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        let breaker = {
            let mut pool = self.pool.lock();
            let removed = self.breakers.remove(name)?;
            pool.remove(&removed.circuit);
            pool.map_len -= 1;
            removed
        };
        #[cfg(feature = "fleet")]
        self.tell(&breaker, |breaker| Change::Removed { breaker });
        self.emit(&breaker, |breaker| Event::BreakerRemoved { breaker });
        Some(breaker)
    }

    /// Returns the number of breakers. It is exact, unlike the length of the map, which is the sum of shards
    /// that are read one after another.
    pub(super) fn len(&self) -> usize {
        self.pool.lock().map_len
    }

    /// Returns a stream of the events of all breakers from now on.
    pub(super) fn subscribe(&self, interest: CallInterest) -> EventStream {
        // Subscribed before the flags are set: `emit_added` sets the flags of breakers that `set_flags` misses.
        let stream = self.bus.subscribe(interest);
        self.set_flags(interest.flags());
        stream
    }

    /// Passes the calls of all breakers to `recorder`, and returns the bus that does so.
    pub(super) fn record_calls(&self, recorder: &Arc<Recorder>) -> &Arc<EventBus> {
        // Attached before the flags are set, as in `subscribe`.
        self.bus.recorders.attach(recorder);
        self.set_flags(CallInterest::Timed.flags());
        &self.bus
    }

    /// Sets flags in the packed states of all breakers. Their calls then look for listeners.
    pub(crate) fn set_flags(&self, flags: Flags) {
        if flags == Flags::NONE {
            return;
        }
        self.breakers
            .for_each(|breaker| breaker.circuit.set_flags(flags));
    }

    /// Adds a listener to the registry and all its breakers.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn attach(&self, listener: &Listener) {
        self.bus.attach(listener);
        self.set_flags(listener.call_interest().flags());
    }

    /// Reports a breaker that is not in the map. Marks it as removed, so that call sites look up the name
    /// again.
    fn report_untracked(&self, breaker: &CircuitBreaker, reason: NotKept) {
        breaker.circuit.entry.mark_removed();
        self.report(breaker, |breaker| Event::NotKept { breaker, reason });
    }

    /// Emits a warning. Without a listener, prints the warning in debug builds.
    ///
    /// Each lookup of an untracked name creates another breaker. Each kind of warning about untracked
    /// breakers is therefore printed once per registry. All other kinds are printed once per breaker.
    pub(super) fn report(&self, breaker: &CircuitBreaker, warning: impl FnOnce(Arc<str>) -> Event) {
        let circuit = &breaker.circuit;
        if self.bus.listeners().shows_mistakes() {
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

    /// Returns the circuit of the breaker called `name`, without marking the breaker as used.
    ///
    /// The circuit must be dropped soon, because the reference prevents an eviction.
    pub(crate) fn circuit(&self, name: &str) -> Option<Arc<Circuit>> {
        self.breakers.peek(name, |breaker| breaker.circuit.clone())
    }

    /// Returns the values that `read` returns for all breakers, in no particular order. `read` is
    /// called under a lock of the map, and marks no breaker as used.
    pub(crate) fn collect<T>(&self, read: impl Fn(&Arc<Circuit>) -> T) -> Vec<T> {
        self.breakers
            .collect(|breaker| Some(read(&breaker.circuit)))
    }

    /// Emits an event about `breaker`, if there is a listener.
    pub(super) fn emit(&self, breaker: &CircuitBreaker, event: impl FnOnce(Arc<str>) -> Event) {
        let listeners = self.bus.listeners();
        if listeners.has_any() {
            listeners.emit(&event(breaker.circuit.name.clone()));
        }
    }

    /// Emits the event of a breaker that was inserted.
    pub(super) fn emit_added(&self, breaker: &CircuitBreaker) {
        // A listener that was attached before the insertion could not set the flags of this breaker.
        let interest = self.bus.listeners().call_interest();
        if interest > CallInterest::None {
            breaker.circuit.set_flags(interest.flags());
        }
        #[cfg(feature = "fleet")]
        self.tell(breaker, |breaker| Change::Added { breaker });
        self.emit(breaker, |breaker| Event::BreakerAdded { breaker });
    }

    /// Emits the events of evicted breakers.
    fn emit_evicted(&self, evicted: &[CircuitBreaker]) {
        for breaker in evicted {
            #[cfg(feature = "fleet")]
            self.tell(breaker, |breaker| Change::Removed { breaker });
            self.emit(breaker, |breaker| Event::BreakerEvicted { breaker });
        }
    }
}

#[cfg(feature = "serde")]
impl Inner {
    /// Replaces the presets `current` with `next`, and creates the breakers that the document in `next` names.
    ///
    /// Returns the created breakers sorted by name. Returns `None` if another thread changed the presets or the
    /// map; the caller then has to retry. Evicted breakers are moved to `evicted`, to be dropped last.
    ///
    /// # Errors
    ///
    /// Returns the number of breakers for which there is no room. The presets have not changed then.
    pub(super) fn replace_presets(
        &self,
        current: &Arc<Presets>,
        next: &Arc<Presets>,
        evicted: &mut Vec<CircuitBreaker>,
    ) -> Result<Option<Vec<CircuitBreaker>>, usize> {
        let created = self.create_missing(next);
        let mut sample = self.sample(created.len(), usize::MAX);
        let time = self.limits.idle_timeout.map(|_| self.clock.now());

        let mut leaving = Vec::new();
        let (result, _existing) = {
            let mut pool = self.pool.lock();
            let now = pool.advance(time);
            // A new breaker that is dropped under this lock runs no user code, because the presets keep its
            // settings alive.
            let (missing, existing): (Vec<_>, Vec<_>) = created
                .into_iter()
                .partition(|new| !self.breakers.contains(new.name()));
            // Another thread may have removed a breaker after `create_missing` found it in the map.
            let is_missing = |name: &&Arc<str>| !self.breakers.contains(name);
            if next.document().names.keys().filter(is_missing).count() > missing.len() {
                return Ok(None);
            }
            let room = self.limits.capacity.saturating_sub(pool.map_len);
            let short = missing.len().saturating_sub(room);
            if short > 0 {
                if sample.is_empty() {
                    // Other threads took the last places after `sample` was called.
                    sample = pool.sample(usize::MAX);
                }
                let mut ranked = pool.rank(&sample, None, now);
                // Counted first: without enough candidates, nothing is evicted.
                EvictionPool::drop_held(&mut ranked, &self.breakers);
                if ranked.len() >= short {
                    let max_len = pool.map_len - short;
                    leaving = pool.evict(&ranked, max_len, &self.breakers, now);
                }
            }
            let result = if leaving.len() < short {
                Err(short)
            } else if self.presets.replace(current, next) {
                for breaker in &missing {
                    self.breakers.insert(breaker);
                }
                pool.map_len += missing.len();
                self.move_pins(current, next, &mut pool, now);
                Ok(Some(missing))
            } else {
                Ok(None)
            };
            (result, existing)
        };
        self.emit_evicted(&leaving);
        evicted.append(&mut leaving);
        result
    }

    /// Creates a breaker for each name in the document that is not in the map.
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

    /// Pins the breakers that the document in `next` names. Unpins the breakers that only the document in
    /// `current` names. They may be evicted from now on, unless code registered them.
    fn move_pins(&self, current: &Presets, next: &Presets, pool: &mut EvictionPool, now: Moment) {
        let names = &next.document().names;
        for name in names.keys() {
            self.breakers
                .peek(name, |breaker| breaker.circuit.entry.pin());
        }
        let before = current.document().names.keys();
        for name in before.filter(|name| !names.contains_key(*name)) {
            self.breakers.peek(name, |breaker| {
                if breaker.circuit.entry.unpin() {
                    pool.insert(breaker, now);
                }
            });
        }
    }
}

#[cfg(feature = "tracing")]
impl Inner {
    /// Returns the state of the breaker called `name`.
    ///
    /// Reads the clock of the breaker, which may be user code, so no part of the map is locked meanwhile.
    pub(crate) fn state_of(&self, name: &str) -> Option<State> {
        Some(self.breakers.get(name)?.state())
    }
}

#[cfg(feature = "metrics")]
impl Inner {
    /// Returns weak references to the circuits of all breakers. Weak references do not prevent eviction.
    pub(crate) fn circuits(&self) -> Vec<Weak<Circuit>> {
        self.collect(Arc::downgrade)
    }

    /// Returns whether there is a breaker called `name`, without marking it as used.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.breakers.contains(name)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.limits.capacity
    }
}

#[cfg(feature = "fleet")]
impl Inner {
    /// Adds an observer of the changes of the registry and all its breakers.
    pub(crate) fn observe(&self, observer: &Arc<Observer>) {
        self.bus.observers.attach(observer);
    }

    pub(crate) fn observers(&self) -> usize {
        self.bus.observers.count()
    }

    /// Reports the creation or the removal of a breaker to the observers.
    fn tell(&self, breaker: &CircuitBreaker, change: impl FnOnce(Arc<str>) -> Change) {
        let observers = &self.bus.observers;
        if observers.has_any() {
            for panicked in observers.tell(&change(breaker.circuit.name.clone())) {
                self.emit(breaker, |_| panicked);
            }
        }
    }

    /// Returns the names of all breakers, in no particular order.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.collect(|circuit| circuit.name.clone())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.bus.close();
    }
}
