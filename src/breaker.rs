//! [`CircuitBreaker`]: the public handle to one circuit.

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

/// A circuit breaker.
///
/// A `CircuitBreaker` is a handle: clones are cheap, and all clones refer to the same circuit.
/// Create a breaker with [`builder`](Self::builder), or get one by name from a
/// [registry](crate::BreakerRegistry).
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
    /// Returns a builder with the default settings. [`build`](BreakerBuilder::build) creates a
    /// breaker outside any registry.
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

    /// Returns the name of the breaker.
    ///
    /// Default: `unnamed`, for a breaker that was built without a name.
    pub fn name(&self) -> &str {
        &self.circuit.name
    }

    /// Returns the current state.
    ///
    /// An open circuit reports [`HalfOpen`](State::HalfOpen) once its recovery timeout has elapsed,
    /// even if no call was made since.
    pub fn state(&self) -> State {
        self.circuit.state()
    }

    /// Returns the number of consecutive failures: those since the last success.
    pub fn failure_count(&self) -> u32 {
        self.circuit.failure_count()
    }

    /// Returns the `Debug` text of the last of the [consecutive failures](Self::failure_count),
    /// truncated to 128 bytes.
    ///
    /// Returns `None` if there are no consecutive failures, or if the text is not
    /// [captured](BreakerBuilder::capture_last_failure).
    pub fn last_failure(&self) -> Option<Arc<str>> {
        self.circuit.last_failure()
    }

    /// Returns the time until an open circuit becomes half-open, or `None` in every other state.
    ///
    /// The time is never zero. [`Duration::MAX`] means that the circuit does not become half-open
    /// without a command.
    pub fn open_remaining(&self) -> Option<Duration> {
        self.circuit.open_remaining()
    }

    /// Returns the state, counts, totals and rules of the breaker, all as of the same moment.
    pub fn snapshot(&self) -> Snapshot {
        self.circuit.snapshot()
    }

    /// Returns the current settings.
    pub fn config(&self) -> Arc<BreakerConfig> {
        self.circuit.config.load_full()
    }

    /// Changes the settings of a live breaker.
    ///
    /// `change` receives the settings that code has given for the name of the breaker, as a
    /// builder. The builder that it returns replaces them, and overrides the layers below; see
    /// [layers of settings](crate::BreakerRegistry#layers-of-settings).
    /// [`inherit`](BreakerBuilder::inherit) removes all settings that code has given.
    ///
    /// If a document names the breaker and contains a setting that `change` also sets, the value of
    /// the document stays in effect, and [`Event::SettingsIgnored`](crate::Event::SettingsIgnored)
    /// reports the setting. The new value takes effect when the document no longer contains the
    /// setting.
    ///
    /// State, counts, generation and a running deadline are kept. Windows keep their data if their
    /// kind and size do not change. A new threshold applies from the next failure, a new number of
    /// trials from the next half-open period, and a new mode immediately. The name and the clock
    /// cannot be changed.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError`] if the merged settings are invalid. The breaker is unchanged then.
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

    /// Waits until the circuit would admit a call, without acquiring anything.
    ///
    /// Use this method for work that is guarded elsewhere, such as by a guarded function or a tower
    /// layer. A [permit](Self::until_ready) would hold the only trial slot that such work needs.
    ///
    /// The call that follows may still be refused, if another call has taken the slot in the
    /// meantime. Order, wake-ups and jitter are those of [`until_ready`](Self::until_ready).
    ///
    /// # Panics
    ///
    /// Panics if it has to wait outside a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe. Dropping the future only gives up its place in the queue.
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

    /// Returns a stream of the events of this breaker from now on.
    ///
    /// The stream has a bounded queue, which reports the events that it had to drop as
    /// [`Event::Missed`](crate::Event::Missed).
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

    /// Returns a stream of the events of this breaker from now on, without the events of single
    /// calls: [`Recorded`](crate::Event::Recorded) and [`Refused`](crate::Event::Refused).
    ///
    /// Calls cost the same as without the stream.
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
    /// Checks the settings, and creates a breaker outside any registry.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError`] for the first invalid setting. The error contains the value and the
    /// valid range.
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

// User code, which may panic, never runs while a lock is held. A panic therefore leaves the atomics
// and the values behind locks consistent. The compiler cannot derive these impls because of the
// closures of listeners and predicates.
impl UnwindSafe for CircuitBreaker {}
impl RefUnwindSafe for CircuitBreaker {}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.circuit.fmt(f)
    }
}
