use super::PartialSettings;
use super::redaction::Redaction;
use super::rule_changes::RuleChanges;
use crate::backoff::Backoff;
use crate::classify::{ErrorRule, Outcome};
use crate::clock::{Clock, ClockSource};
use crate::event::{CallInterest, Event, Listener};
use crate::rules::TripRule;
use crate::state::Mode;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// The settings of a breaker to be; nothing is checked before [`build`](BreakerBuilder::build) or
/// until a registry gets it.
///
/// # Default
///
/// * opens after 5 consecutive failures, every `Err` being one
/// * half-opens after 30 s, lets one trial through, and closes if it succeeds
/// * a dropped call is ignored
///
/// # Examples
///
/// ```
/// use breakerbox::CircuitBreaker;
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::builder()
///     .name("users-api")
///     .failure_threshold(10)
///     .recovery_timeout(Duration::from_secs(60))
///     .expected_error::<std::io::Error>()
///     .build()?;
/// assert_eq!(breaker.name(), "users-api");
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built or a registry gets it"]
pub struct BreakerBuilder {
    pub(crate) settings: PartialSettings,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) clock: Option<ClockSource>,
    /// Whether `configure` drops what code said before.
    pub(crate) inherits: bool,
}

impl BreakerBuilder {
    /// Returns a builder with these settings.
    pub(crate) fn from_settings(settings: PartialSettings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// The name of a breaker outside any registry, 1 to 256 bytes; a registry gives its own.
    /// Default: `unnamed`.
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(name.as_ref().into());
        self
    }

    /// Opens after `failures` in a row; at least 1. Default: 5.
    ///
    /// Replaces an earlier consecutive rule and leaves the others.
    pub fn failure_threshold(mut self, failures: u32) -> Self {
        let rules = self.settings.trip_rules.get_or_insert_default();
        rules.set_failure_threshold(failures);
        self
    }

    /// Adds a rule: any of them opens the circuit. The default rule stands only while none was
    /// named.
    pub fn trip_when(mut self, rule: TripRule) -> Self {
        self.settings.trip_rules.get_or_insert_default().add(rule);
        self
    }

    /// Exactly these rules and no others; at least one.
    pub fn trip_rules(mut self, rules: impl IntoIterator<Item = TripRule>) -> Self {
        self.settings.trip_rules = Some(RuleChanges::exactly(rules));
        self
    }

    /// How long the circuit stays open, the same each time. Default: 30 s. With
    /// [`Duration::MAX`] it never half-opens.
    pub fn recovery_timeout(self, timeout: Duration) -> Self {
        self.recovery_backoff(Backoff::constant(timeout))
    }

    /// How long the circuit stays open, depending on how often in a row it failed to recover.
    /// Replaces [`recovery_timeout`](Self::recovery_timeout).
    pub fn recovery_backoff(mut self, backoff: Backoff) -> Self {
        self.settings.recovery_backoff = Some(backoff);
        self
    }

    /// For how long the circuit must stay closed before the
    /// [backoff](Self::recovery_backoff) starts over. Default: as long as the latest opening lasted by the
    /// backoff, without jitter or a [hint](Outcome::TripFor).
    ///
    /// A circuit that opens sooner continues with the next attempt, so that a dependency that answers its
    /// trial and fails again is left alone for longer each time. [`Duration::MAX`] starts over only by
    /// [`reset`](crate::CircuitBreaker::reset), by [`half_open`](crate::CircuitBreaker::half_open) or with another mode.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{Backoff, CircuitBreaker};
    /// use std::time::Duration;
    ///
    /// let breaker = CircuitBreaker::builder()
    ///     .recovery_backoff(Backoff::exponential(Duration::from_secs(1)))
    ///     .reset_backoff_after(Duration::from_secs(60))
    ///     .build()?;
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn reset_backoff_after(mut self, time: Duration) -> Self {
        self.settings.reset_backoff_after = Some(time);
        self
    }

    /// The longest that [`Outcome::TripFor`] may open the circuit, since the time comes from the
    /// dependency. Default: an hour.
    pub fn max_trip_for(mut self, longest: Duration) -> Self {
        self.settings.max_trip_for = Some(longest);
        self
    }

    /// Trial calls of a half-open period, in flight and counted together: 1 to 1,000. Default: 1.
    pub fn half_open_calls(mut self, calls: u32) -> Self {
        self.settings.half_open_calls = Some(calls);
        self
    }

    /// Successes among the trials that close the circuit: 1 to the half-open calls. Default: every
    /// trial.
    pub fn success_threshold(mut self, successes: u32) -> Self {
        self.settings.success_threshold = Some(successes);
        self
    }

    /// The lease of trials. When it has elapsed since the latest admission, the slots of all trials in
    /// flight are given to other calls. Default: the recovery timeout, at least 30 s.
    ///
    /// The outcome of a trial that outlived its lease still counts while the half-open period lasts, and
    /// the first such trials of a period send [`Event::TrialsOutlived`].
    pub fn trial_timeout(mut self, timeout: Duration) -> Self {
        self.settings.trial_timeout = Some(timeout);
        self
    }

    /// Errors of type `E` are failures, also [inside other errors](Self::expected_error_if). Once one
    /// expected error is named, no other error is a failure.
    pub fn expected_error<E: Error + 'static>(self) -> Self {
        self.expected_error_if(|_: &E| true)
    }

    /// Errors of type `E` for which `predicate` holds are failures.
    ///
    /// The rule also finds an `E` inside `Box`, `Arc`, `Rc` and [`BreakerError`](crate::BreakerError),
    /// up to four of them around each other. It finds one among the sources of a boxed error, an
    /// `io::Error`, an `anyhow::Error`, and any error type that a rule of this breaker names. The
    /// outermost `E` decides.
    ///
    /// A predicate that panics makes the call count as ignored; the panic propagates.
    pub fn expected_error_if<E: Error + 'static>(
        self,
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.expect(ErrorRule::error(predicate))
    }

    /// As [`expected_error_if`](Self::expected_error_if), for a type that does not implement
    /// [`Error`], such as `String`: a value of the error's own type, or inside `Box`, `Arc`, `Rc` and
    /// [`BreakerError`](crate::BreakerError).
    pub fn expected_value_if<E: 'static>(
        self,
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.expect(ErrorRule::value(predicate))
    }

    fn expect(mut self, rule: ErrorRule) -> Self {
        let rules = self.settings.error_rules.get_or_insert_default();
        rules.expect(rule);
        self
    }

    /// Errors of type `E` say nothing about the dependency, also
    /// [inside other errors](Self::expected_error_if). Ignored rules are asked before expected ones.
    pub fn ignored_error<E: Error + 'static>(self) -> Self {
        self.ignored_error_if(|_: &E| true)
    }

    /// Errors of type `E` for which `predicate` holds say nothing about the dependency, also
    /// [inside other errors](Self::expected_error_if).
    ///
    /// The rule makes `E` known as well, so that refusals of inner breakers and errors that other
    /// rules name are found among its sources, whatever `predicate` returns.
    ///
    /// # Examples
    ///
    /// An error of the application that carries the refusal of an inner breaker:
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// #[error("no answer: {0}")]
    /// struct NoAnswer(#[from] BreakerError);
    ///
    /// let breaker = CircuitBreaker::builder()
    ///     .ignored_error_if(|error: &NoAnswer| breakerbox::is_refusal(error))
    ///     .build()?;
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn ignored_error_if<E: Error + 'static>(
        self,
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.ignore(ErrorRule::error(predicate))
    }

    /// As [`ignored_error_if`](Self::ignored_error_if), for a type that does not implement
    /// [`Error`].
    pub fn ignored_value_if<E: 'static>(
        self,
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.ignore(ErrorRule::value(predicate))
    }

    fn ignore(mut self, rule: ErrorRule) -> Self {
        let rules = self.settings.error_rules.get_or_insert_default();
        rules.ignore(rule);
        self
    }

    /// Drops the error rules of the [layers](crate::BreakerRegistry#layers-of-settings) below, expected and
    /// ignored. The rules of this builder stay.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::builder()
    ///     .default_preset(CircuitBreaker::builder().expected_error::<std::io::Error>())
    ///     .build()?;
    /// let every_error = CircuitBreaker::builder().own_error_rules();
    /// let parser = registry.breaker_with("parser", || every_error);
    /// let _ = parser.call(|| "x".parse::<u8>());
    /// assert_eq!(parser.failure_count(), 1);
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn own_error_rules(mut self) -> Self {
        self.settings.error_rules.get_or_insert_default().is_own = true;
        self
    }

    /// Empties the builder. In [`configure`](crate::CircuitBreaker::configure), the breaker drops what code
    /// said for its name, and inherits the settings of the
    /// [layers](crate::BreakerRegistry#layers-of-settings) below.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let users = CircuitBreaker::builder().failure_threshold(20).build()?;
    /// users.configure(|settings| settings.inherit().half_open_calls(2))?;
    /// assert_eq!(users.config().trip_rules(), [TripRule::consecutive_failures(5)]);
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn inherit(mut self) -> Self {
        self.settings = PartialSettings::default();
        self.inherits = true;
        self
    }

    /// What an error counts as that is not expected: [`Outcome::Success`] (the dependency
    /// answered; default, as in the originals) or [`Outcome::Ignored`].
    pub fn unexpected_errors_as(mut self, outcome: Outcome) -> Self {
        self.settings.unexpected_errors_as = Some(outcome);
        self
    }

    /// What a dropped call counts as. Default: [`Outcome::Ignored`].
    pub fn cancelled_as(mut self, outcome: Outcome) -> Self {
        self.settings.cancelled_as = Some(outcome);
        self
    }

    /// A call dropped after it ran at least so long is a failure, whatever
    /// [`cancelled_as`](Self::cancelled_as) says. Default: off.
    pub fn cancelled_after(mut self, time: Duration) -> Self {
        self.settings.cancelled_after = Some(time);
        self
    }

    /// Where the breaker rests. Default: [`Mode::Enforcing`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.settings.mode = Some(mode);
        self
    }

    /// Whether successes are added to the totals. Default: true. Without, a healthy call writes to
    /// no shared memory.
    pub fn count_successes(mut self, count: bool) -> Self {
        self.settings.count_successes = Some(count);
        self
    }

    /// Whether the `Debug` text of the last failure is kept, up to 128 bytes. Default: true. Turn it
    /// off, or [redact](Self::redact_last_failure), where errors may hold secrets.
    pub fn capture_last_failure(mut self, capture: bool) -> Self {
        self.settings.capture_last_failure = Some(capture);
        self
    }

    /// Rewrites the text of the last failure before it is kept: `redact` gets the first 128 bytes
    /// of the `Debug` text, and of what it returns 128 bytes are kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder()
    ///     .redact_last_failure(|text| text.replace("hunter2", "***"))
    ///     .build()?;
    /// let _ = breaker.call(|| Err::<(), _>("wrong password hunter2"));
    /// assert_eq!(breaker.last_failure().as_deref(), Some("\"wrong password ***\""));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn redact_last_failure(
        mut self,
        redact: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        self.settings.redact_last_failure = Some(Redaction::new(redact));
        self
    }

    /// Calls `listener` with every event of the breaker, outside every lock, on the thread of a call.
    ///
    /// State changes arrive in their order. A call delivers at most what is queued when it comes to
    /// deliver, and at most 32 state changes; the next call delivers more. The queue has room for 1,024
    /// state changes, and [`Event::Missed`] reports what was dropped. A slow listener delays the call that runs it: slow
    /// work belongs behind a [stream](crate::CircuitBreaker::subscribe_changes). A panic is caught and
    /// becomes [`Event::ListenerPanicked`].
    ///
    /// A listener may call breakers and give them commands. Listeners that run because of such calls
    /// are nested at most four deep on one thread. Beyond that, only streams get the events of calls,
    /// and state changes wait for the next event or call of their breaker.
    pub fn on_event(self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.push_listener(Listener::new(CallInterest::Events, listener))
    }

    /// Calls `listener` like [`on_event`](Self::on_event), except for the events of single calls:
    /// [`Recorded`](Event::Recorded) and [`Refused`](Event::Refused). Calls cost the same as without
    /// the listener.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let breaker = CircuitBreaker::builder()
    ///     .on_change(|event| eprintln!("{event:?}"))
    ///     .build()?;
    /// assert!(breaker.call(|| "7".parse::<u8>()).is_ok());     // calls nothing
    /// breaker.trip();                                          // prints the state change
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn on_change(self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.push_listener(Listener::new(CallInterest::None, listener))
    }

    fn push_listener(mut self, listener: Listener) -> Self {
        self.settings
            .listeners
            .get_or_insert_default()
            .push(listener);
        self
    }

    /// The clock that the breaker goes by. Default: the registry's, else the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(ClockSource::custom(clock));
        self
    }
}
