//! Settings of a breaker: collected by [`BreakerBuilder`], merged in layers into a
//! [`BreakerConfig`].
//!
//! * `partial`: the list of settings and how each of them merges
//! * `rule_changes`, `redaction`: settings that are more than a plain value
//! * `layer`: partial settings with their place of origin, and the layers of one name
//! * `check`: validation of each setting
//! * `overruled`: a setting from code that a document overrides
//! * `explain`: the settings of a breaker with the layers that set them

mod builder;
mod check;
mod explain;
mod layer;
#[cfg(feature = "serde")]
mod overruled;
mod partial;
mod redaction;
mod rule_changes;

pub use builder::BreakerBuilder;
pub(crate) use check::name as check_name;
pub use explain::Explanation;
pub(crate) use layer::{Contradiction, Layer, Level, NameLayers, Origin};
#[cfg(feature = "serde")]
pub use overruled::Overruled;
pub(crate) use partial::PartialSettings;
#[cfg(feature = "serde")]
pub(crate) use {check::MAX_RULES, rule_changes::RuleChanges};

use crate::backoff::Backoff;
use crate::classify::{ErrorClassifier, Outcome};
use crate::clock::ClockSource;
use crate::error::ConfigError;
use crate::event::Listener;
use crate::rules::{RuleKind, TripRule};
#[cfg(feature = "fleet")]
use crate::share::Share;
use crate::state::{Flags, Mode};
use crate::text::TruncatedString;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const FAILURE_THRESHOLD: u32 = 5;
pub(crate) const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_TRIP_FOR: Duration = Duration::from_secs(60 * 60);
const HALF_OPEN_CALLS: u32 = 1;
const MIN_TRIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The validated, immutable settings of a breaker.
///
/// [`CircuitBreaker::config`](crate::CircuitBreaker::config) returns the current settings, and
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
#[derive(Clone)]
pub struct BreakerConfig {
    /// The settings of all layers, merged.
    settings: PartialSettings,
    rules: Vec<TripRule>,
    summary: RuleSummary,
    clock: Option<ClockSource>,
    level: Level,
}

/// Properties of the rules that calls need, computed once.
#[derive(Clone, Copy, Debug)]
struct RuleSummary {
    failure_threshold: Option<u32>,
    slower_than: Option<Duration>,
    has_windows: bool,
    is_over_time: bool,
}

impl RuleSummary {
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

impl BreakerConfig {
    /// Merges `level` over the levels below it and checks the result.
    pub(crate) fn merge(level: Level) -> Result<Self, ConfigError> {
        let (mut settings, mut clock) = match &level.beneath {
            Some(beneath) => (beneath.settings.clone(), beneath.clock.clone()),
            None => (PartialSettings::default(), None),
        };
        for layer in level.layers() {
            layer.check_each()?;
            settings.merge(&layer.settings);
            clock = layer.clock.clone().or(clock);
        }
        settings
            .check_together()
            .map_err(|error| level.locate(error))?;
        let rules = match &settings.trip_rules {
            Some(changes) => changes.rules().to_vec(),
            None => vec![TripRule::consecutive_failures(FAILURE_THRESHOLD)],
        };
        Ok(Self {
            summary: RuleSummary::of(&rules),
            settings,
            rules,
            clock,
            level,
        })
    }

    /// Checks the settings of a breaker that belongs to no registry.
    pub(crate) fn of(layer: Layer) -> Result<Self, ConfigError> {
        Self::merge(Level {
            code: layer.into(),
            is_of_name: true,
            ..Level::default()
        })
    }

    /// Checks the settings of a builder.
    #[track_caller]
    pub(crate) fn from_builder(builder: BreakerBuilder) -> Result<Self, ConfigError> {
        Self::of(Layer::new(builder, Origin::Build(Location::caller())))
    }

    /// Returns `true` if both have the same settings, even if the layers differ.
    pub(crate) fn has_settings_of(&self, other: &Self) -> bool {
        self.settings == other.settings
    }

    /// Returns the layers from code for the name of the breaker.
    pub(crate) fn name_layers(&self) -> NameLayers {
        if self.level.is_of_name {
            self.level.code.clone()
        } else {
            NameLayers::default()
        }
    }

    /// Returns a copy whose layers from code for this name are replaced by `code`.
    ///
    /// These layers lie above the default and the presets, and below the document.
    pub(crate) fn with_name_layers(
        self: &Arc<Self>,
        code: NameLayers,
    ) -> Result<Arc<Self>, ConfigError> {
        let level = if self.level.is_of_name {
            Level {
                code,
                ..self.level.clone()
            }
        } else {
            Level {
                beneath: Some(self.clone()),
                code,
                document: Vec::new(),
                is_of_name: true,
            }
        };
        Self::merge(level).map(Arc::new)
    }

    /// Returns the settings of the code layer `layer` that the document overrides.
    pub(crate) fn overridden_by_document(&self, layer: &PartialSettings) -> Option<Contradiction> {
        self.level.overridden_by_document(layer)
    }

    /// Returns the code settings that the document overrides for the same default, prefix or name.
    #[cfg(feature = "serde")]
    pub(crate) fn overruled(&self) -> Vec<Overruled> {
        self.level.overruled()
    }

    /// Returns all layers from highest to lowest.
    fn layers_from_top(&self) -> Vec<&Layer> {
        let levels = std::iter::successors(Some(self), |config| config.level.beneath.as_deref());
        let layers = levels.flat_map(|config| config.level.layers().rev());
        layers.map(|layer| &**layer).collect()
    }

    /// Returns the settings of all layers, merged.
    #[cfg(feature = "serde")]
    pub(crate) fn settings(&self) -> &PartialSettings {
        &self.settings
    }

    /// Describes the setting called `key`, with one text for each part.
    pub(crate) fn describe(&self, key: &str) -> Vec<String> {
        let named = self.settings.describe(key);
        named.unwrap_or_else(|| PartialSettings::describe_default(self, key))
    }

    /// Returns each setting with its value and the layer that set it.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// registry.preset_for("http:", CircuitBreaker::builder().failure_threshold(3))?;
    /// let users = registry.register("http:users", CircuitBreaker::builder().half_open_calls(2))?;
    ///
    /// let explanation = users.config().explain();
    /// let (value, layer) = explanation.get("half_open_calls").unwrap();
    /// assert_eq!(value, "2");
    /// assert!(layer.starts_with("register at "));
    /// let (value, layer) = explanation.get("trip_rules").unwrap();
    /// assert_eq!(value, "3 consecutive failures");
    /// assert!(layer.starts_with("preset_for(\"http:\") at "));
    /// # Ok::<(), breakerbox::RegistryError>(())
    /// ```
    pub fn explain(&self) -> Explanation {
        Explanation::of(self)
    }

    /// Returns the rules that open the circuit, including the default rule if no rule was set.
    pub fn trip_rules(&self) -> &[TripRule] {
        &self.rules
    }

    /// Returns the backoff that determines how long the circuit stays open.
    pub fn recovery_backoff(&self) -> Backoff {
        self.settings
            .recovery_backoff
            .unwrap_or(Backoff::constant(RECOVERY_TIMEOUT))
    }

    /// Returns how long the circuit must stay closed before the backoff starts over.
    ///
    /// `None` stands for the backoff delay of the most recent opening, without jitter.
    pub fn reset_backoff_after(&self) -> Option<Duration> {
        self.settings.reset_backoff_after
    }

    /// Returns how long a circuit that has closed admits only a share of the calls, if it does.
    pub fn ramp_up(&self) -> Option<Duration> {
        self.settings.ramp_up
    }

    /// Returns the longest time for which [`Outcome::TripFor`] may open the circuit.
    pub fn max_trip_for(&self) -> Duration {
        self.settings.max_trip_for.unwrap_or(MAX_TRIP_FOR)
    }

    /// Returns the number of trials that a half-open circuit admits.
    pub fn half_open_calls(&self) -> u32 {
        self.settings.half_open_calls.unwrap_or(HALF_OPEN_CALLS)
    }

    /// Returns the number of successful trials that close the circuit.
    pub fn success_threshold(&self) -> u32 {
        self.settings
            .success_threshold
            .unwrap_or(self.half_open_calls())
    }

    /// Returns the lease of a trial.
    ///
    /// When the lease has elapsed since the most recent trial was admitted, other calls may take
    /// the slots of the trials in flight.
    pub fn trial_timeout(&self) -> Duration {
        self.settings
            .trial_timeout
            .unwrap_or_else(|| self.recovery_backoff().first.max(MIN_TRIAL_TIMEOUT))
    }

    /// Returns how an error is recorded that is not expected.
    pub fn unexpected_errors_as(&self) -> Outcome {
        self.settings
            .unexpected_errors_as
            .unwrap_or(Outcome::Success)
    }

    /// Returns how a dropped call is recorded.
    pub fn cancelled_as(&self) -> Outcome {
        self.settings.cancelled_as.unwrap_or(Outcome::Ignored)
    }

    /// Returns the running time from which a dropped call is recorded as a failure, if there is
    /// one.
    pub fn cancelled_after(&self) -> Option<Duration> {
        self.settings.cancelled_after
    }

    /// Returns the mode of the breaker.
    pub fn mode(&self) -> Mode {
        self.settings.mode.unwrap_or_default()
    }

    /// Returns `true` if successes are added to the totals.
    pub fn count_successes(&self) -> bool {
        self.settings.count_successes.unwrap_or(true)
    }

    /// Returns `true` if the text of the last failure is kept.
    pub fn capture_last_failure(&self) -> bool {
        self.settings.capture_last_failure.unwrap_or(true)
    }

    /// Returns how the circuit is shared with a fleet, or `None` if the fleet decides.
    #[cfg(feature = "fleet")]
    pub fn fleet(&self) -> Option<Share> {
        self.settings.fleet
    }

    pub(crate) fn error_rules(&self) -> &ErrorClassifier {
        static NONE: ErrorClassifier = ErrorClassifier::none();
        self.settings.error_rules.as_ref().unwrap_or(&NONE)
    }

    pub(crate) fn listeners(&self) -> &[Listener] {
        self.settings.listeners.as_deref().unwrap_or_default()
    }

    pub(crate) fn clock(&self) -> Option<&ClockSource> {
        self.clock.as_ref()
    }

    /// Returns `true` if both share the same redaction closure.
    pub(crate) fn has_redaction_of(&self, other: &Self) -> bool {
        self.settings.redact_last_failure == other.settings.redact_last_failure
    }

    /// Writes the redacted text of `error` to `text`, which must be empty.
    ///
    /// Runs user code, so no lock may be held during the call.
    pub(crate) fn write_failure(&self, error: &dyn fmt::Debug, text: &mut TruncatedString) {
        text.push_debug(error);
        if let Some(redaction) = &self.settings.redact_last_failure {
            redaction.rewrite(text);
        }
    }

    /// Returns the lowest threshold among the consecutive rules, if there is one.
    pub(crate) fn failure_threshold(&self) -> Option<u32> {
        self.summary.failure_threshold
    }

    /// Returns `true` if a rule uses a window.
    pub(crate) fn has_windows(&self) -> bool {
        self.summary.has_windows
    }

    /// Returns the shortest limit among the slow-call rules, if there is one.
    pub(crate) fn slower_than(&self) -> Option<Duration> {
        self.summary.slower_than
    }

    /// Returns `true` if a rule or setting depends on the duration of calls.
    pub(crate) fn is_timed(&self) -> bool {
        self.settings.cancelled_after.is_some() || self.slower_than().is_some()
    }

    /// Returns the flags that follow from the settings alone.
    pub(crate) fn flags(&self) -> Flags {
        Flags::COUNT_SUCCESSES.when(self.count_successes()) | Flags::TIMED.when(self.is_timed())
    }

    /// Returns the longest window of time of the rules, if there is one.
    #[cfg(feature = "fleet")]
    pub(crate) fn longest_window(&self) -> Option<Duration> {
        self.trip_rules().iter().filter_map(TripRule::period).max()
    }

    /// Returns `true` if a rule uses a time window, so that the end time of a call matters.
    pub(crate) fn is_over_time(&self) -> bool {
        self.summary.is_over_time
    }
}

impl fmt::Debug for BreakerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut config = f.debug_struct("BreakerConfig");
        for key in PartialSettings::KEYS {
            config.field(key, &format_args!("{}", self.describe(key).join("; ")));
        }
        config.finish()
    }
}

#[cfg(test)]
mod tests;
