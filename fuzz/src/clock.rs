//! A clock that may jump, go back, or panic.

use breakerbox_model::pair::nanos;
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
    /// The latest time that a breaker got.
    read: AtomicU64,
    /// By how much the breaker's time is ahead of the clock, which was set back.
    offset: AtomicU64,
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

    /// The time by which a breaker must go: never back, and standing still while the clock is broken
    /// or shows what is no time.
    pub(crate) fn time(&self) -> u64 {
        let read = self.0.read.load(Relaxed);
        if self.0.broken.load(Relaxed) {
            return read;
        }
        read.max(self.0.ahead().unwrap_or(0))
    }
}

/// The last time that a clock may show.
const LAST: u64 = i64::MAX.unsigned_abs();
/// So far behind the latest reading one is no sign that the clock was set back.
const SLACK: u64 = 20_000_000;

impl Face {
    /// The time of a reading; `None` for one that is no time, and for one that is behind.
    fn ahead(&self) -> Option<u64> {
        let shows = Some(self.shows.load(Relaxed)).filter(|shows| *shows <= LAST)?;
        let time = shows.saturating_add(self.offset.load(Relaxed));
        (time.saturating_add(SLACK) >= self.read.load(Relaxed)).then_some(time)
    }

    fn be_read(&self) {
        let shows = self.shows.load(Relaxed);
        match self.ahead() {
            Some(time) => drop(self.read.fetch_max(time, Relaxed)),
            // The breaker's time goes on from the latest reading.
            None if shows <= LAST => self.offset.store(self.read.load(Relaxed) - shows, Relaxed),
            None => {}
        }
    }
}

impl Clock for WildClock {
    fn now(&self) -> Duration {
        if self.0.broken.load(Relaxed) {
            blow();
        }
        self.0.be_read();
        Duration::from_nanos(self.0.shows.load(Relaxed))
    }
}
