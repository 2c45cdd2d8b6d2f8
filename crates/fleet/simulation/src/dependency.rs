//! [`Dependency`]: what the calls of a circuit reach, and when it fails.

use breakerbox::Outcome;
use std::time::Duration;

/// A dependency with outages.
#[derive(Clone, Debug, Default)]
pub struct Dependency {
    /// The outages, in the order of their times.
    pub outages: Vec<Outage>,
    /// The nodes whose own path to the dependency is broken: all of their calls fail.
    pub bad_nodes: Vec<usize>,
    /// The share of calls that fail without an outage.
    pub noise: f64,
}

/// An outage: calls fail that are made between two times.
#[derive(Clone, Copy, Debug)]
pub struct Outage {
    /// The start.
    pub from: Duration,
    /// The end.
    pub until: Duration,
    /// How calls fail.
    pub manner: Manner,
}

/// How calls fail during an outage.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// At once.
    Fails,
    /// With a hint when to call again, like `Retry-After`.
    Asks(Duration),
    /// After some seconds.
    Hangs,
    /// Only during every second period of this length.
    Flaps(Duration),
}

impl Dependency {
    /// Returns how long a call takes that starts now, and its outcome.
    pub fn answer(
        &self,
        node: usize,
        now: Duration,
        rng: &mut fastrand::Rng,
    ) -> (Duration, Outcome) {
        let quick = Duration::from_millis(rng.u64(2..40));
        if self.bad_nodes.contains(&node) {
            return (quick, Outcome::Failure);
        }
        let outage = self.outages.iter().find(|outage| outage.is_on(now));
        match outage.map(|outage| outage.manner) {
            None if self.noise > 0.0 && rng.f64() < self.noise => (quick, Outcome::Failure),
            None => (quick, Outcome::Success),
            Some(Manner::Fails | Manner::Flaps(_)) => (quick, Outcome::Failure),
            Some(Manner::Asks(time)) => (quick, Outcome::TripFor(time)),
            Some(Manner::Hangs) => {
                let slow = Duration::from_millis(rng.u64(1_000..5_000));
                (slow, Outcome::Failure)
            }
        }
    }
}

impl Outage {
    fn is_on(&self, now: Duration) -> bool {
        if now < self.from || now >= self.until {
            return false;
        }
        match self.manner {
            Manner::Flaps(period) => {
                let periods = now.saturating_sub(self.from).as_millis() / period.as_millis().max(1);
                periods % 2 == 0
            }
            _ => true,
        }
    }
}
