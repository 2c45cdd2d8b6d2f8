//! A clock that may jump, go back, or panic.

use crate::pair::nanos;
use crate::trouble::blow;
use breakerbox::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

#[derive(Clone, Default)]
pub(crate) struct WildClock(Arc<Face>);

#[derive(Default)]
struct Face {
    shows: AtomicU64,
    /// The latest time that anybody read.
    read: AtomicU64,
    broken: AtomicBool,
}

impl WildClock {
    pub(crate) fn advance(&self, time: Duration) {
        let shows = self.0.shows.load(Relaxed);
        self.0
            .shows
            .store(shows.saturating_add(nanos(time)), Relaxed);
    }

    pub(crate) fn go_back(&self, time: Duration) {
        let shows = self.0.shows.load(Relaxed);
        self.0
            .shows
            .store(shows.saturating_sub(nanos(time)), Relaxed);
    }

    pub(crate) fn set_broken(&self, broken: bool) {
        self.0.broken.store(broken, Relaxed);
    }

    /// The time by which a breaker must go: never back, and standing still while the clock is broken.
    pub(crate) fn time(&self) -> u64 {
        let read = self.0.read.load(Relaxed);
        if self.0.broken.load(Relaxed) {
            return read;
        }
        read.max(self.0.shows.load(Relaxed))
    }
}

impl Clock for WildClock {
    fn now(&self) -> Duration {
        if self.0.broken.load(Relaxed) {
            blow();
        }
        let shows = self.0.shows.load(Relaxed);
        self.0.read.fetch_max(shows, Relaxed);
        Duration::from_nanos(shows)
    }
}
