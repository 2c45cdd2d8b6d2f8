use super::PartialSettings;
use super::redaction::Redaction;
use super::rule_changes::RuleChanges;
use crate::backoff::Backoff;
use crate::classify::{ErrorRule, Outcome};
use crate::clock::{Clock, ClockSource};
use crate::event::{CallInterest, Event, Listener};
use crate::rules::TripRule;
#[cfg(feature = "fleet")]
use crate::share::Share;
use crate::state::Mode;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Collects the settings of a breaker.
///
/// Values are not checked until [`build`](BreakerBuilder::build) is called or the builder is passed
/// to a [`BreakerRegistry`](crate::BreakerRegistry).
///
/// # Default
///
/// * The circuit opens after 5 consecutive failures. Every `Err` is a failure.
/// * It becomes half-open after 30 seconds and admits one trial. If the trial succeeds, the circuit
///   closes.
/// * A dropped call is ignored.
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
#[must_use = "a builder does nothing until it is built or passed to a registry"]
pub struct BreakerBuilder {
    pub(crate) settings: PartialSettings,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) clock: Option<ClockSource>,
    /// Whether `configure` first removes all settings that code gave for the name.
    pub(crate) inherits: bool,
}

impl BreakerBuilder {
    /// Creates a builder that starts with `settings`.
    pub(crate) fn from_settings(settings: PartialSettings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Sets the name of the breaker, 1 to 256 bytes. Default: `unnamed`.
    ///
    /// A registry ignores this name and uses the name under which it stores the breaker.
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(name.as_ref().into());
        self
    }

    /// Opens the circuit after `failures` consecutive failures, at least 1. Default: 5.
    ///
    /// Replaces an earlier consecutive rule and keeps all other rules.
    pub fn failure_threshold(mut self, failures: u32) -> Self {
        let rules = self.settings.trip_rules.get_or_insert_default();
        rules.set_failure_threshold(failures);
        self
    }

    /// Adds a rule. The circuit opens as soon as any of its rules trips.
    ///
    /// The default rule, 5 consecutive failures, applies only if no rule is set. A breaker has at most
    /// 32 rules.
    pub fn trip_when(mut self, rule: TripRule) -> Self {
        self.settings.trip_rules.get_or_insert_default().add(rule);
        self
    }

    /// Replaces all rules. At least one and at most 32 rules are required.
    pub fn trip_rules(mut self, rules: impl IntoIterator<Item = TripRule>) -> Self {
        self.settings.trip_rules = Some(RuleChanges::exactly(rules));
        self
    }

    /// Sets how long the circuit stays open, with the same delay each time. Default: 30 seconds.
    ///
    /// With [`Duration::MAX`], the circuit stays open until a command changes its state.
    pub fn recovery_timeout(self, timeout: Duration) -> Self {
        self.recovery_backoff(Backoff::constant(timeout))
    }

    /// Sets how long the circuit stays open as a function of consecutive failed recoveries.
    ///
    /// Replaces [`recovery_timeout`](Self::recovery_timeout). Default: 30 seconds each time.
    pub fn recovery_backoff(mut self, backoff: Backoff) -> Self {
        self.settings.recovery_backoff = Some(backoff);
        self
    }

    /// Sets how long the circuit must stay closed before the [backoff](Self::recovery_backoff)
    /// starts over.
    ///
    /// Default: the backoff delay of the most recent opening, without jitter and without a
    /// [requested delay](Outcome::TripFor).
    ///
    /// A circuit that opens again earlier continues with the next, longer delay. This protects a
    /// dependency that answers its trial and then fails again. With [`Duration::MAX`], the backoff
    /// starts over only after [`reset`](crate::CircuitBreaker::reset), after
    /// [`half_open`](crate::CircuitBreaker::half_open), or when the mode changes.
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

    /// Admits a growing share of the calls after the trials have closed the circuit, from a tenth to
    /// all of them over `time`. 1 ms to 366 days; default: off.
    ///
    /// A dependency that has just returned may have empty caches and few connections. If it gets
    /// all calls at once, it may fail again.
    ///
    /// The share grows linearly. A counter selects the calls: at a given share `s`, the call after
    /// `n` others is admitted if `floor((n + 1) · s)` is greater than `floor(n · s)`. The first call
    /// of each twentieth of `time` is always admitted. The other calls are refused with [`Refusal::RampingUp`](crate::Refusal::RampingUp) and a `retry_after` of a
    /// twentieth of `time`, at most a second. They enter no window.
    ///
    /// While it ramps up, the circuit is [closed](crate::State::Closed), and opens by the same
    /// rules. Any state change, any command that has an effect on a closed circuit, and settings
    /// without `ramp_up` end the ramp-up. A ramp-up keeps the length with which it began. A circuit
    /// that a command has closed does not ramp up.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::clock::ManualClock;
    /// use breakerbox::{CircuitBreaker, Refusal, State};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::new();
    /// let breaker = CircuitBreaker::builder()
    ///     .ramp_up(Duration::from_secs(20))
    ///     .clock(clock.clone())
    ///     .build()?;
    /// breaker.half_open();
    /// breaker.try_acquire()?.success();                       // the trial closes the circuit
    /// assert_eq!(breaker.state(), State::Closed);
    /// assert_eq!(breaker.snapshot().ramp_up_share, Some(0.1));
    ///
    /// breaker.try_acquire()?.success();                       // the first call of a twentieth
    /// let refused = breaker.try_acquire().unwrap_err();
    /// assert_eq!(refused.reason(), Refusal::RampingUp);
    /// assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
    ///
    /// clock.advance(Duration::from_secs(20));
    /// breaker.try_acquire()?.success();                       // all calls are admitted again
    /// assert_eq!(breaker.snapshot().ramp_up_share, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ramp_up(mut self, time: Duration) -> Self {
        self.settings.ramp_up = Some(time);
        self
    }

    /// Sets the longest time for which [`Outcome::TripFor`] may open the circuit. Default: 1 hour.
    ///
    /// The limit exists because the requested time usually comes from the dependency.
    pub fn max_trip_for(mut self, longest: Duration) -> Self {
        self.settings.max_trip_for = Some(longest);
        self
    }

    /// Sets how many trials a half-open circuit admits, from 1 to 1,000. Default: 1.
    ///
    /// The limit applies to all trials of one half-open period, in flight or already recorded.
    pub fn half_open_calls(mut self, calls: u32) -> Self {
        self.settings.half_open_calls = Some(calls);
        self
    }

    /// Sets how many successful trials close the circuit, from 1 to
    /// [`half_open_calls`](Self::half_open_calls). Default: all of them.
    pub fn success_threshold(mut self, successes: u32) -> Self {
        self.settings.success_threshold = Some(successes);
        self
    }

    /// Sets the lease of a trial. Default: the recovery timeout, but at least 30 seconds.
    ///
    /// When the lease has elapsed since the most recent trial was admitted, the slots of all trials
    /// in flight become available to other calls.
    ///
    /// The outcome of a trial that outlives its lease still counts during the same half-open
    /// period. The first time in a period that trials lose their slots, [`Event::TrialsOutlived`]
    /// is sent.
    pub fn trial_timeout(mut self, timeout: Duration) -> Self {
        self.settings.trial_timeout = Some(timeout);
        self
    }

    /// Classifies errors of type `E` as failures, also
    /// [inside other errors](Self::expected_error_if).
    ///
    /// As soon as at least one expected error is set, no other error is a failure. Default: every
    /// error is a failure.
    pub fn expected_error<E: Error + 'static>(self) -> Self {
        self.expected_error_if(|_: &E| true)
    }

    /// Classifies errors of type `E` as failures if `predicate` returns `true`.
    ///
    /// The rule also finds an `E` inside `Box`, `Arc`, `Rc` and
    /// [`BreakerError`](crate::BreakerError), nested up to four levels deep. It searches the
    /// sources of a boxed error, an `io::Error`, an `anyhow::Error`, and every error type that a
    /// rule of this breaker names. The outermost `E` decides.
    ///
    /// If the predicate panics, the call is recorded as ignored and the panic propagates.
    pub fn expected_error_if<E: Error + 'static>(
        self,
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.expect(ErrorRule::error(predicate))
    }

    /// Classifies values of type `E` as failures if `predicate` returns `true`.
    ///
    /// This is the counterpart of [`expected_error_if`](Self::expected_error_if) for types that do
    /// not implement [`Error`], such as `String`. The rule matches the error itself, or an `E`
    /// inside `Box`, `Arc`, `Rc` or [`BreakerError`](crate::BreakerError).
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

    /// Ignores errors of type `E`, also [inside other errors](Self::expected_error_if).
    ///
    /// An ignored error says nothing about the health of the dependency. Ignored rules take
    /// precedence over expected ones.
    pub fn ignored_error<E: Error + 'static>(self) -> Self {
        self.ignored_error_if(|_: &E| true)
    }

    /// Ignores errors of type `E` if `predicate` returns `true`, also
    /// [inside other errors](Self::expected_error_if).
    ///
    /// The rule also registers the type `E`. Refusals by inner breakers, and errors that other
    /// rules name, are then found among the sources of an `E`, regardless of what `predicate`
    /// returns.
    ///
    /// # Examples
    ///
    /// An application error that wraps a refusal by an inner breaker:
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

    /// Ignores values of type `E` if `predicate` returns `true`.
    ///
    /// This is the counterpart of [`ignored_error_if`](Self::ignored_error_if) for types that do
    /// not implement [`Error`].
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

    /// Opens the circuit at once if `predicate` returns how long the dependency asked for no calls.
    ///
    /// The outcome of such a call is [`Outcome::TripFor`] this time, at most
    /// [`max_trip_for`](Self::max_trip_for). If `predicate` returns `None`, the other rules
    /// classify the error as if this rule did not exist. If several rules return a time, the
    /// longest time counts.
    ///
    /// The rule finds an `E` [inside other errors](Self::expected_error_if), like the other rules.
    /// Ignored rules take precedence over this rule. This rule takes precedence over expected rules
    /// and over the `fail_if` of a call. The `classify` of a call replaces all rules.
    ///
    /// If `predicate` panics, the call is recorded as ignored and the panic propagates.
    ///
    /// # Examples
    ///
    /// A preset reads the delay from the errors of a client, so that no call has to:
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use std::time::Duration;
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// #[error("status {status}")]
    /// struct ApiError {
    ///     status: u16,
    ///     retry_after: Option<Duration>,
    /// }
    ///
    /// let registry = BreakerRegistry::builder()
    ///     .preset_for("api:", CircuitBreaker::builder().trip_for_if(|e: &ApiError| e.retry_after))
    ///     .build()?;
    /// let users = registry.breaker("api:users");
    /// let busy = || Err::<(), _>(ApiError { status: 429, retry_after: Some(Duration::from_secs(120)) });
    /// let _ = users.call(busy);
    /// assert_eq!(users.state(), State::Open);
    /// assert!(users.open_remaining() > Some(Duration::from_secs(110)));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn trip_for_if<E: Error + 'static>(
        mut self,
        predicate: impl Fn(&E) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        let rules = self.settings.error_rules.get_or_insert_default();
        rules.trip_for(ErrorRule::error(predicate));
        self
    }

    /// Discards all error rules of lower [layers](crate::BreakerRegistry#layers-of-settings). The
    /// rules of this builder remain.
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

    /// Clears the builder, and inherits all settings from lower
    /// [layers](crate::BreakerRegistry#layers-of-settings).
    ///
    /// In [`configure`](crate::CircuitBreaker::configure), this also discards all earlier settings
    /// that code gave for the name of the breaker.
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

    /// Sets how an error is recorded that is not expected. Default: [`Outcome::Success`], because
    /// the dependency answered.
    ///
    /// The other allowed value is [`Outcome::Ignored`].
    pub fn unexpected_errors_as(mut self, outcome: Outcome) -> Self {
        self.settings.unexpected_errors_as = Some(outcome);
        self
    }

    /// Sets how a dropped call is recorded. Default: [`Outcome::Ignored`].
    ///
    /// [`Outcome::TripFor`] is not allowed.
    pub fn cancelled_as(mut self, outcome: Outcome) -> Self {
        self.settings.cancelled_as = Some(outcome);
        self
    }

    /// Records a dropped call as a failure if it ran for at least `time`. Default: off.
    ///
    /// Takes precedence over [`cancelled_as`](Self::cancelled_as).
    pub fn cancelled_after(mut self, time: Duration) -> Self {
        self.settings.cancelled_after = Some(time);
        self
    }

    /// Sets the mode of the breaker. Default: [`Mode::Enforcing`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.settings.mode = Some(mode);
        self
    }

    /// Sets whether successes are added to the totals. Default: `true`.
    ///
    /// With `false`, a healthy call does not write to shared memory.
    pub fn count_successes(mut self, count: bool) -> Self {
        self.settings.count_successes = Some(count);
        self
    }

    /// Sets whether up to 128 bytes of the `Debug` text of the last failure are kept. Default:
    /// `true`.
    ///
    /// If errors may contain secrets, disable this setting or
    /// [redact the text](Self::redact_last_failure).
    pub fn capture_last_failure(mut self, capture: bool) -> Self {
        self.settings.capture_last_failure = Some(capture);
        self
    }

    /// Rewrites the text of the last failure before it is stored. Default: off.
    ///
    /// `redact` receives the first 128 bytes of the `Debug` text. The first 128 bytes of its result
    /// are stored. If `redact` panics, the panic is caught and a placeholder is stored.
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

    /// Sets how the circuit is shared with a fleet. Default: the fleet decides, by the name.
    ///
    /// Takes precedence over the settings of the fleet. Without a fleet, the setting has no effect.
    /// A change of the setting takes effect at once, also for a circuit that is open.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::fleet::Share;
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::builder()
    ///     .preset_for("tenant:", CircuitBreaker::builder().fleet(Share::local()))
    ///     .build()?;
    /// let config = registry.breaker("tenant:42").config();
    /// assert_eq!(config.fleet(), Some(Share::local()));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    #[cfg(feature = "fleet")]
    pub fn fleet(mut self, share: Share) -> Self {
        self.settings.fleet = Some(share);
        self
    }

    /// Calls `listener` with every event of the breaker.
    ///
    /// The listener runs on the thread that made the call, while no internal lock is held. State
    /// changes of one breaker arrive in order.
    ///
    /// A slow listener delays the call that runs it. For slow work, use a
    /// [stream](crate::CircuitBreaker::subscribe_changes) instead. If a listener panics, the panic
    /// is caught and reported as [`Event::ListenerPanicked`].
    ///
    /// A call delivers the state changes that are queued when delivery begins, at most 32 of them.
    /// Later calls deliver the rest. The queue holds 1,024 state changes; [`Event::Missed`] reports
    /// how many were dropped.
    ///
    /// A listener may call breakers and send commands to them. Listeners that run because of such
    /// calls nest at most four levels deep on one thread. Beyond that depth, only streams receive
    /// the events of calls, and state changes stay queued until the next event or call of the same
    /// breaker.
    pub fn on_event(self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.push_listener(Listener::new(CallInterest::Events, listener))
    }

    /// Calls `listener` with every event except those of single calls,
    /// [`Recorded`](Event::Recorded) and [`Refused`](Event::Refused).
    ///
    /// Apart from that, this method behaves like [`on_event`](Self::on_event). The listener adds no
    /// cost to calls.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let breaker = CircuitBreaker::builder()
    ///     .on_change(|event| eprintln!("{event:?}"))
    ///     .build()?;
    /// assert!(breaker.call(|| "7".parse::<u8>()).is_ok());     // does not call the listener
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

    /// Sets the clock of the breaker. Default: the clock of the registry, otherwise the system
    /// clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(ClockSource::custom(clock));
        self
    }
}
