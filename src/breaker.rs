//! [`CircuitBreaker`]: the public handle.

use crate::circuit::{Circuit, CircuitContext};
use crate::config::{self, BreakerBuilder, BreakerConfig, Layer, Origin};
use crate::error::ConfigError;
use crate::event::{CallInterest, EventStream};
use crate::snapshot::Snapshot;
use crate::state::State;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::Duration;

/// A circuit breaker: a handle, of which every clone is the same breaker.
///
/// Made by [`builder`](Self::builder), or by a [registry](crate::BreakerRegistry) under a name.
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder().failure_threshold(2).build()?;
/// for _ in 0..2 {
///     let _ = breaker.call(|| "x".parse::<u8>());
/// }
/// assert_eq!(breaker.state(), State::Open);
/// assert!(breaker.call(|| "7".parse::<u8>()).unwrap_err().is_open());
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct CircuitBreaker {
    pub(crate) circuit: Arc<Circuit>,
}

impl CircuitBreaker {
    /// The settings of a breaker to be.
    pub fn builder() -> BreakerBuilder {
        BreakerBuilder::default()
    }

    pub(crate) fn create(
        name: Arc<str>,
        config: Arc<BreakerConfig>,
        context: &Arc<CircuitContext>,
    ) -> Self {
        Self {
            circuit: Arc::new(Circuit::new(name, config, context)),
        }
    }

    /// The name of the breaker.
    pub fn name(&self) -> &str {
        &self.circuit.name
    }

    /// What it is doing now: an open circuit is half-open once its time has come, by time alone.
    pub fn state(&self) -> State {
        self.circuit.state()
    }

    /// Failures since the last success.
    pub fn failure_count(&self) -> u32 {
        self.circuit.failure_count()
    }

    /// The `Debug` text of the last of them, cut to 128 bytes; `None` when there is none, or when
    /// it is not [captured](BreakerBuilder::capture_last_failure).
    pub fn last_failure(&self) -> Option<Arc<str>> {
        self.circuit.last_failure()
    }

    /// Returns the time until an open circuit half-opens, above zero, or `None` in every other state.
    /// [`Duration::MAX`] means that it never half-opens.
    pub fn open_remaining(&self) -> Option<Duration> {
        self.circuit.open_remaining()
    }

    /// Everything at one moment.
    pub fn snapshot(&self) -> Snapshot {
        self.circuit.snapshot()
    }

    /// The present settings.
    pub fn config(&self) -> Arc<BreakerConfig> {
        self.circuit.config.load_full()
    }

    /// Changes the settings of the live breaker. `change` gets what code said for the name of the breaker,
    /// and what it returns overrides the layers below: see
    /// [layers of settings](crate::BreakerRegistry#layers-of-settings).
    ///
    /// [`inherit`](BreakerBuilder::inherit) drops what code said. A setting that a document names for the
    /// breaker stays as the document says, and [`Event::SettingsIgnored`](crate::Event::SettingsIgnored) reports it; the new value takes
    /// effect when the document drops the setting.
    ///
    /// State, counts, generation and a running deadline stay. Windows of the same kind and size keep their
    /// data. A lowered threshold takes effect at the next failure, the number of trials from the next
    /// half-open period on, another mode at once. Name and clock stay as they are.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the merged settings cannot work. Nothing has changed then.
    ///
    /// # Examples
    ///
    /// ```
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.configure(|settings| settings.failure_threshold(20))?;
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    #[track_caller]
    pub fn configure(
        &self,
        change: impl FnOnce(BreakerBuilder) -> BreakerBuilder,
    ) -> Result<(), ConfigError> {
        let origin = Origin::Configure(Location::caller());
        let before = self.config().name_layers().merged();
        let builder = change(BreakerBuilder::from_settings(before.clone()));
        let inherits = builder.inherits;
        let layer = Layer::new(builder, origin);
        let (old, config) = loop {
            let present = self.config();
            let mut code = present.name_layers();
            code.replace(layer.clone(), inherits);
            let config = present.with_name_layers(code)?;
            let is_present = |found: &Arc<_>| Arc::ptr_eq(found, &present);
            if let Some(old) = self.circuit.reconfigure_if(&config, is_present) {
                break (old, config);
            }
        };
        self.circuit.entry.make_permanent();
        if let Some(overridden) =
            config.overridden_by_document(&layer.settings.changed_since(&before))
        {
            self.circuit
                .report(|breaker| overridden.event(breaker, &layer.origin));
        }
        drop(old);
        Ok(())
    }

    /// Waits until a call would be admitted, and acquires nothing: for work that is guarded elsewhere, by a
    /// function of its own or by a layer, and that a [permit](Self::until_ready) would keep from the only
    /// trial.
    ///
    /// The call that follows may still be refused, if another one took the slot of the trial first. Waits
    /// are ordered, woken and lengthened as those of [`until_ready`](Self::until_ready).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled, when it has to wait.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it loses nothing but its place in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.ready().await;
    /// assert!(users.call(|| "7".parse::<u8>()).is_ok());
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn ready(&self) {
        self.circuit.wait_until_ready().await;
    }

    /// Returns a stream of the events of this breaker, from now on. The stream has a bounded queue.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let users = CircuitBreaker::builder().name("users-api").build()?;
    /// let mut events = users.subscribe();
    /// users.trip();
    /// let event = events.try_next().unwrap();
    /// assert!(matches!(event, Event::StateChanged { to: State::Open, .. }));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn subscribe(&self) -> EventStream {
        self.circuit.subscribe(CallInterest::Events)
    }

    /// Returns a stream of all events of this breaker, from now on, except those of single calls:
    /// [`Recorded`](crate::Event::Recorded) and [`Refused`](crate::Event::Refused). Calls cost the
    /// same as without the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let users = CircuitBreaker::builder().name("users-api").build()?;
    /// let mut changes = users.subscribe_changes();
    /// assert!(users.call(|| "7".parse::<u8>()).is_ok());
    /// users.trip();
    /// assert!(matches!(changes.try_next(), Some(Event::StateChanged { .. })));
    /// assert!(changes.try_next().is_none());
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn subscribe_changes(&self) -> EventStream {
        self.circuit.subscribe(CallInterest::None)
    }
}

impl BreakerBuilder {
    /// Checks the settings and makes a breaker outside any registry.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first setting that cannot work, its value and what it may be.
    #[track_caller]
    pub fn build(mut self) -> Result<CircuitBreaker, ConfigError> {
        let name = self.name.take().unwrap_or_else(|| "unnamed".into());
        config::check_name(&name)?;
        let config = BreakerConfig::from_builder(self)?;
        Ok(CircuitBreaker::create(
            name,
            Arc::new(config),
            &Arc::default(),
        ))
    }
}

// The shared state consists of atomics and of values behind locks, and every lock is released with the state
// whole: user code, which may panic, never runs while one is held. The compiler cannot see that
// through the closures of listeners and predicates.
impl UnwindSafe for CircuitBreaker {}
impl RefUnwindSafe for CircuitBreaker {}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.circuit.fmt(f)
    }
}
