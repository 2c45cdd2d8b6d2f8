//! Operations on a breaker.

use crate::settings::{Rule, Settings, distinct};
use breakerbox::CircuitBreaker;
use std::time::Duration;

/// How a call ends.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    Success,
    Failure,
    Ignored,
    TripFor(Duration),
    Dropped,
}

/// A time at a boundary, or one nanosecond before or after it.
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

/// An order of a fleet. A type of its own, because the fuzz targets build the library without fleets.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    OpenFor(Duration, u32),
    Extend(Duration),
    Try,
    Close,
    Disable,
    Enable,
}

/// New settings, which may keep some of the old ones.
#[derive(Clone, Debug)]
pub struct Change {
    pub settings: Settings,
    /// How the new rules are combined with the old ones.
    pub rules: RuleMix,
    pub keeps_mode: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum RuleMix {
    Old,
    New,
    OldThenNew,
    NewThenOld,
    /// The old windows with the kinds and limits of the new rules, where the windows allow it.
    NewKinds,
}

impl Command {
    pub fn send_to(self, breaker: &CircuitBreaker) {
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
    /// Returns the settings that the change makes of `old`.
    pub fn applied_to(&self, old: &Settings) -> Settings {
        let (before, new) = (&old.rules, &self.settings.rules);
        let both =
            |first: &[Rule], second: &[Rule]| first.iter().chain(second).take(4).copied().collect();
        let rules = match self.rules {
            RuleMix::Old => before.clone(),
            RuleMix::New => new.clone(),
            RuleMix::OldThenNew => both(before, new),
            RuleMix::NewThenOld => both(new, before),
            RuleMix::NewKinds => before
                .iter()
                .zip(new.iter().cycle())
                .map(|(old, new)| old.with_kind_of(new))
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
