use super::{Clock, Moment};
use std::time::Duration;

/// The monotonic clock of the operating system, or that of tokio with the feature `test-util`.
///
/// On Linux and Android, [`recent`](Clock::recent) reads the coarse clock, which is faster and a
/// few milliseconds behind. Breakers use the coarse clock far from deadlines.
///
/// # Examples
///
/// ```
/// use breakerbox::clock::{Clock, SystemClock};
///
/// let before = SystemClock.now();
/// assert!(SystemClock.now() >= before);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    pub(super) fn moment() -> Moment {
        source::now()
    }

    #[inline]
    pub(super) fn coarse_moment() -> Moment {
        source::coarse_now()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        source::now().since(Moment::ORIGIN)
    }

    fn recent(&self) -> Duration {
        source::coarse_now().since(Moment::ORIGIN)
    }
}

#[cfg(all(
    not(feature = "test-util"),
    any(target_os = "linux", target_os = "android")
))]
mod source {
    use super::Moment;
    use rustix::time::{ClockId, clock_gettime};

    #[inline]
    fn read(id: ClockId) -> Moment {
        let time = clock_gettime(id);
        #[allow(clippy::cast_sign_loss)] // never negative
        let (seconds, nanos) = (time.tv_sec as u64, time.tv_nsec as u64);
        // Wraps only after 584 years of uptime.
        Moment::from_nanos(seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos))
    }

    pub(super) fn now() -> Moment {
        read(ClockId::Monotonic)
    }

    #[inline]
    pub(super) fn coarse_now() -> Moment {
        read(ClockId::MonotonicCoarse)
    }
}

#[cfg(any(
    feature = "test-util",
    not(any(target_os = "linux", target_os = "android"))
))]
mod source {
    use super::Moment;
    use once_cell::sync::Lazy;
    use std::time::Duration;
    #[cfg(not(feature = "test-util"))]
    use std::time::Instant;
    #[cfg(feature = "test-util")]
    use tokio::time::Instant;

    // A day before the first reading. The paused tokio clock of another runtime may be behind the
    // first reading, and a time before the origin would be clamped to the origin.
    static ORIGIN: Lazy<Instant> = Lazy::new(|| {
        let now = Instant::now();
        now.checked_sub(DAY).unwrap_or(now)
    });
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    pub(super) fn now() -> Moment {
        Moment::ORIGIN.after(Instant::now().saturating_duration_since(*ORIGIN))
    }

    pub(super) fn coarse_now() -> Moment {
        now()
    }
}
