//! What may happen to a breaker.

use crate::settings::{Rule, Settings, distinct};
use breakerbox::CircuitBreaker;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub enum Ending {
    Success,
    Failure,
    Ignored,
    TripFor(Duration),
    Dropped,
}

#[derive(Clone, Copy, Debug)]
pub enum Side {
    Before,
    At,
    After,
}

#[derive(Clone, Copy, Debug)]
pub enum Command {
    Trip,
    TripFor(Duration),
    HalfOpen,
    ForceOpen,
    Disable,
    MetricsOnly,
    Reset,
}

/// Other settings, of which some stay what they were.
#[derive(Clone, Debug)]
pub struct Change {
    pub settings: Settings,
    /// These rules come beside, or instead of, those there are.
    pub rules: Mixture,
    pub keeps_mode: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Mixture {
    Old,
    New,
    OldThenNew,
    NewThenOld,
    /// The old ones with the kinds and thresholds of the new ones, where these suit the windows.
    Rekinded,
}

impl Command {
    pub fn steer(self, breaker: &CircuitBreaker) {
        match self {
            Self::Trip => breaker.trip(),
            Self::TripFor(time) => breaker.trip_for(time),
            Self::HalfOpen => breaker.half_open(),
            Self::ForceOpen => breaker.force_open(),
            Self::Disable => breaker.disable(),
            Self::MetricsOnly => breaker.metrics_only(),
            Self::Reset => breaker.reset(),
        }
    }
}

impl Change {
    /// The settings after it.
    pub fn applied_to(&self, old: &Settings) -> Settings {
        let (before, new) = (&old.rules, &self.settings.rules);
        let both =
            |one: &[Rule], other: &[Rule]| one.iter().chain(other).take(4).copied().collect();
        let rules = match self.rules {
            Mixture::Old => before.clone(),
            Mixture::New => new.clone(),
            Mixture::OldThenNew => both(before, new),
            Mixture::NewThenOld => both(new, before),
            Mixture::Rekinded => before
                .iter()
                .zip(new.iter().cycle())
                .map(|(old, new)| old.rekinded(new))
                .collect(),
        };
        let mode = if self.keeps_mode {
            old.mode
        } else {
            self.settings.mode
        };
        Settings {
            rules: distinct(rules),
            mode,
            ..self.settings.clone()
        }
    }
}
