//! [`Tuned`]: the settings that were chosen, and how far to trust them.

use crate::outage::Outage;
use crate::spread::Spread;
use breakerbox::BreakerBuilder;
use serde::Serialize;
use std::time::Duration;

/// The settings that a [`Tuner`](crate::Tuner) chose, and how.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Tuned {
    /// What the settings were fitted to, and whether that was verified. The first line to show.
    pub fitted: String,
    /// The name of the breaker.
    pub name: String,
    /// A document that [`BreakerRegistry::apply`](breakerbox::BreakerRegistry::apply) takes.
    pub toml: String,
    /// The number of candidates that were tried.
    pub tried: usize,
    /// The choice.
    pub chosen: TriedCandidate,
    /// The candidates that no other one beats in both costs, by bad calls let through.
    pub front: Vec<TriedCandidate>,
    /// For each outage: what the choice without it would have done in it.
    pub left_out: Vec<LeftOut>,
    /// What must be known before the settings are believed.
    pub caveats: Vec<String>,
    #[serde(skip)]
    pub(super) settings: BreakerBuilder,
}

impl Tuned {
    /// Returns the chosen settings as a builder.
    pub fn settings(&self) -> BreakerBuilder {
        self.settings.clone()
    }
}

/// A candidate, and what it did in all outages and in quiet traffic.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TriedCandidate {
    /// The settings, in words.
    pub label: String,
    /// [`Figures::net_percent`](crate::Figures::net_percent) in 20 runs with slightly other recovery
    /// times. The other figures are those of the run in the middle.
    pub net_percent: Spread<f64>,
    /// The bad calls that were let through.
    pub bad_admitted: u64,
    /// The good calls that were refused.
    pub good_refused: u64,
    /// The time to detect the outage that took longest.
    #[serde(serialize_with = "crate::serial::seconds")]
    pub detected: Duration,
}

/// An outage to which the settings were not fitted, and what they did in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// The outage.
    pub outage: Outage,
    /// The settings that the other outages would have chosen.
    pub label: String,
    /// The bad calls refused minus the cost of the good calls refused, in per cent of the calls in the
    /// outage. Zero is what no breaker achieves.
    pub net_percent: f64,
}

/// The number of outages from which leaving one out says something.
const VERIFIABLE: usize = 3;

/// Says what the settings were fitted to. With few outages, leaving one out says nothing.
pub(super) fn fitted(left_out: &mut Vec<LeftOut>) -> String {
    let count = left_out.len();
    let outages = if count == 1 { "outage" } else { "outages" };
    if count == 0 {
        return "fitted to quiet traffic only: there was no outage".to_owned();
    }
    if count < VERIFIABLE {
        left_out.clear();
        return format!("fitted to {count} {outages}, not verified");
    }
    let nets = left_out.iter().map(|left| left.net_percent);
    let least = nets.clone().fold(f64::INFINITY, f64::min).round() + 0.0;
    let greatest = nets.fold(f64::NEG_INFINITY, f64::max).round() + 0.0;
    format!(
        "fitted to {count} {outages}; fitted to all but one, the settings would have saved {least} to \
         {greatest} % of the calls in the one left out"
    )
}
