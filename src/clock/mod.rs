//! The clocks of breakers: monotonic, replaceable, and never a wall clock.
//!
//! A [`Clock`] returns the time since its origin. A breaker uses the [`SystemClock`], unless its
//! settings or its registry specify another clock. Tests use the [`ManualClock`], which moves only
//! when [`advance`](ManualClock::advance) is called:
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
//! The [`TokioClock`] follows `tokio::time::pause` and `tokio::time::advance`. With the feature `test-util`,
//! the default clock follows them too, in every crate of the build.

mod manual;
mod moment;
mod system;
mod tokio_clock;

use crate::panic::{Contained, catch};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use manual::ManualClock;
pub(crate) use moment::Moment;
pub use system::SystemClock;
pub use tokio_clock::TokioClock;

/// The maximum time of a clock: 292 years, in nanoseconds.
const MAX_NANOS: u64 = i64::MAX.unsigned_abs();

/// A source of monotonic time.
///
/// Implement this trait to drive breakers from a simulation. [`ManualClock`] and [`TokioClock`] suffice
/// for most tests.
///
/// The time of a breaker never goes back, regardless of what the clock returns:
///
/// * A reading that panics, or exceeds 292 years (`i64::MAX` nanoseconds), is ignored. The previous
///   reading is used instead.
/// * If a reading is behind the latest reading, or more than a year ahead of it, the clock is read
///   again, and the second reading is used. A single wrong reading of that kind is therefore
///   ignored.
/// * If both readings are behind, the clock was set back. Time continues from the latest reading,
///   at the pace of the clock. A clock that was temporarily wrong, or was reset to zero, delays a
///   deadline by at most the time since the previous reading.
///
/// # Examples
///
/// ```
/// use breakerbox::clock::Clock;
/// use std::time::Duration;
///
/// /// Advances by a minute at every reading.
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
    /// Returns the time since the origin of the clock.
    ///
    /// The origin may be any fixed point that is at most 292 years in the past.
    fn now(&self) -> Duration;

    /// Returns a time that may be up to 20 ms behind [`now`](Clock::now), if that is faster.
    ///
    /// Breakers use this reading far from a deadline. It must not be ahead of [`now`](Clock::now).
    ///
    /// Default: [`now`](Clock::now).
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

/// The clock of one breaker: the system clock, without dynamic dispatch, or a user clock.
#[derive(Clone, Default)]
pub(crate) enum ClockSource {
    #[default]
    System,
    Custom(Arc<Custom>),
}

/// A user clock, whose readings may panic, go back, or be wrong.
///
/// # Invariants
///
/// 1. `latest` is the latest time that was returned, and never decreases.
/// 2. `offset` is added to each reading, and never decreases. When the clock is set back, `offset`
///    grows so that time continues from `latest`.
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

    /// Returns a time that is at most [`COARSE_ERROR`](Self::COARSE_ERROR) behind
    /// [`now`](Self::now).
    #[inline]
    pub(crate) fn coarse_now(&self) -> Moment {
        match self {
            Self::System => SystemClock::coarse_moment(),
            Self::Custom(custom) => custom.read(Clock::recent),
        }
    }

    /// The maximum error of [`coarse_now`](Self::coarse_now).
    ///
    /// Kernel ticks update the coarse clock. The error is two ticks of the slowest kernel (100 Hz).
    pub(crate) const COARSE_ERROR: Duration = Duration::from_millis(20);

    /// The maximum plausible time between two readings.
    const MAX_JUMP: Duration = Duration::from_secs(365 * 24 * 60 * 60);
}

impl Custom {
    // Not inlined: benches/instructions shows more instructions for the system clock otherwise.
    #[inline(never)]
    fn read(&self, reading: impl Fn(&dyn Clock) -> Duration) -> Moment {
        let (offset, latest) = self.offset_and_latest();
        match self.try_read(reading) {
            None => latest,
            Some(nanos) => {
                let time = Moment::from_nanos(nanos.saturating_add(offset));
                let jumps = time > latest.after(ClockSource::MAX_JUMP);
                if is_behind(time, latest) || jumps {
                    self.reread()
                } else {
                    self.advance_to(time)
                }
            }
        }
    }

    #[cold]
    fn reread(&self) -> Moment {
        loop {
            let (offset, latest) = self.offset_and_latest();
            let Some(nanos) = self.try_read(Clock::now) else {
                return latest;
            };
            let time = Moment::from_nanos(nanos.saturating_add(offset));
            if !is_behind(time, latest) {
                return self.advance_to(time);
            }
            // `latest` was loaded before the clock was read, so the clock did go back: it was set
            // back, or `latest` comes from a wrong reading.
            let moved = latest.as_nanos() - nanos;
            let set =
                self.offset
                    .compare_exchange(offset, moved, Ordering::AcqRel, Ordering::Relaxed);
            if set.is_ok() {
                return latest;
            }
            // Another thread has changed the offset. With the new offset, the reading may be
            // plausible.
        }
    }

    /// Loads the offset and the latest time, in this order. Called before the clock is read.
    ///
    /// Ordering: `Acquire` here pairs with the `AcqRel` in `advance_to`. The reading that `latest`
    /// comes from therefore happened before the next reading, and a monotonic clock is never behind
    /// `latest`; without it racing threads could change the offset. `latest` may include a later
    /// offset than the offset that was loaded here. In that case the exchange of the offset fails.
    fn offset_and_latest(&self) -> (u64, Moment) {
        let offset = self.offset.load(Ordering::Acquire);
        let latest = self.latest.load(Ordering::Acquire);
        (offset, Moment::from_nanos(latest))
    }

    /// Returns a reading in nanoseconds, or `None` if the reading panics or exceeds the maximum.
    fn try_read(&self, reading: impl Fn(&dyn Clock) -> Duration) -> Option<u64> {
        let read = catch(|| reading(&**self.clock)).ok()?;
        let nanos = u64::try_from(read.as_nanos()).ok()?;
        (nanos <= MAX_NANOS).then_some(nanos)
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

    /// A clock that returns the readings in order, and panics at `None`.
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
    fn panicking_reading_is_ignored() {
        let one = |at| Some(Duration::from_secs(at));
        let clock = scripted([None, one(7), None, one(8), None]);
        assert_reads(&clock, &[0, 7, 7, 8, 8]);
    }

    #[test]
    fn reading_beyond_292_years_is_ignored() {
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
    fn single_backward_reading_is_ignored() {
        let clock = scripted(seconds(&[7, 3, 8, 9, 0, 10]));
        assert_reads(&clock, &[7, 8, 9, 10]);
    }

    #[test]
    fn single_distant_reading_is_ignored() {
        const YEAR: u64 = 365 * 24 * 60 * 60;
        let clock = scripted(seconds(&[7, 8 + YEAR, 8, 250 * YEAR, 9, 10]));
        assert_reads(&clock, &[7, 8, 9, 10]);
        // The second reading confirms the first, so time has passed.
        let clock = scripted(seconds(&[7, 8 + YEAR, 8 + YEAR, 9 + YEAR]));
        assert_reads(&clock, &[7, 8 + YEAR, 9 + YEAR]);
    }

    #[test]
    fn time_continues_after_clock_set_back() {
        let clock = scripted(seconds(&[1_000, 0, 0, 1, 30, 5, 5, 6]));
        assert_reads(&clock, &[1_000, 1_000, 1_001, 1_030, 1_030, 1_031]);
        // The wrong reading is plausible, so it is used.
        let clock = scripted(seconds(&[5, 3_605, 6, 6, 7, 36]));
        assert_reads(&clock, &[5, 3_605, 3_605, 3_606, 3_635]);
    }

    #[test]
    fn clock_behind_by_coarse_error_stands_still() {
        let millis = |at| Some(Duration::from_millis(at));
        let clock = scripted([millis(1_000), millis(980), millis(990), millis(1_001)]);
        let read: Vec<_> = (0..4).map(|_| clock.now().as_nanos() / 1_000_000).collect();
        assert_eq!(read, [1_000, 1_000, 1_000, 1_001]);
    }

    #[test]
    fn racing_threads_keep_monotonic_offset() {
        let manual = ManualClock::new();
        let clock = ClockSource::custom(manual.clone());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut before = Moment::ORIGIN;
                    for _ in 0..20_000 {
                        // More than the coarse error, so that an overtaken reading would be behind.
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
    fn coarse_reading_is_within_coarse_error() {
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
