//! [`Preset`]: settings that a type names, the counterpart of a Python subclass with class constants.

use crate::config::{self, BreakerBuilder};
use std::time::Duration;

/// Settings that several breakers share, named by a type.
///
/// # Default
///
/// * `FAILURE_THRESHOLD`: 5
/// * `RECOVERY_TIMEOUT`: 30 s
/// * [`customize`](Preset::customize): no other settings
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
    /// The number of consecutive failures that opens the circuit. Default: 5.
    const FAILURE_THRESHOLD: u32 = config::FAILURE_THRESHOLD;

    /// How long the circuit stays open. Default: 30 s.
    const RECOVERY_TIMEOUT: Duration = config::RECOVERY_TIMEOUT;

    /// Adds all other settings to `builder`, which has the constants. Default: adds none.
    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        builder
    }

    /// Returns a builder with the settings of this preset. The caller may change them.
    ///
    /// The builder names the failure threshold, and the recovery timeout if it differs from the default.
    /// Other [layers](crate::BreakerRegistry#layers-of-settings) decide all other settings.
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
