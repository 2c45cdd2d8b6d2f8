use super::presets::{self, Presets};
use super::{BreakerRegistry, Limits, RegistryError, global};
use crate::clock::{Clock, ClockSource};
use crate::config::{BreakerBuilder, BreakerConfig};
use crate::error::ConfigError;
use crate::event::{Event, Hub, Listener};
use crate::names;
use std::sync::Arc;
use std::time::Duration;

/// The settings of a registry to be; nothing is checked before [`build`](Self::build) or
/// [`install`](Self::install).
///
/// # Default
///
/// * breakers that nobody spoke of are [as a `BreakerBuilder` makes them](BreakerBuilder)
/// * 10,000 names, and none goes for being idle while there is room
/// * the system's clock
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
    default: BreakerBuilder,
    prefixes: Vec<(String, BreakerBuilder)>,
    capacity: usize,
    idle_timeout: Option<Duration>,
    clock: ClockSource,
    listeners: Vec<Listener>,
}

const MOST: usize = 10_000_000;

impl Default for RegistryBuilder {
    fn default() -> Self {
        Self {
            default: BreakerBuilder::default(),
            prefixes: Vec::new(),
            capacity: Self::CAPACITY,
            idle_timeout: None,
            clock: ClockSource::default(),
            listeners: Vec::new(),
        }
    }
}

impl RegistryBuilder {
    pub(super) const CAPACITY: usize = 10_000;

    /// The settings of names that nobody spoke of. Default: those of a fresh
    /// [`BreakerBuilder`].
    pub fn default_preset(mut self, preset: BreakerBuilder) -> Self {
        self.default = preset;
        self
    }

    /// The settings of names that begin with `prefix`, at most 256 bytes; the longest prefix wins,
    /// and of two words on one prefix the later.
    pub fn preset_for(mut self, prefix: impl AsRef<str>, preset: BreakerBuilder) -> Self {
        self.prefixes.push((prefix.as_ref().to_owned(), preset));
        self
    }

    /// The most breakers that are kept: 1 to 10,000,000. Default: 10,000. What happens when there
    /// is no room: [many names](BreakerRegistry#many-names).
    pub fn capacity(mut self, breakers: usize) -> Self {
        self.capacity = breakers;
        self
    }

    /// Names created by use that nobody used for so long go even while there is room; longer than
    /// zero. Default: none.
    ///
    /// Approximately: idle names are found a few at a time, when new names come in.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = Some(time);
        self
    }

    /// The clock of breakers that were not given one of their own. Default: the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = ClockSource::custom(clock);
        self
    }

    /// Calls `listener` with every event of every breaker, and of the registry itself, outside
    /// every lock, on the thread that caused it.
    ///
    /// A panic is caught and becomes [`Event::ListenerPanicked`]; a slow listener delays only the
    /// call that runs it.
    ///
    /// A listener may call the registry and its breakers. Listeners that are told of such calls in
    /// turn are nested at most four deep on one thread. Beyond that only streams get the events of
    /// calls and of the registry, and state changes wait for the next event of their breaker.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listeners.push(Listener::new(listener));
        self
    }

    /// Checks the settings and makes a private registry.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting that cannot work, with the preset that it belongs to
    /// (`preset_for("http:").failure_threshold`), its value and what it may be.
    pub fn build(self) -> Result<BreakerRegistry, ConfigError> {
        if !(1..=MOST).contains(&self.capacity) {
            return Err(ConfigError::new("capacity", self.capacity, "1 to 10000000"));
        }
        if self.idle_timeout == Some(Duration::ZERO) {
            return Err(ConfigError::new(
                "idle_timeout",
                Duration::ZERO,
                "longer than zero",
            ));
        }
        let default = BreakerConfig::check(self.default.settings)
            .map_err(|error| error.with_prefix("default_preset"))?;
        let mut presets = Presets::new(default);
        for (prefix, preset) in self.prefixes {
            check_prefix(&prefix)
                .map_err(|(value, allowed)| ConfigError::new("preset_for", value, allowed))?;
            presets = presets.with(&prefix, presets::check(&prefix, preset.settings)?)?;
        }
        let limits = Limits {
            capacity: self.capacity,
            idle_timeout: self.idle_timeout,
        };
        let hub = Arc::new(Hub::new(self.listeners));
        Ok(BreakerRegistry::assemble(presets, limits, hub, self.clock))
    }

    /// Makes the global registry, the one that [`BreakerRegistry::global`] returns from now on.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Config`] for what [`build`](Self::build) refuses,
    /// [`RegistryError::GlobalInUse`] once the global registry was asked for or installed.
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

/// Refuses prefixes that no name can begin with. The empty one is a prefix of every name.
pub(super) fn check_prefix(prefix: &str) -> Result<(), (String, &'static str)> {
    if prefix.is_empty() {
        return Ok(());
    }
    names::check(prefix).map_err(|(value, _)| (value, "at most 256 bytes long"))
}
