//! [`BreakerRegistry`]: lookup of breakers by name, and creation of missing breakers.

use super::inner::{Inner, Limits};
use super::presets::Presets;
use crate::breaker::CircuitBreaker;
use crate::circuit::CallSite;
use crate::clock::ClockSource;
use crate::config::{BreakerBuilder, Layer, NameLayers, Origin};
use crate::error::ConfigError;
use crate::event::{Event, EventBus};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// A registry of circuit breakers by name.
///
/// [`global`](Self::global) returns the registry of the process. [`new`](Self::new) and
/// [`builder`](Self::builder) create private registries. Clones refer to the same registry.
///
/// # Names
///
/// A name has 1 to 256 bytes of any UTF-8. [`register`](Self::register) and
/// [`configure`](Self::configure) return an error for other names. Some methods cannot return an error:
/// [`breaker`](Self::breaker) and [`with_breaker`](crate::BreakerExt::with_breaker). They create a new
/// breaker at each lookup of such a name. The registry does not keep that breaker, and emits
/// [`Event::NotKept`].
///
/// # Layers of settings
///
/// The default, each prefix and each name have layers of settings. A layer contains some settings. Layers
/// are merged setting by setting, with the more specific layer on top:
///
/// 1. the defaults of a [`BreakerBuilder`], then
///    [`default_preset`](crate::RegistryBuilder::default_preset)
/// 2. the presets of each matching prefix, from the shortest to the longest
///    ([`preset_for`](crate::RegistryBuilder::preset_for))
/// 3. the settings of the name: `#[circuit]` and [`breaker_with`](Self::breaker_with), then
///    [`register`](Self::register), then [`configure`](Self::configure), in any order of the calls
///
/// With the feature `serde`, a document may add an entry at each level, on top of the code at that level.
/// [`breaker_with`](Self::breaker_with) reads its settings only if it creates the breaker. If two call
/// sites contradict each other, the first one wins, and [`Event::SettingsIgnored`] reports both places.
///
/// Trip rules merge as the methods of the builder do. Error rules and listeners of all layers add up. For
/// every other setting, the topmost layer wins. [`explain`](crate::BreakerConfig::explain) shows the layer
/// of each setting.
///
/// # Many names
///
/// A registry keeps at most [`capacity`](crate::RegistryBuilder::capacity) breakers. If there is no room
/// for a new name, the registry evicts an idle breaker that was created by use. It prefers closed breakers
/// without failures. It never evicts a breaker that
///
/// * was registered or configured, or is named by the current document,
/// * is open before its deadline, is forced open, or was disabled or set to metrics only by a command,
/// * is held by a handle: a clone, a guarded future or function, a permit, or a refusal.
///
/// A lookup that creates a breaker examines a random sample of 16 breakers, for any number of names, and
/// evicts the idlest one. Idleness is therefore approximate. If no breaker in the sample can be evicted,
/// the registry does not keep the new breaker, and emits [`Event::NotKept`]. Names from user input
/// therefore cannot exhaust the memory, and failing names cannot evict an open circuit. If most breakers
/// are protected, a new name may need several lookups. With nine of ten breakers protected, every fifth
/// lookup finds no room.
///
/// # Concurrency
///
/// A guarded call by name finds its breaker in one of a few tables of handles, about two per
/// processor. Threads that run at the same time use different tables, and share neither a lock nor
/// a reference count. [`breaker`](Self::breaker) and [`get`](Self::get) share a lock with other
/// readers while they clone a handle. Closures, listeners, clocks and destructors of your program may
/// call the registry, because none of them runs while a lock of the registry is held.
///
/// A breaker that was removed or evicted is dropped with its last handle and its last call in
/// flight. Its settings, and the closures in them, are dropped with it.
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
///
/// let registry = BreakerRegistry::new();
/// registry.register("payments", CircuitBreaker::builder().failure_threshold(10))?;
/// let payments = registry.breaker("payments");
/// payments.trip();
/// assert_eq!(registry.open_breakers().len(), 1);
/// assert!(!registry.all_closed());
/// # Ok::<(), breakerbox::RegistryError>(())
/// ```
#[derive(Clone)]
pub struct BreakerRegistry {
    pub(super) inner: Arc<Inner>,
}

// The shared state consists of atomics and of values behind locks. User code, which may panic, never runs
// while a lock is held, so every value is consistent when its lock is released. The compiler cannot derive
// this, because the state contains closures of listeners and predicates.
impl UnwindSafe for BreakerRegistry {}
impl RefUnwindSafe for BreakerRegistry {}

impl BreakerRegistry {
    /// Creates a private registry with the [default settings](crate::RegistryBuilder#default).
    pub fn new() -> Self {
        Self::with_parts(
            Presets::default(),
            Limits::default(),
            Arc::default(),
            ClockSource::default(),
        )
    }

    pub(super) fn with_parts(
        presets: Presets,
        limits: Limits,
        bus: Arc<EventBus>,
        clock: ClockSource,
    ) -> Self {
        Self {
            inner: Arc::new(Inner::new(presets, limits, bus, clock)),
        }
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(crate) fn of_inner(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// Returns the breaker called `name`. A missing breaker is created from the matching preset.
    ///
    /// Keep the handle if you can: each lookup costs time, and a breaker with a handle is never evicted. An
    /// invalid name, or a new name in a full registry, gets a
    /// [breaker that the registry does not keep](Self#many-names).
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// let users = registry.breaker("users-api");
    /// assert!(users.call(|| "7".parse::<u8>()).is_ok());
    /// ```
    pub fn breaker(&self, name: impl AsRef<str>) -> CircuitBreaker {
        self.get_or_create(name.as_ref())
    }

    /// Returns the breaker called `name`. A missing breaker is created with the settings that `settings`
    /// returns.
    ///
    /// `settings` is called only for a missing breaker, outside every lock. Two threads that look up
    /// the same missing name may both call their closure, but only one of them creates the breaker.
    /// Invalid settings are ignored as a whole, and [`Event::SettingsRefused`] is emitted.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use std::time::Duration;
    ///
    /// let registry = BreakerRegistry::new();
    /// let patient = || CircuitBreaker::builder().recovery_timeout(Duration::from_secs(60));
    /// let tenant = registry.breaker_with("tenant:42", patient);
    /// tenant.trip();
    /// assert!(tenant.open_remaining() > Some(Duration::from_secs(30)));
    /// ```
    #[track_caller]
    pub fn breaker_with(
        &self,
        name: impl AsRef<str>,
        settings: impl FnOnce() -> BreakerBuilder,
    ) -> CircuitBreaker {
        let origin = Origin::BreakerWith(Location::caller());
        let mut settings = Some(settings);
        let mut layer = None;
        self.get_or_create_with(name.as_ref(), &mut || {
            if let Some(settings) = settings.take() {
                layer = Some(Layer::new(settings(), origin.clone()));
            }
            layer.clone()
        })
    }

    /// Returns the breaker called `name`, or `None` if there is none.
    pub fn get(&self, name: impl AsRef<str>) -> Option<CircuitBreaker> {
        self.inner.breakers.get(name.as_ref())
    }

    /// Returns all breakers, sorted by name.
    pub(super) fn sorted(&self) -> Vec<CircuitBreaker> {
        let mut breakers = self.inner.breakers.collect(|breaker| Some(breaker.clone()));
        breakers.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        breakers
    }

    /// Returns a handle of the breaker called `name` from the table of this thread, for a guarded call.
    #[inline(never)]
    pub(crate) fn get_or_create_handle(&self, name: &str) -> Arc<CircuitBreaker> {
        self.get_or_create_handle_with(name, None)
    }

    /// Does the same as [`get_or_create_handle`](Self::get_or_create_handle). A missing breaker is created
    /// with the settings of `layer`, if there is one.
    pub(crate) fn get_or_create_handle_with(
        &self,
        name: &str,
        layer: Option<&Layer>,
    ) -> Arc<CircuitBreaker> {
        self.inner
            .breakers
            .get_handle(name)
            .filter(|handle| layer.is_none() || !handle.circuit.entry.is_config_only())
            .unwrap_or_else(|| self.insert_handle(name, layer))
    }

    #[inline(never)]
    fn insert_handle(&self, name: &str, layer: Option<&Layer>) -> Arc<CircuitBreaker> {
        let breaker = match layer {
            Some(layer) => self.get_or_create_with(name, &mut || Some(layer.clone())),
            None => self.get_or_create(name),
        };
        self.inner.breakers.insert_handle(breaker)
    }

    fn get_or_create(&self, name: &str) -> CircuitBreaker {
        self.inner
            .get_or_create(name, None, |presets| presets.resolve(name).clone())
            .0
    }

    /// Returns the breaker called `name`. If the breaker is missing, or only a document has named it so far,
    /// it gets the settings of `layer`.
    fn get_or_create_with(
        &self,
        name: &str,
        layer: &mut dyn FnMut() -> Option<Layer>,
    ) -> CircuitBreaker {
        let (breaker, _) = self.get_or_create_layered(name, None, layer);
        if breaker.circuit.entry.mark_used_by_code() {
            if let Some(layer) = layer() {
                self.add_layer(&breaker, &layer);
            }
        }
        breaker
    }

    /// Returns the breaker called `name`, and whether the registry tracks it. A missing breaker is created
    /// with the settings of `layer`, on behalf of `call_site`. An invalid layer is ignored.
    pub(super) fn get_or_create_layered(
        &self,
        name: &str,
        call_site: Option<&'static CallSite>,
        layer: &mut dyn FnMut() -> Option<Layer>,
    ) -> (CircuitBreaker, bool) {
        let mut invalid = None;
        let (breaker, tracked) = self.inner.get_or_create(name, call_site, |presets| {
            let config = layer().and_then(|layer| {
                let resolved = presets.resolve_layers(name, layer.into());
                resolved.map_err(|error| invalid = Some(error)).ok()
            });
            config.unwrap_or_else(|| presets.resolve(name).clone())
        });
        if let Some(error) = invalid {
            self.report_refused(&breaker, error);
        }
        (breaker, tracked)
    }

    /// Adds the settings of a call site to a live breaker. An invalid layer is ignored.
    pub(super) fn add_layer(&self, breaker: &CircuitBreaker, layer: &Layer) {
        let mut contradiction = None;
        let change = |code: &mut NameLayers| contradiction = code.add_site(layer.clone());
        match self.inner.presets.reconfigure(breaker, change) {
            Err(error) => self.report_refused(breaker, error),
            Ok(replaced) => {
                if let Some(contradiction) = contradiction {
                    let event = |breaker| contradiction.event(breaker, &layer.origin);
                    self.inner.report(breaker, event);
                }
                drop(replaced);
            }
        }
    }

    fn report_refused(&self, breaker: &CircuitBreaker, error: ConfigError) {
        self.inner
            .report(breaker, |breaker| Event::SettingsRefused { breaker, error });
    }
}
