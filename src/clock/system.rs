use super::{Clock, Moment};
use std::time::Duration;

/// The monotonic clock of the operating system.
///
/// With the feature `test-util`, this is the clock of tokio instead, in every crate of the build that uses
/// breakerbox. [`TokioClock`](super::TokioClock) follows tokio's time without that feature.
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

#[cfg(feature = "test-util")]
mod source {
    use super::Moment;
    use crate::clock::{Clock, TokioClock};
    use once_cell::sync::Lazy;

    static CLOCK: Lazy<TokioClock> = Lazy::new(TokioClock::new);

    pub(super) fn now() -> Moment {
        Moment::ORIGIN.after(CLOCK.now())
    }

    pub(super) fn coarse_now() -> Moment {
        now()
    }
}

#[cfg(not(any(feature = "test-util", target_os = "linux", target_os = "android")))]
mod source {
    use super::Moment;
    use once_cell::sync::Lazy;
    use std::time::Instant;

    static ORIGIN: Lazy<Instant> = Lazy::new(Instant::now);

    pub(super) fn now() -> Moment {
        Moment::ORIGIN.after(ORIGIN.elapsed())
    }

    pub(super) fn coarse_now() -> Moment {
        now()
    }
}
