//! [`Micros`] and [`Version`]: instants of the store's clock, and the order of records.

use super::limits::{MAX_LEAD, MAX_NUMBER};
use std::fmt;
use std::time::Duration;

/// An instant of the store's clock, in microseconds since its epoch.
///
/// Zero stands for an unknown instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// Returns the instant `time` later, saturating at the largest number of the protocol.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        self.after_micros(in_micros(time))
    }

    pub(super) fn after_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros).min(MAX_NUMBER))
    }

    /// Returns the instant `time` earlier, or zero.
    #[must_use]
    pub fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(in_micros(time)))
    }

    /// Returns the time from `earlier` until this instant, or zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The version of a record: a hybrid clock, which combines the time of the store and a counter.
///
/// Source: Kulkarni et al., *Logical Physical Clocks* (2014).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// Returns the version of the next record of a store.
    ///
    /// `head` is the latest version of the store, and `seen` the latest version that the writer knows.
    /// A version that is too far ahead of `now` is ignored.
    #[must_use]
    pub fn next(head: Self, seen: Self, now: Micros) -> Self {
        let head = head.unless_ahead_of(now);
        let seen = seen.unless_ahead_of(now);
        Self((head.0 + 1).max(seen.0 + 1).max(now.0))
    }

    /// Returns `true` if the version is more than an hour ahead of `now`, so that it cannot be genuine.
    pub fn is_ahead_of(self, now: Micros) -> bool {
        self.0 > now.after(MAX_LEAD).0
    }

    /// Returns this version, or zero if it cannot be genuine.
    #[must_use]
    pub fn unless_ahead_of(self, now: Micros) -> Self {
        if self.is_ahead_of(now) { Self(0) } else { self }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(super) fn in_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).map_or(MAX_NUMBER, |micros| micros.min(MAX_NUMBER))
}

/// Returns whole milliseconds, rounded up, so that a rest of time is never taken for none.
pub(super) fn in_millis(time: Duration) -> u64 {
    in_micros(time).div_ceil(1_000)
}
