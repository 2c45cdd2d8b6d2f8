//! A clock that may jump, go back or panic.

use crate::errors::panic_on_purpose;
use breakerbox::clock::Clock;
use breakerbox_model::pair::nanos;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

#[derive(Clone, Default)]
pub(crate) struct FaultyClock(Arc<ClockState>);

#[derive(Default)]
struct ClockState {
    reading: AtomicU64,
    /// The latest time that the breaker has derived from readings.
    latest: AtomicU64,
    /// The difference between the breaker's time and the clock, after the clock was set back.
    offset: AtomicU64,
    panics: AtomicBool,
}

impl FaultyClock {
    pub(crate) fn advance(&self, time: Duration) {
        let reading = self.0.reading.load(Relaxed);
        self.0
            .reading
            .store(reading.saturating_add(nanos(time)), Relaxed);
    }

    pub(crate) fn set_back(&self, time: Duration) {
        let reading = self.0.reading.load(Relaxed);
        self.0
            .reading
            .store(reading.saturating_sub(nanos(time)), Relaxed);
    }

    pub(crate) fn set_panicking(&self, panics: bool) {
        self.0.panics.store(panics, Relaxed);
    }

    /// Returns the time that the breaker must use.
    ///
    /// The time never decreases. It stands still while the clock panics or returns an invalid
    /// reading.
    pub(crate) fn time(&self) -> u64 {
        let latest = self.0.latest.load(Relaxed);
        if self.0.panics.load(Relaxed) {
            return latest;
        }
        latest.max(self.0.valid_time().unwrap_or(0))
    }
}

/// The largest valid reading of a clock.
const MAX_READING: u64 = i64::MAX.unsigned_abs();
/// A reading that is at most this many nanoseconds behind the latest one does not mean that the
/// clock was set back.
const SLACK: u64 = 20_000_000;

impl ClockState {
    /// Returns the time of a reading, or `None` if the reading is invalid or behind.
    fn valid_time(&self) -> Option<u64> {
        let reading = Some(self.reading.load(Relaxed)).filter(|reading| *reading <= MAX_READING)?;
        let time = reading.saturating_add(self.offset.load(Relaxed));
        (time.saturating_add(SLACK) >= self.latest.load(Relaxed)).then_some(time)
    }

    fn record_reading(&self) {
        let reading = self.reading.load(Relaxed);
        match self.valid_time() {
            Some(time) => drop(self.latest.fetch_max(time, Relaxed)),
            // The breaker's time continues from the latest reading.
            None if reading <= MAX_READING => self
                .offset
                .store(self.latest.load(Relaxed) - reading, Relaxed),
            None => {}
        }
    }
}

impl Clock for FaultyClock {
    fn now(&self) -> Duration {
        if self.0.panics.load(Relaxed) {
            panic_on_purpose();
        }
        self.0.record_reading();
        Duration::from_nanos(self.0.reading.load(Relaxed))
    }
}
