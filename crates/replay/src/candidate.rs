//! [`Candidate`]: settings that are tried, with a label.

use crate::random::unit_at;
use breakerbox::{BreakerBuilder, BreakerConfig, BreakerRegistry, CircuitBreaker, ConfigError};
use std::fmt;
use std::sync::Arc;

/// Settings that are tried on traffic, with a label.
///
/// A replay calls no listener, classifier or error rule of the settings: the traffic says how each
/// call ended. All other settings apply.
///
/// # Examples
///
/// ```
/// use breakerbox::{BreakerRegistry, CircuitBreaker, Preset, presets::Balanced};
/// use breakerbox_replay::Candidate;
///
/// let balanced = Candidate::new("balanced", Balanced::preset())?;
/// assert_eq!(balanced.label(), "balanced");
///
/// // The settings that each name has in a registry, for example from a document.
/// let registry = BreakerRegistry::new();
/// registry.preset_for("http:", CircuitBreaker::builder().failure_threshold(3))?;
/// let production = Candidate::of_registry("production", &registry);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a candidate does nothing until it is passed to a replay"]
pub struct Candidate {
    label: Arc<str>,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Same(Arc<BreakerConfig>),
    Registry(BreakerRegistry),
}

impl Candidate {
    /// Creates a candidate with the same settings for all names.
    ///
    /// # Errors
    ///
    /// Returns an error if the settings are invalid.
    pub fn new(label: impl Into<Arc<str>>, settings: BreakerBuilder) -> Result<Self, ConfigError> {
        Ok(Self {
            label: label.into(),
            source: Source::Same(settings.build()?.config()),
        })
    }

    /// Creates a candidate with the settings that `registry` has for each name. Breakers are created
    /// in the registry for the names of the traffic.
    pub fn of_registry(label: impl Into<Arc<str>>, registry: &BreakerRegistry) -> Self {
        Self {
            label: label.into(),
            source: Source::Registry(registry.clone()),
        }
    }

    /// Returns the label.
    pub fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn config(&self, name: &str) -> Arc<BreakerConfig> {
        match &self.source {
            Source::Same(config) => config.clone(),
            Source::Registry(registry) => registry.breaker(name).config(),
        }
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Candidate").field(&self.label).finish()
    }
}

/// Returns a builder with the settings of `config` that a replay uses. All recovery times are
/// multiplied by `scale`, and the jitter follows from `seed`.
pub(crate) fn builder_of(config: &BreakerConfig, scale: f64, seed: u64) -> BreakerBuilder {
    let mut backoff = config.recovery_backoff().jitter_seed(seed);
    #[allow(clippy::float_cmp)] // the shift in the middle is exactly one
    if scale != 1.0 {
        backoff = backoff.scaled(scale);
    }
    let mut builder = CircuitBreaker::builder()
        .trip_rules(config.trip_rules().iter().copied())
        .recovery_backoff(backoff)
        .max_trip_for(config.max_trip_for())
        .half_open_calls(config.half_open_calls())
        .success_threshold(config.success_threshold())
        .trial_timeout(config.trial_timeout())
        .cancelled_as(config.cancelled_as())
        .mode(config.mode())
        .capture_last_failure(false);
    if let Some(time) = config.reset_backoff_after() {
        builder = builder.reset_backoff_after(time);
    }
    if let Some(time) = config.ramp_up() {
        builder = builder.ramp_up(time);
    }
    if let Some(time) = config.cancelled_after() {
        builder = builder.cancelled_after(time);
    }
    builder
}

/// Returns the seed of the jitter of the breaker with the number `key`. With one seed for all, all
/// instances would try again at the same time.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a seed
pub(crate) fn jitter_seed(seed: u64, key: u32) -> u64 {
    (unit_at(seed, u64::from(key)) * 9_007_199_254_740_992.0) as u64
}
