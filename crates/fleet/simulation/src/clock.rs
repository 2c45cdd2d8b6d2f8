//! [`VirtualClock`]: the time of a simulation, for its breakers.

use breakerbox::clock::Clock;
use std::time::Duration;
use tokio::time::Instant;

/// The paused time of the runtime of a simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VirtualClock {
    start: Instant,
}

impl VirtualClock {
    pub(crate) fn starting_at(start: Instant) -> Self {
        Self { start }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        // The first instant of a registry is not zero, as in a process that has run for a while.
        Instant::now().saturating_duration_since(self.start) + Duration::from_secs(3_600)
    }
}
