use std::time::Duration;

/// A point in time, in nanoseconds since the origin of a clock.
///
/// A `Moment` fits into an `AtomicU64`. All arithmetic saturates, so no setting and no clock makes
/// it wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) const ORIGIN: Self = Self(0);
    /// A deadline that is never reached.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) const fn as_nanos(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(nanos(wait)))
    }

    /// Returns the moment, or the last moment before [`NEVER`](Self::NEVER) instead of `NEVER`.
    pub(crate) const fn clamp_before_never(self) -> Self {
        if self.0 == Self::NEVER.0 {
            Self(Self::NEVER.0 - 1)
        } else {
            self
        }
    }

    /// Returns the time since `earlier`, or zero if `earlier` is later.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns `true` if `deadline` has been reached, inclusive. [`NEVER`](Self::NEVER) is never
    /// reached.
    #[inline]
    pub(crate) const fn has_reached(self, deadline: Self) -> bool {
        self.0 >= deadline.0 && deadline.0 != Self::NEVER.0
    }

    /// Returns the nanoseconds until `deadline`, or `u64::MAX` for [`NEVER`](Self::NEVER).
    #[inline]
    pub(crate) const fn nanos_until(self, deadline: Self) -> u64 {
        if deadline.0 == Self::NEVER.0 {
            u64::MAX
        } else {
            deadline.0.saturating_sub(self.0)
        }
    }

    /// Returns the time until `deadline`, or [`Duration::MAX`] for [`NEVER`](Self::NEVER).
    pub(crate) const fn until(self, deadline: Self) -> Duration {
        match self.nanos_until(deadline) {
            u64::MAX => Duration::MAX,
            nanos => Duration::from_nanos(nanos),
        }
    }
}

#[inline]
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distant_deadline_saturates() {
        let soon = Moment::from_nanos(1);
        assert_eq!(soon.after(Duration::MAX), Moment::NEVER);
        assert!(!Moment::NEVER.has_reached(Moment::NEVER));
        assert_eq!(soon.until(Moment::NEVER), Duration::MAX);
        assert_eq!(Moment::ORIGIN.since(soon), Duration::ZERO);
    }
}
