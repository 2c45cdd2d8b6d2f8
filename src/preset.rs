//! Presets: settings under a type's name, as a subclass with class constants is in Python.

use crate::config::{self, BreakerBuilder};
use std::time::Duration;

/// Settings that several breakers share, under the name of a type.
///
/// # Default
///
/// * `FAILURE_THRESHOLD`: 5
/// * `RECOVERY_TIMEOUT`: 30 s
/// * [`customize`](Preset::customize): nothing else
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
/// use std::time::Duration;
///
/// struct PaymentsBreaker;
///
/// impl Preset for PaymentsBreaker {
///     const FAILURE_THRESHOLD: u32 = 10;
///     const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);
///
///     fn customize(builder: BreakerBuilder) -> BreakerBuilder {
///         builder.expected_error::<std::io::Error>()
///     }
/// }
///
/// let registry = BreakerRegistry::new();
/// registry.register("payments", PaymentsBreaker::preset())?;
/// registry.register("refunds", PaymentsBreaker::preset().failure_threshold(3))?;
/// # Ok::<(), breakerbox::RegistryError>(())
/// ```
pub trait Preset {
    /// Consecutive failures that open the circuit.
    const FAILURE_THRESHOLD: u32 = config::FAILURE_THRESHOLD;

    /// How long it stays open.
    const RECOVERY_TIMEOUT: Duration = config::RECOVERY_TIMEOUT;

    /// Everything else. It gets a builder with the constants in place.
    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        builder
    }

    /// Returns a builder with the settings of this preset, still adjustable.
    ///
    /// The builder names the failure threshold, and the recovery timeout where it differs from the default.
    /// Other [layers](crate::BreakerRegistry#layers-of-settings) decide on the settings that it does not name.
    fn preset() -> BreakerBuilder
    where
        Self: Sized,
    {
        let builder = BreakerBuilder::default().failure_threshold(Self::FAILURE_THRESHOLD);
        let builder = if Self::RECOVERY_TIMEOUT == config::RECOVERY_TIMEOUT {
            builder
        } else {
            builder.recovery_timeout(Self::RECOVERY_TIMEOUT)
        };
        Self::customize(builder)
    }
}
