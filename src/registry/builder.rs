//! [`RegistryBuilder`]: the settings of a registry.

use super::breaker_registry::BreakerRegistry;
use super::error::RegistryError;
use super::global;
use super::inner::Limits;
use super::presets::{CodePresets, Presets};
use crate::clock::{Clock, ClockSource};
use crate::config::{BreakerBuilder, Layer, NameLayers, Origin};
use crate::error::ConfigError;
use crate::event::{CallInterest, Event, EventBus, Listener};
use crate::names;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// A builder of a [`BreakerRegistry`]. [`build`](Self::build) and [`install`](Self::install) check the
/// settings.
///
/// # Default
///
/// * presets: none, so that all names have the [defaults of a `BreakerBuilder`](BreakerBuilder#default)
/// * `capacity`: 10,000 breakers
/// * `idle_timeout`: none
/// * `clock`: the system's clock
/// * listeners: none
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
/// use std::time::Duration;
///
/// let registry = BreakerRegistry::builder()
///     .default_preset(CircuitBreaker::builder().recovery_timeout(Duration::from_secs(10)))
///     .preset_for("http:", CircuitBreaker::builder().failure_threshold(3))
///     .capacity(1_000)
///     .idle_timeout(Duration::from_secs(3600))
///     .build()?;
/// assert_eq!(registry.breaker("http:users").config().trip_rules().len(), 1);
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built or installed"]
pub struct RegistryBuilder {
    default: Option<Layer>,
    prefixes: Vec<(Arc<str>, Layer)>,
    capacity: usize,
    idle_timeout: Option<Duration>,
    clock: ClockSource,
    listeners: Vec<Listener>,
}

const MAX_CAPACITY: usize = 10_000_000;

impl BreakerRegistry {
    /// Returns a builder with the [default settings](RegistryBuilder#default).
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }
}

impl Default for RegistryBuilder {
    fn default() -> Self {
        let Limits {
            capacity,
            idle_timeout,
        } = Limits::default();
        Self {
            default: None,
            prefixes: Vec::new(),
            capacity,
            idle_timeout,
            clock: ClockSource::default(),
            listeners: Vec::new(),
        }
    }
}

impl RegistryBuilder {
    /// Sets the preset of all names, below the presets of prefixes. Default: the
    /// [defaults of a `BreakerBuilder`](BreakerBuilder#default).
    #[track_caller]
    pub fn default_preset(mut self, preset: BreakerBuilder) -> Self {
        let origin = Origin::DefaultPreset(Location::caller());
        self.default = Some(Layer::new(preset, origin));
        self
    }

    /// Sets the preset of all names that begin with `prefix`. Default: none.
    ///
    /// Longer prefixes are [layered](BreakerRegistry#layers-of-settings) over shorter ones. A second preset
    /// for a prefix replaces the first. A registry has at most 10,000 prefixes, each at most 256 bytes long.
    #[track_caller]
    pub fn preset_for(mut self, prefix: impl AsRef<str>, preset: BreakerBuilder) -> Self {
        let prefix: Arc<str> = prefix.as_ref().into();
        let origin = Origin::Prefix(prefix.clone(), Location::caller());
        self.prefixes.push((prefix, Layer::new(preset, origin)));
        self
    }

    /// Sets the maximum number of breakers: 1 to 10,000,000. Default: 10,000.
    ///
    /// [Many names](BreakerRegistry#many-names) describes what a full registry does.
    pub fn capacity(mut self, breakers: usize) -> Self {
        self.capacity = breakers;
        self
    }

    /// Evicts breakers that were created by use and have been idle for `time`, even if there is room.
    /// Must be longer than zero. Default: none.
    ///
    /// The timeout is approximate, because each insertion of a new name checks a sample of 16 breakers.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = Some(time);
        self
    }

    /// Sets the clock of breakers whose own settings have no clock. Default: the system's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = ClockSource::custom(clock);
        self
    }

    /// Calls `listener` with every event of the registry and its breakers. Default: no listener.
    ///
    /// The listener runs on the thread of a call, outside every lock. A slow listener delays that call. The
    /// call delivers at most the events that are queued when its delivery begins. A panic of the listener
    /// is caught and becomes [`Event::ListenerPanicked`].
    ///
    /// A listener may call the registry and its breakers. Listeners that run because of such calls are
    /// nested at most four deep on one thread. Beyond this depth, only streams receive the events of calls
    /// and of the registry. State changes wait for the next event or call of their breaker.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listeners
            .push(Listener::new(CallInterest::Events, listener));
        self
    }

    /// Calls `listener` with every event except those of single calls: [`Recorded`](Event::Recorded) and
    /// [`Refused`](Event::Refused). Default: no listener.
    ///
    /// The listener runs as described for [`on_event`](Self::on_event). Calls cost the same as without the
    /// listener.
    pub fn on_change(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listeners
            .push(Listener::new(CallInterest::None, listener));
        self
    }

    /// Checks the settings and creates a private registry.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError`] for the first invalid setting. The error names the setting with its preset
    /// (`preset_for("http:").failure_threshold`), its value and the allowed values.
    pub fn build(self) -> Result<BreakerRegistry, ConfigError> {
        if !(1..=MAX_CAPACITY).contains(&self.capacity) {
            return Err(ConfigError::new("capacity", self.capacity, "1 to 10000000"));
        }
        if self.idle_timeout == Some(Duration::ZERO) {
            return Err(ConfigError::new(
                "idle_timeout",
                Duration::ZERO,
                "longer than zero",
            ));
        }
        for (prefix, _) in &self.prefixes {
            check_prefix(prefix)
                .map_err(|(value, allowed)| ConfigError::new("preset_for", value, allowed))?;
        }
        let prefixes = self.prefixes.into_iter();
        let code = CodePresets {
            default: self.default.map(NameLayers::from).unwrap_or_default(),
            prefixes: prefixes
                .map(|(prefix, layer)| (prefix, layer.into()))
                .collect(),
        };
        let presets = Presets::merge(code, Arc::default())?;
        let limits = Limits {
            capacity: self.capacity,
            idle_timeout: self.idle_timeout,
        };
        let bus = Arc::new(EventBus::new(self.listeners));
        Ok(BreakerRegistry::with_parts(
            presets, limits, bus, self.clock,
        ))
    }

    /// Creates the global registry, which [`BreakerRegistry::global`] returns from now on.
    ///
    /// # Errors
    ///
    /// * [`RegistryError::Config`] for invalid settings, as [`build`](Self::build) returns them
    /// * [`RegistryError::GlobalInUse`] if the global registry was used or installed before
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::builder().capacity(100).install()?;
    /// assert_eq!(registry.capacity(), BreakerRegistry::global().capacity());
    /// assert!(BreakerRegistry::builder().install().is_err());
    /// # Ok::<(), breakerbox::RegistryError>(())
    /// ```
    pub fn install(self) -> Result<&'static BreakerRegistry, RegistryError> {
        global::install(self.build()?)
    }
}

/// Returns an error for a prefix that no name can have. The empty prefix is valid, because every name
/// begins with it.
pub(super) fn check_prefix(prefix: &str) -> Result<(), (String, &'static str)> {
    if prefix.is_empty() {
        return Ok(());
    }
    names::check(prefix).map_err(|(value, _)| (value, "at most 256 bytes long"))
}
