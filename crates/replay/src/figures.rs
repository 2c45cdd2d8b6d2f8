//! [`Figures`]: what a breaker did to traffic, and whether that was right.

use serde::Serialize;
use std::time::Duration;

/// What a breaker did to traffic, and whether that was right.
///
/// A call is *bad* if it failed, or would have failed, or took too long; *good* if it succeeded. A
/// refusal is right if the call would have been bad.
///
/// # Examples
///
/// ```
/// use breakerbox::{Preset, presets::Balanced};
/// use breakerbox_replay::Scenario;
/// use std::time::Duration;
///
/// let figures = Scenario::steady(50.0).outage(60..180, 1.0).replay(Balanced::preset());
/// assert!(figures.detected < Duration::from_secs(1));
/// assert!(figures.recovered < Duration::from_secs(40));
/// assert_eq!(figures.false_trips, 0);
/// assert!(figures.net_percent(1.0) > 70.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// All calls.
    pub calls: u64,
    /// The calls that started in an outage.
    pub outage_calls: u64,
    /// The bad calls that the breaker let through.
    pub bad_admitted: u64,
    /// The bad calls that the breaker refused.
    pub bad_refused: u64,
    /// The good calls that the breaker refused during outages: collateral damage.
    pub good_refused_inside: u64,
    /// The good calls that the breaker refused outside outages: false trips, and late recovery.
    pub good_refused_outside: u64,
    /// The refused calls that were ignored or cancelled, and say nothing about the dependency.
    pub other_refused: u64,
    /// The retries that were never made, because the first call of their request was refused.
    pub retries_spared: u64,
    /// How often the closed circuit opened.
    pub openings: u64,
    /// How often the closed circuit opened outside every outage.
    pub false_trips: u64,
    /// How often the circuit opened again after it had closed during the same outage.
    pub flaps: u64,
    /// How often the half-open circuit opened again, because a trial failed.
    pub failed_trials: u64,
    /// The time from the beginning of an outage until the circuit opened, for the outage and the
    /// instance that took longest. [`Duration::MAX`] if an outage was not detected, and zero if there
    /// was none.
    #[serde(serialize_with = "crate::serial::seconds")]
    pub detected: Duration,
    /// The time from the end of an outage until the circuit was closed, for the outage and the
    /// instance that took longest. [`Duration::MAX`] if the circuit was still open at the end of the
    /// traffic.
    #[serde(serialize_with = "crate::serial::seconds")]
    pub recovered: Duration,
    /// The time that the refused bad calls would have kept their callers waiting.
    #[serde(serialize_with = "crate::serial::seconds")]
    pub busy_saved: Duration,
}

impl Figures {
    /// Returns the number of good calls that were refused.
    pub const fn good_refused(&self) -> u64 {
        self.good_refused_inside + self.good_refused_outside
    }

    /// Returns the number of refused calls.
    pub const fn refused(&self) -> u64 {
        self.bad_refused + self.good_refused() + self.other_refused
    }

    /// Returns the bad calls that were refused, minus the good ones, each of which counts as `cost`
    /// bad calls. Zero is what no breaker achieves.
    #[allow(clippy::cast_precision_loss)] // more than 2^53 calls are beyond reach
    pub fn net(&self, cost: f64) -> f64 {
        self.bad_refused as f64 - cost * self.good_refused() as f64
    }

    /// Returns [`net`](Self::net) in per cent of the calls in outages, or of all calls if there was
    /// no outage.
    #[allow(clippy::cast_precision_loss)] // see `net`
    pub fn net_percent(&self, cost: f64) -> f64 {
        let calls = if self.outage_calls > 0 {
            self.outage_calls
        } else {
            self.calls
        };
        100.0 * self.net(cost) / calls.max(1) as f64
    }

    /// Adds the figures of another breaker: sums, and the longest times.
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.outage_calls += other.outage_calls;
        self.bad_admitted += other.bad_admitted;
        self.bad_refused += other.bad_refused;
        self.good_refused_inside += other.good_refused_inside;
        self.good_refused_outside += other.good_refused_outside;
        self.other_refused += other.other_refused;
        self.retries_spared += other.retries_spared;
        self.openings += other.openings;
        self.false_trips += other.false_trips;
        self.flaps += other.flaps;
        self.failed_trials += other.failed_trials;
        self.detected = self.detected.max(other.detected);
        self.recovered = self.recovered.max(other.recovered);
        self.busy_saved = self.busy_saved.saturating_add(other.busy_saved);
    }
}
