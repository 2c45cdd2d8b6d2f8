//! Settings: [`BreakerBuilder`] collects them, [`BreakerConfig`] has been checked and never changes.

mod builder;
mod check;
mod overlay;

pub use builder::BreakerBuilder;
pub(crate) use overlay::Overlay;

use crate::backoff::Backoff;
use crate::classify::{ErrorClassifier, Outcome};
use crate::clock::ClockSource;
use crate::error::ConfigError;
use crate::event::Listener;
use crate::panic::{Contained, catch};
use crate::rules::{RuleKind, TripRule};
use crate::state::{Flags, Mode};
use crate::text::TruncatedString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The settings of a breaker, as somebody wrote them down.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: Option<Arc<str>>,
    /// `None` while nobody named a rule: the default one stands.
    pub(crate) rules: Option<Vec<TripRule>>,
    pub(crate) recovery: Backoff,
    pub(crate) reset_backoff_after: Option<Duration>,
    pub(crate) max_trip_for: Duration,
    pub(crate) half_open_calls: u32,
    pub(crate) success_threshold: Option<u32>,
    pub(crate) trial_timeout: Option<Duration>,
    pub(crate) errors: ErrorClassifier,
    pub(crate) unexpected: Outcome,
    pub(crate) cancelled: Outcome,
    pub(crate) cancelled_after: Option<Duration>,
    pub(crate) mode: Mode,
    pub(crate) count_successes: bool,
    pub(crate) capture_last_failure: bool,
    pub(crate) describe: Describe,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) clock: Option<ClockSource>,
}

impl Settings {
    pub(crate) const FAILURE_THRESHOLD: u32 = 5;
    pub(crate) const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30);
    const MAX_TRIP_FOR: Duration = Duration::from_secs(60 * 60);
    const LEAST_TRIAL_TIMEOUT: Duration = Duration::from_secs(30);
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: None,
            rules: None,
            recovery: Backoff::constant(Self::RECOVERY_TIMEOUT),
            reset_backoff_after: None,
            max_trip_for: Self::MAX_TRIP_FOR,
            half_open_calls: 1,
            success_threshold: None,
            trial_timeout: None,
            errors: ErrorClassifier::default(),
            unexpected: Outcome::Success,
            cancelled: Outcome::Ignored,
            cancelled_after: None,
            mode: Mode::default(),
            count_successes: true,
            capture_last_failure: true,
            describe: Describe::default(),
            listeners: Vec::new(),
            clock: None,
        }
    }
}

/// How an error becomes the text kept as the last failure.
#[derive(Clone, Default)]
pub(crate) struct Describe(Option<Arc<Redaction>>);

type Redaction = dyn Fn(&str) -> String + Send + Sync;

impl Describe {
    pub(crate) fn with(redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let redact = Contained::new(redact);
        Self(Some(Arc::new(move |text: &str| redact(text))))
    }

    /// Whether it is the very same redaction, or none as well.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Writes the text of `error` to `text`, which is empty. User code: never called under a lock.
    pub(crate) fn write(&self, error: &dyn fmt::Debug, text: &mut TruncatedString) {
        text.push_debug(error);
        if let Some(redact) = &self.0 {
            let redacted = catch(|| redact(text.as_str()));
            *text = TruncatedString::empty();
            match redacted {
                Ok(redacted) => text.push(redacted),
                Err(_) => text.push("(its redaction panicked)"),
            }
        }
    }
}

impl fmt::Debug for Describe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Redacted" } else { "AsIs" })
    }
}

/// The checked settings of a breaker; immutable.
///
/// [`CircuitBreaker::config`](crate::CircuitBreaker::config) shows the present ones,
/// [`CircuitBreaker::configure`](crate::CircuitBreaker::configure) replaces them.
///
/// # Examples
///
/// ```
/// use breakerbox::CircuitBreaker;
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::builder().half_open_calls(3).build()?;
/// let config = breaker.config();
/// assert_eq!(config.half_open_calls(), 3);
/// assert_eq!(config.success_threshold(), 3);
/// assert_eq!(config.trial_timeout(), Duration::from_secs(30));
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BreakerConfig {
    pub(crate) settings: Settings,
    rules: Vec<TripRule>,
    gist: Gist,
    pub(crate) source: Source,
}

/// What calls ask of the rules.
#[derive(Clone, Copy, Debug)]
struct Gist {
    failure_threshold: Option<u32>,
    slower_than: Option<Duration>,
    has_windows: bool,
    is_over_time: bool,
}

impl Gist {
    fn of(rules: &[TripRule]) -> Self {
        let thresholds = rules.iter().filter_map(|rule| match rule.kind {
            RuleKind::Consecutive(n) => Some(n),
            _ => None,
        });
        Self {
            failure_threshold: thresholds.min(),
            slower_than: rules.iter().filter_map(|rule| rule.slower_than).min(),
            has_windows: rules.iter().any(|rule| rule.window.is_some()),
            is_over_time: rules.iter().any(TripRule::is_over_time),
        }
    }
}

/// Who gave a breaker its settings.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Somebody, for this very breaker.
    Code,
    /// The registry, for want of others.
    Preset,
    /// A document that names the breaker, laid over these, which are of another source.
    Document(Arc<BreakerConfig>),
}

impl BreakerConfig {
    pub(crate) fn check(settings: Settings) -> Result<Self, ConfigError> {
        check::settings(&settings)?;
        let default = || vec![TripRule::consecutive_failures(Settings::FAILURE_THRESHOLD)];
        let rules = settings.rules.clone().unwrap_or_else(default);
        Ok(Self {
            settings,
            gist: Gist::of(&rules),
            rules,
            source: Source::Code,
        })
    }

    pub(crate) fn from(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// The rules that open the circuit, with their defaults filled in.
    pub fn trip_rules(&self) -> &[TripRule] {
        &self.rules
    }

    /// How long the circuit stays open.
    pub fn recovery_backoff(&self) -> Backoff {
        self.settings.recovery
    }

    /// For how long the circuit must stay closed before the backoff starts over; `None` for the delay of
    /// the latest opening, before jitter.
    pub fn reset_backoff_after(&self) -> Option<Duration> {
        self.settings.reset_backoff_after
    }

    /// The longest that [`Outcome::TripFor`] may open the circuit.
    pub fn max_trip_for(&self) -> Duration {
        self.settings.max_trip_for
    }

    /// Trial calls of a half-open period.
    pub fn half_open_calls(&self) -> u32 {
        self.settings.half_open_calls
    }

    /// Successes among them that close the circuit.
    pub fn success_threshold(&self) -> u32 {
        self.settings
            .success_threshold
            .unwrap_or(self.settings.half_open_calls)
    }

    /// How long after the latest admission the trials in flight are given up.
    pub fn trial_timeout(&self) -> Duration {
        self.settings.trial_timeout.unwrap_or_else(|| {
            self.settings
                .recovery
                .first
                .max(Settings::LEAST_TRIAL_TIMEOUT)
        })
    }

    /// What an error counts as that no rule expects.
    pub fn unexpected_errors_as(&self) -> Outcome {
        self.settings.unexpected
    }

    /// What a dropped call counts as.
    pub fn cancelled_as(&self) -> Outcome {
        self.settings.cancelled
    }

    /// From which running time on a dropped call counts as a failure.
    pub fn cancelled_after(&self) -> Option<Duration> {
        self.settings.cancelled_after
    }

    /// Where the breaker rests.
    pub fn mode(&self) -> Mode {
        self.settings.mode
    }

    /// Whether successes are added to the totals.
    pub fn count_successes(&self) -> bool {
        self.settings.count_successes
    }

    /// Whether the text of the last failure is kept.
    pub fn capture_last_failure(&self) -> bool {
        self.settings.capture_last_failure
    }

    /// The lowest of the consecutive rules, if there is one.
    pub(crate) fn failure_threshold(&self) -> Option<u32> {
        self.gist.failure_threshold
    }

    /// Whether a rule looks at more than consecutive failures.
    pub(crate) fn has_windows(&self) -> bool {
        self.gist.has_windows
    }

    /// What a call is slow beyond, by the strictest slow-call rule.
    pub(crate) fn slower_than(&self) -> Option<Duration> {
        self.gist.slower_than
    }

    /// Whether somebody asks how long calls take.
    pub(crate) fn is_timed(&self) -> bool {
        self.settings.cancelled_after.is_some() || self.slower_than().is_some()
    }

    /// The flags that follow from the settings alone.
    pub(crate) fn flags(&self) -> Flags {
        Flags::COUNT_SUCCESSES.when(self.settings.count_successes)
            | Flags::TIMED.when(self.is_timed())
    }

    /// Whether it matters when a call ended.
    pub(crate) fn is_over_time(&self) -> bool {
        self.gist.is_over_time
    }
}

#[cfg(test)]
mod tests;
