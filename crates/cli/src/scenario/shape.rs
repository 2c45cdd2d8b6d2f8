//! [`Shape`]: kinds of outages by name.

use super::phase::{Bursts, Kind, Phase};
use clap::ValueEnum;
use std::time::Duration;

/// A kind of outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// No outage
    Healthy,
    /// All calls fail for two minutes
    Full,
    /// One replica of three is down for two minutes
    Partial,
    /// Over five minutes, more and more calls fail
    Gradual,
    /// Ten seconds of outage and ten of health, for two minutes
    Flapping,
    /// Nine calls of ten take two seconds, for two minutes
    Slow,
    /// No outage, but bursts of twenty times the rate
    Bursts,
    /// Forty minutes with four outages of different kinds
    Mixed,
}

impl Shape {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Full => "full",
            Self::Partial => "partial",
            Self::Gradual => "gradual",
            Self::Flapping => "flapping",
            Self::Slow => "slow",
            Self::Bursts => "bursts",
            Self::Mixed => "mixed",
        }
    }

    pub(super) fn phases(self) -> Vec<Phase> {
        let phase = |seconds, kind| Phase { seconds, kind };
        match self {
            Self::Healthy | Self::Bursts => Vec::new(),
            Self::Full => vec![phase(60..180, Kind::Outage(1.0))],
            Self::Partial => vec![phase(60..180, Kind::OneOfMany(3))],
            Self::Gradual => vec![phase(60..360, Kind::Gradual(1.0))],
            Self::Flapping => vec![phase(60..180, Kind::Flapping(Duration::from_secs(10)))],
            Self::Slow => vec![phase(60..180, Kind::Slow(0.9, Duration::from_secs(2)))],
            Self::Mixed => vec![
                phase(300..420, Kind::Outage(1.0)),
                phase(900..1_080, Kind::OneOfMany(3)),
                phase(1_500..1_620, Kind::Outage(0.7)),
                phase(2_100..2_280, Kind::Outage(0.9)),
            ],
        }
    }

    pub(super) fn bursts(self) -> Option<Bursts> {
        (self == Self::Bursts).then_some(Bursts {
            every: Duration::from_secs(10),
            length: Duration::from_secs(1),
            factor: 20.0,
        })
    }
}
