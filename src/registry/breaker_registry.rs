//! [`BreakerRegistry`]: lookups by name, which create missing breakers.

use super::inner::{Inner, Limits};
use super::presets::Presets;
use crate::breaker::CircuitBreaker;
use crate::circuit::CallSite;
use crate::clock::ClockSource;
use crate::config::{BreakerBuilder, BreakerConfig};
use crate::event::{Event, EventBus};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

/// Circuit breakers by name.
///
/// [`global`](Self::global) returns the registry of the process; [`new`](Self::new) and
/// [`builder`](Self::builder) create private ones. A clone refers to the same registry.
///
/// # Names
///
/// A name has 1 to 256 bytes of any UTF-8. [`register`](Self::register) and
/// [`configure`](Self::configure) return an error for other names. Methods that cannot return an
/// error ([`breaker`](Self::breaker), [`with_breaker`](crate::BreakerExt::with_breaker)) return a
/// new breaker at each lookup. The registry does not keep that breaker, and emits
/// [`Event::NotKept`].
///
/// # Precedence of settings
///
/// Settings from `configure` come before those from `register`, then the preset with the longest
/// matching prefix, then the default preset. Settings given at a lookup
/// ([`breaker_with`](Self::breaker_with)) apply only if that lookup creates the breaker; then they
/// come before the presets. With the feature `serde`, a document can be applied on top of all of
/// them.
///
/// # Many names
///
/// A registry keeps at most [`capacity`](crate::RegistryBuilder::capacity) breakers. Without room for a new
/// name, it evicts an idle breaker that was created by use: closed breakers without failures first,
/// then closed ones with failures. It never evicts a breaker that
///
/// * was registered or configured, or is named by the document that was applied,
/// * is open and still has time to wait, is forced open, or was disabled or set to metrics only by a
///   command,
/// * is held by a handle: a clone, a guarded future or function, a permit, a refusal.
///
/// A miss examines a random sample of 16 breakers that were created by use, however many names there
/// are, and evicts the idlest of them. Idleness is therefore approximate. If no breaker in the sample
/// can be evicted, the new name gets a breaker that the registry does not keep, and
/// [`Event::NotKept`] is emitted. So names from user input cannot exhaust the memory, and failing
/// names cannot evict a circuit that is open. With most breakers protected, a new name may need
/// several lookups until it is kept: with nine out of ten, every fifth lookup finds no room.
///
/// # Concurrency
///
/// A guarded call by name finds its breaker in one of a few tables of handles, about two per
/// processor. Threads that run at the same time use different tables, and share neither a lock nor
/// a reference count. [`breaker`](Self::breaker) and [`get`](Self::get) share a lock with other
/// readers while they clone a handle. Closures, listeners, clocks and destructors of your program
/// never run while a lock of the registry is held, so all of them may call the registry.
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
// while a lock is held, so every lock is released with a consistent state. The compiler cannot see that
// through the closures of listeners and predicates.
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

    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Returns the breaker called `name`. A missing breaker is created from the matching preset.
    ///
    /// Keep the handle where you can. A breaker with a handle is never evicted. A name that is empty
    /// or longer than 256 bytes, and a new name when there is no room, gets a
    /// [breaker that the registry does not keep](Self#many-names).
    pub fn breaker(&self, name: impl AsRef<str>) -> CircuitBreaker {
        self.get_or_create(name.as_ref())
    }

    /// Returns the breaker called `name`. A missing breaker is created with what `settings` returns.
    ///
    /// `settings` is called only for a missing breaker, outside every lock. Two threads that look up
    /// the same missing name may both call their closure; one of them creates the breaker. Invalid
    /// settings are not used: the breaker is created from the matching preset, and
    /// [`Event::SettingsRefused`] is emitted.
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
        self.get_or_create_with(name.as_ref(), None, settings).0
    }

    /// Returns the breaker called `name`, if there is one.
    pub fn get(&self, name: impl AsRef<str>) -> Option<CircuitBreaker> {
        self.inner.breakers.get(name.as_ref())
    }

    /// Returns all breakers, sorted by name.
    pub(super) fn sorted(&self) -> Vec<CircuitBreaker> {
        let mut breakers = self.inner.breakers.collect(|breaker| Some(breaker.clone()));
        breakers.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        breakers
    }

    /// Returns the handle of this thread's table for the breaker called `name`, for a guarded call.
    #[inline(never)]
    pub(crate) fn get_or_create_handle(&self, name: &str) -> Arc<CircuitBreaker> {
        self.get_or_create_handle_with(name, None)
    }

    /// The same, except that a missing breaker is created with `preset`, if there is one.
    pub(crate) fn get_or_create_handle_with(
        &self,
        name: &str,
        preset: Option<&Arc<BreakerConfig>>,
    ) -> Arc<CircuitBreaker> {
        self.inner
            .breakers
            .get_handle(name)
            .filter(|handle| preset.is_none() || !handle.circuit.entry.is_config_only())
            .unwrap_or_else(|| self.insert_handle(name, preset))
    }

    #[inline(never)]
    fn insert_handle(
        &self,
        name: &str,
        preset: Option<&Arc<BreakerConfig>>,
    ) -> Arc<CircuitBreaker> {
        let breaker = match preset {
            Some(preset) => {
                let config = |presets: &Presets| presets.resolve_explicit(name, preset).ok();
                self.get_or_create_configured(name, None, config).0
            }
            None => self.get_or_create(name),
        };
        self.inner.breakers.insert_handle(breaker)
    }

    fn get_or_create(&self, name: &str) -> CircuitBreaker {
        self.inner
            .get_or_create(name, None, |presets| presets.resolve(name).clone())
            .0
    }

    /// Returns the breaker called `name`, and whether the registry tracks it. A missing breaker is created
    /// with `settings`, if they are valid, on behalf of `call_site`.
    pub(super) fn get_or_create_with(
        &self,
        name: &str,
        call_site: Option<&'static CallSite>,
        settings: impl FnOnce() -> Option<BreakerBuilder>,
    ) -> (CircuitBreaker, bool) {
        let mut invalid = None;
        let mut settings = Some(settings);
        let config = |presets: &Presets| {
            let settings = settings.take()?()?;
            let config = BreakerConfig::check(settings.settings);
            let config =
                config.and_then(|config| presets.resolve_explicit(name, &Arc::new(config)));
            config.map_err(|error| invalid = Some(error)).ok()
        };
        let (breaker, tracked) = self.get_or_create_configured(name, call_site, config);
        if let Some(error) = invalid {
            self.inner
                .report(&breaker, |breaker| Event::SettingsRefused {
                    breaker,
                    error,
                });
        }
        (breaker, tracked)
    }

    /// Returns the breaker called `name`, and whether the registry tracks it.
    ///
    /// A missing breaker is created with what `config` returns, or else from the matching preset. A breaker
    /// that only a document has named so far is reconfigured with what `config` returns.
    fn get_or_create_configured(
        &self,
        name: &str,
        call_site: Option<&'static CallSite>,
        mut config: impl FnMut(&Presets) -> Option<Arc<BreakerConfig>>,
    ) -> (CircuitBreaker, bool) {
        let (breaker, tracked) = self.inner.get_or_create(name, call_site, |presets| {
            config(presets).unwrap_or_else(|| presets.resolve(name).clone())
        });
        if breaker.circuit.entry.mark_used_by_code() {
            call_site.inspect(|site| breaker.circuit.entry.call_sites.add_first(site));
            let presets = self.inner.presets.load();
            if let Some(config) = config(&presets) {
                let old = breaker.apply(&config);
                self.inner.presets.reapply(&breaker, &presets);
                drop(old);
            }
        }
        (breaker, tracked)
    }
}
