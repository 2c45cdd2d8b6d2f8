//! [`CircuitBreaker`]: the handle that people hold.

mod admit;
mod announce;
mod call;
mod cell;
#[cfg(feature = "metrics")]
mod changes;
mod circuit;
mod command;
mod commands;
mod control;
mod counters;
mod inside;
mod refusal_link;
mod settle;
mod stripes;
mod succeed;
mod tally;
mod ticket;
mod transition;
mod waiting;

pub(crate) use call::Ended;
#[cfg(feature = "metrics")]
pub(crate) use changes::Changes;
pub(crate) use circuit::{Circuit, Home};
pub use command::Command;
pub(crate) use refusal_link::RefusalLink;
pub(crate) use ticket::Ticket;

use crate::config::{BreakerBuilder, BreakerConfig, ConfigError};
use crate::error::{BreakerError, CircuitOpen};
use crate::event::EventStream;
use crate::guard::{self, Judge, Rules, WithBreaker, admit};
use crate::permit::Permit;
use crate::snapshot::Snapshot;
use crate::state::State;
use std::fmt;
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

    pub(crate) fn standalone(config: BreakerConfig) -> Self {
        let name = config
            .settings
            .name
            .clone()
            .unwrap_or_else(|| "unnamed".into());
        Self::create(name, Arc::new(config), &Arc::default())
    }

    pub(crate) fn create(name: Arc<str>, config: Arc<BreakerConfig>, home: &Arc<Home>) -> Self {
        Self {
            circuit: Arc::new(Circuit::new(name, config, home)),
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

    /// The time until an open circuit half-opens, above zero; `None` in every other state.
    /// [`Duration::MAX`] for ever.
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

    /// Changes the settings of the live breaker, beginning from the present ones.
    ///
    /// State, counts, generation and a running deadline stay; a lowered threshold acts at the next
    /// failure, the number of trials from the next half-open period on. A mode that differs from
    /// the old setting takes effect at once. Name and clock stay as they are. Of two who change the
    /// settings at the same time the later wins, with all of them.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], and nothing has changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.configure(|settings| settings.failure_threshold(20))?;
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn configure(
        &self,
        change: impl FnOnce(BreakerBuilder) -> BreakerBuilder,
    ) -> Result<(), ConfigError> {
        let builder = change(BreakerBuilder::from_config(&self.config()));
        let old = self.apply(&Arc::new(BreakerConfig::check(builder.settings)?));
        // Somebody cares for it: its registry does not let it go any more.
        self.circuit.tenancy.settle();
        drop(old);
        Ok(())
    }

    /// Gives the breaker new settings, and returns the old ones, to be dropped last.
    #[must_use]
    pub(crate) fn apply(&self, config: &Arc<BreakerConfig>) -> Option<Arc<BreakerConfig>> {
        self.circuit.configure_if(config, |_| true)
    }

    /// Opens the circuit, for as long as its settings say. Changes nothing while it is open.
    pub fn trip(&self) {
        Command::new(self).trip();
    }

    /// Opens the circuit for `time`. While it is open this sets the end, sooner or later than it
    /// was.
    pub fn trip_for(&self, time: Duration) {
        Command::new(self).trip_for(time);
    }

    /// Lets trials through now.
    pub fn half_open(&self) {
        Command::new(self).half_open();
    }

    /// Refuses every call until the next command.
    pub fn force_open(&self) {
        Command::new(self).force_open();
    }

    /// Lets every call through and records nothing, until the next command.
    pub fn disable(&self) {
        Command::new(self).disable();
    }

    /// Judges calls but refuses none, until the next command.
    pub fn metrics_only(&self) {
        Command::new(self).metrics_only();
    }

    /// Returns to where the breaker [rests](BreakerBuilder::mode), with everything at zero but the
    /// totals. Calls that are in flight end as late ones.
    pub fn reset(&self) {
        Command::new(self).reset();
    }

    /// Starts a [command](Command) with the reason for it, of which 256 bytes are kept.
    ///
    /// # Examples
    ///
    /// ```
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.because("INC-123").force_open();
    /// assert_eq!(users.snapshot().cause.unwrap().to_string(), "a command: INC-123");
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn because(&self, reason: impl AsRef<str>) -> Command<'_> {
        Command::new(self).because(reason)
    }

    /// Starts a [command](Command) with the name of who gives it, of which 256 bytes are kept.
    ///
    /// # Examples
    ///
    /// ```
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.by("alice").because("INC-123").trip();
    /// assert_eq!(users.snapshot().cause.unwrap().to_string(), "a command by alice: INC-123");
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn by(&self, actor: impl AsRef<str>) -> Command<'_> {
        Command::new(self).by(actor)
    }

    /// Starts a [command](Command) that applies only in `state`, which is compared in one step with
    /// the command. Otherwise the command changes nothing and returns the state that it found.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::State;
    ///
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.force_open();
    /// // Ends an outage, and does not end what an operator has decided meanwhile.
    /// assert_eq!(users.if_state(State::Open).reset(), Err(State::ForcedOpen));
    /// assert_eq!(users.if_state(State::ForcedOpen).reset(), Ok(()));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn if_state(&self, state: State) -> Command<'_, Result<(), State>> {
        Command::new(self).if_state(state)
    }

    /// Asks to pass, for work that is not one future or closure.
    ///
    /// # Errors
    ///
    /// [`CircuitOpen`] when the circuit refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// let permit = users.try_acquire()?;
    /// // … the work …
    /// permit.success();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit, CircuitOpen> {
        admit(self).map(|ticket| Permit::new(self.clone(), ticket))
    }

    /// Waits until the circuit lets a call pass, instead of being refused: for a consumer that may as
    /// well leave its queue alone while a dependency is down.
    ///
    /// Who waits is woken by time, by commands, by new settings and by the end of a trial, and let in
    /// in the order of coming: into half-open as far as there are trials, and one after another once
    /// the circuit closed. It waits through forced open, too. Waits are lengthened by up to a
    /// hundredth (at most 100 ms), so that many processes do not come back at once. Waiting is no
    /// refusal in the totals.
    ///
    /// Where the breaker does not go by the system's clock, it looks at least every 10 ms of tokio's
    /// time. With tokio's time paused, the feature `test-util` makes both one.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled, when it has to wait. It has taken nothing then.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it takes no slot and loses nobody's turn but its own.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// let permit = users.until_ready().await;
    /// // … take a message from the queue and work on it …
    /// permit.success();
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn until_ready(&self) -> Permit {
        waiting::until_ready(self).await
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
        waiting::ready(self).await;
    }

    /// The events of this breaker from now on, as a stream of bounded length.
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
        self.circuit.subscribe()
    }

    /// Calls `work`, if the circuit lets it pass, and judges what it returns.
    ///
    /// # Errors
    ///
    /// [`BreakerError::Open`] when the circuit refuses, [`BreakerError::Inner`] with the error of
    /// `work`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let parser = breakerbox::CircuitBreaker::builder().build()?;
    /// assert_eq!(parser.call(|| "7".parse::<u8>()).ok(), Some(7));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    #[inline]
    pub fn call<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, BreakerError<E>>
    where
        E: fmt::Debug + 'static,
    {
        let result = guard::call(&self, &Rules, (), |()| work());
        result
            .map_err(|(open, ())| BreakerError::Open(open))?
            .map_err(BreakerError::Inner)
    }

    /// Guards `future`; the same as [`guarded_by`](crate::BreakerExt::guarded_by) the other way
    /// round.
    ///
    /// # Cancel safety
    ///
    /// As that of [`WithBreaker`].
    #[inline]
    pub fn call_async<F>(&self, future: F) -> WithBreaker<F, &Self>
    where
        F: Future,
        Rules: Judge<F::Output>,
    {
        WithBreaker::new(future, self)
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.circuit.fmt(f)
    }
}
