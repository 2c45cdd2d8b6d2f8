//! Presets for common kinds of traffic, chosen by measurement.
//!
//! | preset | for |
//! |---|---|
//! | [`Balanced`] | a dependency with several replicas, at five calls per second or more |
//! | [`RareCalls`] | a dependency that is called about once per second, or less often |
//! | [`FailFast`] | a dependency with a fallback, whose answers are nearly as good |
//!
//! The guide's page [presets](https://docs.rs/breakerbox/latest/breakerbox/guide/presets/index.html) shows
//! what each of them does in simulated outages, next to the default. None of them is the default: a breaker
//! without a preset opens after 5 failures in a row and stays open for 30 s.
//!
//! Each preset sets the trip rules and the recovery, and leaves every other setting to the builder. Its rules
//! replace those of [layers](crate::BreakerRegistry#layers-of-settings) below it. Rules that the caller adds
//! to the builder are kept.
//!
//! ```
//! use breakerbox::{Preset, presets::Balanced, prelude::*};
//!
//! let registry = BreakerRegistry::builder()
//!     .preset_for("http:", Balanced::preset())
//!     .build()?;
//! registry.register("search", Balanced::preset().half_open_calls(3))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::backoff::Backoff;
use crate::config::BreakerBuilder;
use crate::preset::Preset;
use crate::rules::{TripRule, Window};
use std::time::Duration;

/// Doubles from one second to half a minute: a wrong opening is short, and a long outage gets few trials.
const BACKOFF: Backoff = Backoff::exponential(FIRST_DELAY).max(Duration::from_secs(30));
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// Opens when most calls fail, and not while some replicas still answer.
///
/// For a dependency with several replicas that a process calls at least five times per second. Below that
/// rate, the minimum of 20 calls in 5 s is seldom reached; see [`RareCalls`].
///
/// # Default
///
/// * `trip_rules`: 10 failures in a row; a failure rate of 60 % over 5 s, from 20 calls on
/// * `recovery_backoff`: 1 s, doubled by each failed recovery, at most 30 s
///
/// # Examples
///
/// ```
/// use breakerbox::{Preset, presets::Balanced};
///
/// let users = Balanced::preset().name("users-api").build()?;
/// assert_eq!(users.config().trip_rules().len(), 2);
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Balanced;

impl Preset for Balanced {
    const FAILURE_THRESHOLD: u32 = 10;
    const RECOVERY_TIMEOUT: Duration = FIRST_DELAY;

    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        let in_a_row = TripRule::consecutive_failures(Self::FAILURE_THRESHOLD);
        let rate = TripRule::failure_rate(0.6).over(Window::time(Duration::from_secs(5)));
        builder
            .trip_rules([in_a_row, rate.minimum_calls(20)])
            .recovery_backoff(BACKOFF)
    }
}

/// Opens after three failures in a row, without a minimum number of calls.
///
/// For a dependency that a process calls about once per second, or once in some seconds. At higher rates,
/// three failures in a row are common in a partial outage; see [`Balanced`]. If calls are minutes apart, add
/// a [`recovery_timeout`](BreakerBuilder::recovery_timeout) of several times that interval: a circuit that
/// stays open for less refuses no call.
///
/// # Default
///
/// * `trip_rules`: 3 failures in a row
/// * `recovery_backoff`: 1 s, doubled by each failed recovery, at most 30 s
///
/// # Examples
///
/// ```
/// use breakerbox::{Preset, presets::RareCalls};
/// use std::time::Duration;
///
/// let reports = RareCalls::preset().recovery_timeout(Duration::from_secs(600)).build()?;
/// assert_eq!(reports.config().recovery_backoff().delay(3), Duration::from_secs(600));
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RareCalls;

impl Preset for RareCalls {
    const FAILURE_THRESHOLD: u32 = 3;
    const RECOVERY_TIMEOUT: Duration = FIRST_DELAY;

    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        let in_a_row = TripRule::consecutive_failures(Self::FAILURE_THRESHOLD);
        builder.trip_rules([in_a_row]).recovery_backoff(BACKOFF)
    }
}

/// Opens when a quarter of the calls fail, and tries again within ten seconds.
///
/// For a dependency with a fallback that is nearly as good, such as a cache or another provider: a refused
/// call costs little, and a failed or slow one costs more. The circuit opens in a partial outage, too, and
/// then refuses most calls until fewer of them fail. Without a fallback, use [`Balanced`].
///
/// # Default
///
/// * `trip_rules`: 5 failures in a row; a failure rate of 25 % over 10 s, from 10 calls on
/// * `recovery_backoff`: 1 s, doubled by each failed recovery, at most 10 s
///
/// # Examples
///
/// ```
/// use breakerbox::{prelude::*, presets::FailFast};
///
/// let registry = BreakerRegistry::builder().preset_for("llm:", FailFast::preset()).build()?;
/// let (index, permit) = registry.first_ready(["llm:eu", "llm:us"])?;
/// # permit.success();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FailFast;

impl Preset for FailFast {
    const RECOVERY_TIMEOUT: Duration = FIRST_DELAY;

    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        let in_a_row = TripRule::consecutive_failures(Self::FAILURE_THRESHOLD);
        let rate = TripRule::failure_rate(0.25).over(Window::time(Duration::from_secs(10)));
        let backoff = Backoff::exponential(FIRST_DELAY).max(Duration::from_secs(10));
        builder
            .trip_rules([in_a_row, rate.minimum_calls(10)])
            .recovery_backoff(backoff)
    }
}
