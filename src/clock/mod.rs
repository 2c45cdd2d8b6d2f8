//! Time, as breakers see it: monotonic, injectable, never a wall clock.
//!
//! A [`Clock`] tells how long ago its own origin was. Breakers use the [`SystemClock`] unless they,
//! or their registry, are given another one; tests use the [`ManualClock`], which moves only when
//! it is told to:
//!
//! ```
//! use breakerbox::prelude::*;
//! use breakerbox::clock::ManualClock;
//! use std::time::Duration;
//!
//! let clock = ManualClock::new();
//! let breaker = CircuitBreaker::builder().clock(clock.clone()).build()?;
//! breaker.trip();
//! assert_eq!(breaker.state(), State::Open);
//! clock.advance(Duration::from_secs(30));
//! assert_eq!(breaker.state(), State::HalfOpen);
//! # Ok::<(), breakerbox::ConfigError>(())
//! ```
//!
//! With the feature `test-util` the default clock is tokio's, so that `tokio::time::pause` and
//! `tokio::time::advance` steer every breaker that was not given a clock of its own.

mod manual;
mod moment;
mod system;

use crate::panic::{Contained, catch};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use manual::ManualClock;
pub(crate) use moment::Moment;
pub use system::SystemClock;

/// The last time that a clock may show: 292 years, in nanoseconds.
const LAST: u64 = i64::MAX.unsigned_abs();

/// A source of monotonic time.
///
/// Implement it to drive breakers from a simulation; [`ManualClock`] serves most tests.
///
/// Breakers see time that never goes back, whatever a clock shows:
///
/// * A reading that panics, and one beyond 292 years (`i64::MAX` nanoseconds), is no time: no time
///   has passed since the reading before.
/// * A reading that is behind the latest one, or a year ahead of it, is read once more, and the
///   second reading counts. A single wrong reading of that kind is therefore ignored.
/// * A clock that shows twice that it went back was set back. Time goes on from the latest reading
///   as the clock does from there. A clock that was wrong for a while, or was reset to zero,
///   delays a deadline by at most the time since the reading before.
///
/// # Examples
///
/// ```
/// use breakerbox::clock::Clock;
/// use std::time::Duration;
///
/// /// A world in which every reading is a minute after the one before.
/// #[derive(Default)]
/// struct Minutes(std::sync::atomic::AtomicU64);
///
/// impl Clock for Minutes {
///     fn now(&self) -> Duration {
///         Duration::from_secs(60 * self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
///     }
/// }
///
/// let breaker = breakerbox::CircuitBreaker::builder().clock(Minutes::default()).build()?;
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The time that has passed since the clock's origin, whatever that is; at most 292 years.
    fn now(&self) -> Duration;

    /// A reading that may be a few milliseconds behind [`now`](Clock::now), where that is cheaper.
    ///
    /// It is asked where a few milliseconds do not matter: far from a deadline. It must never be
    /// ahead, nor more than 20 ms behind. Default: [`now`](Clock::now).
    fn recent(&self) -> Duration {
        self.now()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Duration {
        (**self).now()
    }

    fn recent(&self) -> Duration {
        (**self).recent()
    }
}

/// The clock of one breaker: the system's without indirection, or somebody's own.
#[derive(Clone, Default)]
pub(crate) enum ClockSource {
    #[default]
    System,
    Custom(Arc<Custom>),
}

/// A user's clock, whose readings may panic, go back, or be wrong.
///
/// # Invariants
///
/// 1. `latest` is the latest time that was given out, and never goes back.
/// 2. `offset` is what is added to a reading. It only grows: each time that the clock is found to
///    have been set back, by so much that time goes on from `latest`.
pub(crate) struct Custom {
    clock: Contained<Box<dyn Clock>>,
    latest: AtomicU64,
    offset: AtomicU64,
}

impl ClockSource {
    pub(crate) fn custom(clock: impl Clock) -> Self {
        Self::Custom(Arc::new(Custom {
            clock: Contained::new(Box::new(clock)),
            latest: AtomicU64::new(0),
            offset: AtomicU64::new(0),
        }))
    }

    pub(crate) fn now(&self) -> Moment {
        match self {
            Self::System => SystemClock::moment(),
            Self::Custom(custom) => custom.read(Clock::now),
        }
    }

    /// At most [`COARSE_ERROR`](Self::COARSE_ERROR) behind [`now`](Self::now), and cheaper.
    #[inline]
    pub(crate) fn coarse_now(&self) -> Moment {
        match self {
            Self::System => SystemClock::recent_moment(),
            Self::Custom(custom) => custom.read(Clock::recent),
        }
    }

    /// How far a [`coarse_now`](Self::coarse_now) reading may be behind: two ticks of the slowest kernel
    /// (100 Hz), which is what moves the coarse clock.
    pub(crate) const COARSE_ERROR: Duration = Duration::from_millis(20);

    /// How far ahead of the latest one a reading is plausible.
    const LEAP: Duration = Duration::from_secs(365 * 24 * 60 * 60);
}

impl Custom {
    /// Not inlined: benches/instructions shows that the system's clock would pay for it.
    #[inline(never)]
    fn read(&self, reading: impl Fn(&dyn Clock) -> Duration) -> Moment {
        let (offset, latest) = self.before_reading();
        match self.ask(reading) {
            None => latest,
            Some(nanos) => {
                let time = Moment::from_nanos(nanos.saturating_add(offset));
                let leaps = time > latest.after(ClockSource::LEAP);
                if is_behind(time, latest) || leaps {
                    self.read_again()
                } else {
                    self.advance_to(time)
                }
            }
        }
    }

    #[cold]
    fn read_again(&self) -> Moment {
        loop {
            let (offset, latest) = self.before_reading();
            let Some(nanos) = self.ask(Clock::now) else {
                return latest;
            };
            let time = Moment::from_nanos(nanos.saturating_add(offset));
            if !is_behind(time, latest) {
                return self.advance_to(time);
            }
            // The clock was read after `latest` was, so it went back: either it was set back, or
            // `latest` comes from a wrong reading.
            let moved = latest.as_nanos() - nanos;
            let set =
                self.offset
                    .compare_exchange(offset, moved, Ordering::AcqRel, Ordering::Relaxed);
            if set.is_ok() {
                return latest;
            }
            // Another thread has moved the offset, and perhaps this reading is right by that one.
        }
    }

    /// Offset and latest time, in this order and both before the clock is read.
    ///
    /// Ordering: `Acquire` pairs with the `AcqRel` of the thread that gave out `latest`. Its reading
    /// of the clock happened before, so a monotonic clock that is read after this cannot be behind:
    /// threads that race never move the offset. `latest` may contain a later offset than the one
    /// that was loaded here; then the exchange of the offset fails.
    fn before_reading(&self) -> (u64, Moment) {
        let offset = self.offset.load(Ordering::Acquire);
        let latest = self.latest.load(Ordering::Acquire);
        (offset, Moment::from_nanos(latest))
    }

    /// A reading in nanoseconds; `None` for one that is no time.
    fn ask(&self, reading: impl Fn(&dyn Clock) -> Duration) -> Option<u64> {
        let read = catch(|| reading(&**self.clock)).ok()?;
        let nanos = u64::try_from(read.as_nanos()).ok()?;
        (nanos <= LAST).then_some(nanos)
    }

    fn advance_to(&self, time: Moment) -> Moment {
        let nanos = time.as_nanos();
        Moment::from_nanos(self.latest.fetch_max(nanos, Ordering::AcqRel).max(nanos))
    }
}

fn is_behind(time: Moment, latest: Moment) -> bool {
    time.after(ClockSource::COARSE_ERROR) < latest
}

impl fmt::Debug for ClockSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Custom(_) => "Custom",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::sync::Mutex;

    /// Shows one reading after the other, and panics at `None`.
    struct Scripted(Mutex<VecDeque<Option<Duration>>>);

    impl Clock for Scripted {
        fn now(&self) -> Duration {
            let next = self.0.lock().ok().and_then(|mut left| left.pop_front());
            next.flatten().expect("a clock that has broken")
        }
    }

    fn scripted(readings: impl IntoIterator<Item = Option<Duration>>) -> ClockSource {
        ClockSource::custom(Scripted(Mutex::new(readings.into_iter().collect())))
    }

    fn seconds(readings: &[u64]) -> Vec<Option<Duration>> {
        let second = |seconds: &u64| Some(Duration::from_secs(*seconds));
        readings.iter().map(second).collect()
    }

    #[track_caller]
    fn assert_reads(clock: &ClockSource, expected: &[u64]) {
        let read = || clock.now().as_nanos() / 1_000_000_000;
        let read: Vec<_> = expected.iter().map(|_| read()).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn reading_that_panics_is_no_time() {
        let one = |at| Some(Duration::from_secs(at));
        let clock = scripted([None, one(7), None, one(8), None]);
        assert_reads(&clock, &[0, 7, 7, 8, 8]);
    }

    #[test]
    fn reading_beyond_292_years_is_no_time() {
        let last = Duration::from_nanos(i64::MAX.unsigned_abs());
        let beyond = last + Duration::from_nanos(1);
        let one = |at| Some(Duration::from_secs(at));
        let clock = scripted([
            Some(Duration::MAX),
            one(7),
            Some(beyond),
            Some(Duration::from_nanos(u64::MAX)),
            one(8),
            Some(last),
            Some(last),
        ]);
        let end = last.as_secs();
        assert_reads(&clock, &[0, 7, 7, 7, 8, end]);
    }

    #[test]
    fn single_reading_that_went_back_is_ignored() {
        let clock = scripted(seconds(&[7, 3, 8, 9, 0, 10]));
        assert_reads(&clock, &[7, 8, 9, 10]);
    }

    #[test]
    fn single_reading_of_another_age_is_ignored() {
        const YEAR: u64 = 365 * 24 * 60 * 60;
        let clock = scripted(seconds(&[7, 8 + YEAR, 8, 250 * YEAR, 9, 10]));
        assert_reads(&clock, &[7, 8, 9, 10]);
        // Twice the same: time has passed.
        let clock = scripted(seconds(&[7, 8 + YEAR, 8 + YEAR, 9 + YEAR]));
        assert_reads(&clock, &[7, 8 + YEAR, 9 + YEAR]);
    }

    #[test]
    fn time_goes_on_after_a_clock_was_set_back() {
        let clock = scripted(seconds(&[1_000, 0, 0, 1, 30, 5, 5, 6]));
        assert_reads(&clock, &[1_000, 1_000, 1_001, 1_030, 1_030, 1_031]);
        // A wrong reading that was plausible.
        let clock = scripted(seconds(&[5, 3_605, 6, 6, 7, 36]));
        assert_reads(&clock, &[5, 3_605, 3_605, 3_606, 3_635]);
    }

    #[test]
    fn clock_behind_by_the_slack_stands_still() {
        let millis = |at| Some(Duration::from_millis(at));
        let clock = scripted([millis(1_000), millis(980), millis(990), millis(1_001)]);
        let read: Vec<_> = (0..4).map(|_| clock.now().as_nanos() / 1_000_000).collect();
        assert_eq!(read, [1_000, 1_000, 1_000, 1_001]);
    }

    #[test]
    fn racing_threads_never_move_a_monotonic_clock() {
        let manual = ManualClock::new();
        let clock = ClockSource::custom(manual.clone());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut before = Moment::ORIGIN;
                    for _ in 0..20_000 {
                        // More than the slack, so that a reading that was overtaken is behind.
                        manual.advance(Duration::from_millis(50));
                        let now = clock.now();
                        assert!(now >= before);
                        before = now;
                    }
                });
            }
        });
        assert_eq!(clock.now(), Moment::ORIGIN.after(manual.now()));
    }

    #[test]
    fn the_coarse_reading_is_behind_by_the_slack_at_most() {
        let clock = ClockSource::default();
        for _ in 0..1_000 {
            let before = clock.now();
            let recent = clock.coarse_now();
            let after = clock.now();
            assert!(recent <= after);
            assert!(before.since(recent) <= ClockSource::COARSE_ERROR);
        }
    }
}
