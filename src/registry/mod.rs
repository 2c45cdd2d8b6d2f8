//! [`BreakerRegistry`]: breakers by name.
//!
//! * `shared`: what the clones of a registry share, and the only place that changes it
//! * `handle_table`: handles of breakers, for calls by name
//! * `settling`: names that are given settings, and are here to stay
//! * `eviction`: who may go when there is no room
//! * `presets`: which settings are due to a name, `layers`: what a document says of it
//! * `reconcile`: live breakers follow; `applying`: a document is applied
//! * `site`: the handles that a line of code keeps for itself
//! * `builder`, `global`, `error`

#[cfg(feature = "serde")]
mod applying;
mod builder;
mod error;
mod eviction;
mod global;
mod handle_table;
#[cfg(feature = "metrics")]
mod heirs;
mod layers;
mod presets;
mod reconcile;
mod settling;
mod shared;
mod site;
mod views;

#[cfg(feature = "serde")]
pub(crate) use applying::{Laid, NotLaid};
pub use builder::RegistryBuilder;
pub use error::RegistryError;
#[cfg(feature = "metrics")]
pub(crate) use heirs::Heir;
#[cfg(feature = "serde")]
pub(crate) use layers::{Layer, Layers};
pub(crate) use shared::Shared;
pub use site::{Given, Global, In, Named, OfType, Site, SiteHandle};

use crate::breaker::CircuitBreaker;
use crate::circuit::CallSite;
use crate::clock::ClockSource;
use crate::config::{BreakerBuilder, BreakerConfig};
use crate::event::{Event, Hub};
use crate::sync::Map;
use presets::Presets;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

type Breakers = Map<CircuitBreaker>;

/// How much a registry keeps.
#[derive(Clone, Copy, Debug)]
struct Limits {
    capacity: usize,
    idle_timeout: Option<Duration>,
}

/// Breakers by name: the panel that holds a house's breakers.
///
/// [`global`](Self::global) is the one of the process, [`new`](Self::new) and
/// [`builder`](Self::builder) make private ones. A clone is the same registry.
///
/// # Names
///
/// 1 to 256 bytes of any UTF-8. [`register`](Self::register) and [`configure`](Self::configure)
/// refuse others; where no error can be returned ([`breaker`](Self::breaker),
/// [`with_breaker`](crate::BreakerExt::with_breaker)) such a name gets a fresh breaker at each
/// look-up, which the registry does not keep, and [`Event::NotKept`] says so.
///
/// # Who wins
///
/// `configure` over `register` over the preset with the longest prefix over the default preset.
/// Settings written where a breaker is looked up ([`breaker_with`](Self::breaker_with)) act only
/// when they create it, and then win over the presets. With the feature `serde` a document may lie
/// over all of them.
///
/// # Many names
///
/// A registry keeps at most [`capacity`](RegistryBuilder::capacity) breakers. When there is no
/// room, names created by use that are idle go first, closed ones without failures before closed
/// ones with failures. What never goes is a breaker that
///
/// * was registered or configured, or is named by a document that was applied,
/// * is open and still has time to wait, is forced open, or was disabled or put to watching by a
///   command,
/// * somebody holds a handle of: a clone, a guarded future or function, a permit, a refusal.
///
/// When nothing may go, a new name gets a breaker that is not kept, and [`Event::NotKept`] is sent.
/// So names from user input can exhaust no memory, nor, by failing, push out a circuit that
/// protects someone. Idleness is approximate, and a miss takes a few steps however many names there
/// are; a breaker that may go again is found within as many misses as there are protected ones.
///
/// # Concurrency
///
/// A guarded call by name finds its breaker in one of a few tables of handles, about two for each
/// processor: threads that run at the same time use different tables, and share neither a lock nor a
/// reference count. [`breaker`](Self::breaker) and [`get`](Self::get) share a lock with other readers
/// while a handle is cloned. No closure, listener, clock or destructor of yours runs under a lock of
/// the registry: all of them may call it.
///
/// A breaker that was removed or evicted ends, with its settings and the closures in them, with the
/// last handle and the last call in flight.
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
    shared: Arc<Shared>,
}

// The shared state consists of atomics and of values behind locks, and every lock is released with the state
// whole: user code, which may panic, never runs while one is held. The compiler cannot see that
// through the closures of listeners and predicates.
impl UnwindSafe for BreakerRegistry {}
impl RefUnwindSafe for BreakerRegistry {}

impl BreakerRegistry {
    /// A private registry with the [default settings](RegistryBuilder#default).
    pub fn new() -> Self {
        let limits = Limits {
            capacity: RegistryBuilder::CAPACITY,
            idle_timeout: None,
        };
        Self::assemble(
            Presets::default(),
            limits,
            Arc::default(),
            ClockSource::default(),
        )
    }

    /// The registry of the process: the one that was [installed](RegistryBuilder::install), or one
    /// with the [default settings](RegistryBuilder#default).
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::BreakerRegistry;
    ///
    /// let users = BreakerRegistry::global().breaker("users-api");
    /// assert_eq!(BreakerRegistry::global().get("users-api").unwrap().name(), users.name());
    /// ```
    pub fn global() -> &'static Self {
        global::get()
    }

    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The settings of a registry to be.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    fn assemble(presets: Presets, limits: Limits, hub: Arc<Hub>, clock: ClockSource) -> Self {
        Self {
            shared: Arc::new(Shared::new(presets, limits, hub, clock)),
        }
    }

    /// The breaker of `name`; made, with the settings due to it, when there is none.
    ///
    /// Look it up once and keep the handle where you can; a breaker whose handle somebody holds is
    /// never evicted. A name of no or more than 256 bytes, and any new name when there is no room,
    /// gets a [breaker that is not kept](Self#many-names).
    pub fn breaker(&self, name: impl AsRef<str>) -> CircuitBreaker {
        let name = name.as_ref();
        self.shared
            .find_or_create(name, None, |presets| presets.due_to(name).clone())
            .0
    }

    /// The breaker of `name`; made, with the settings that `settings` gives, when there is none.
    ///
    /// `settings` is called only then, outside every lock. Two threads that come at the same time
    /// may both call theirs; one of them makes the breaker. Settings that cannot work are not used:
    /// the breaker gets those due to its name, and [`Event::SettingsRefused`] is sent.
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
    pub fn breaker_with(
        &self,
        name: impl AsRef<str>,
        settings: impl FnOnce() -> BreakerBuilder,
    ) -> CircuitBreaker {
        let settings = || Some(settings());
        self.find_or_create_with(name.as_ref(), None, settings).0
    }

    /// The breaker of `name`, and whether the registry keeps it. Made with `settings` where they
    /// give any and can work, on behalf of `origin`.
    fn find_or_create_with(
        &self,
        name: &str,
        origin: Option<&'static CallSite>,
        settings: impl FnOnce() -> Option<BreakerBuilder>,
    ) -> (CircuitBreaker, bool) {
        let mut refused = None;
        let mut settings = Some(settings);
        let given = |presets: &Presets| {
            let settings = settings.take()?()?;
            let config = BreakerConfig::check(settings.settings);
            let config = config.and_then(|config| presets.settled(name, &Arc::new(config)));
            config.map_err(|error| refused = Some(error)).ok()
        };
        let (breaker, kept) = self.given(name, origin, given);
        if let Some(error) = refused {
            self.shared
                .report(&breaker, |breaker| Event::SettingsRefused {
                    breaker,
                    error,
                });
        }
        (breaker, kept)
    }

    /// The breaker of `name`, with what `given` gives if code is the first to speak of it, and it gives
    /// any; and whether it is kept.
    fn given(
        &self,
        name: &str,
        origin: Option<&'static CallSite>,
        mut given: impl FnMut(&Presets) -> Option<Arc<BreakerConfig>>,
    ) -> (CircuitBreaker, bool) {
        let (breaker, kept) = self.shared.find_or_create(name, origin, |presets| {
            given(presets).unwrap_or_else(|| presets.due_to(name).clone())
        });
        if breaker.circuit.entry.mark_used_by_code() {
            origin.inspect(|origin| breaker.circuit.entry.call_sites.add_first(origin));
            let presets = self.shared.presets();
            if let Some(config) = given(&presets) {
                let old = breaker.apply(&config);
                self.shared.catch_up(&breaker, &presets);
                drop(old);
            }
        }
        (breaker, kept)
    }

    /// The breaker of `name`, if there is one.
    pub fn get(&self, name: impl AsRef<str>) -> Option<CircuitBreaker> {
        self.shared.find(name.as_ref())
    }

    /// The breaker of `name` as guarded calls hold it: a handle from the tables.
    #[inline(never)]
    pub(crate) fn by_name(&self, name: &str) -> Arc<CircuitBreaker> {
        self.by_name_with(name, None)
    }

    /// The same, where a breaker that is new gets the settings of `preset`, if there is one.
    pub(crate) fn by_name_with(
        &self,
        name: &str,
        preset: Option<&Arc<BreakerConfig>>,
    ) -> Arc<CircuitBreaker> {
        self.shared
            .find_handle(name)
            .filter(|own| preset.is_none() || !own.circuit.entry.is_config_only())
            .unwrap_or_else(|| self.by_name_slowly(name, preset))
    }

    #[inline(never)]
    fn by_name_slowly(
        &self,
        name: &str,
        preset: Option<&Arc<BreakerConfig>>,
    ) -> Arc<CircuitBreaker> {
        let (breaker, _) = match preset {
            Some(preset) => self.given(name, None, |presets| presets.settled(name, preset).ok()),
            None => self
                .shared
                .find_or_create(name, None, |presets| presets.due_to(name).clone()),
        };
        self.shared.handles.insert(breaker)
    }
}
