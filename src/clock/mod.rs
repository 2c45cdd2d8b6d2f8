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

use crate::contain::contain;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use manual::ManualClock;
pub(crate) use moment::Moment;
pub use system::SystemClock;

/// A source of monotonic time.
///
/// Implement it to drive breakers from a simulation; [`ManualClock`] serves most tests. A reading
/// that goes back, and a reading that panics, are taken as "no time has passed": breakers keep the
/// latest reading they had.
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
    /// The time that has passed since the clock's origin, whatever that is.
    ///
    /// Readings past 584 years are taken as 584 years.
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
pub(crate) enum Timepiece {
    #[default]
    System,
    Custom(Arc<Custom>),
}

pub(crate) struct Custom {
    clock: Box<dyn Clock>,
    latest: AtomicU64,
}

impl Timepiece {
    pub(crate) fn custom(clock: impl Clock) -> Self {
        Self::Custom(Arc::new(Custom {
            clock: Box::new(clock),
            latest: AtomicU64::new(0),
        }))
    }

    pub(crate) fn now(&self) -> Moment {
        match self {
            Self::System => SystemClock::moment(),
            Self::Custom(custom) => custom.read(Clock::now),
        }
    }

    /// At most [`SLACK`](Self::SLACK) behind [`now`](Self::now), and cheaper.
    #[inline]
    pub(crate) fn recent(&self) -> Moment {
        match self {
            Self::System => SystemClock::recent_moment(),
            Self::Custom(custom) => custom.read(Clock::recent),
        }
    }

    /// How far a [`recent`](Self::recent) reading may be behind: two ticks of the slowest kernel
    /// (100 Hz), which is what moves the coarse clock.
    pub(crate) const SLACK: Duration = Duration::from_millis(20);
}

impl Custom {
    /// A stranger's clock may panic or go back; time here does neither. Not inlined, since it would leave no
    /// registers to those who go by the system's.
    #[inline(never)]
    fn read(&self, reading: impl FnOnce(&dyn Clock) -> Duration) -> Moment {
        let Ok(read) = contain(|| reading(&*self.clock)) else {
            return Moment::from_nanos(self.latest.load(Ordering::Relaxed));
        };
        let nanos = Moment::ORIGIN.after(read).as_nanos();
        // Relaxed: the reading is a number of its own and publishes nothing else.
        Moment::from_nanos(self.latest.fetch_max(nanos, Ordering::Relaxed).max(nanos))
    }
}

impl fmt::Debug for Timepiece {
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

    struct Erratic(std::sync::Mutex<Vec<Option<u64>>>);

    impl Clock for Erratic {
        fn now(&self) -> Duration {
            let next = self.0.lock().ok().and_then(|mut left| left.pop()).flatten();
            Duration::from_secs(next.expect("a clock that has broken"))
        }
    }

    #[test]
    fn a_clock_that_goes_back_or_panics_stands_still() {
        let readings = vec![Some(9), None, Some(3), Some(7)];
        let clock = Timepiece::custom(Erratic(std::sync::Mutex::new(readings)));
        let seconds: Vec<_> = (0..4)
            .map(|_| clock.now().as_nanos() / 1_000_000_000)
            .collect();
        assert_eq!(seconds, [7, 7, 7, 9]);
    }

    #[test]
    fn the_coarse_reading_is_behind_by_the_slack_at_most() {
        let clock = Timepiece::default();
        for _ in 0..1_000 {
            let before = clock.now();
            let recent = clock.recent();
            let after = clock.now();
            assert!(recent <= after);
            assert!(before.since(recent) <= Timepiece::SLACK);
        }
    }
}
