//! Conversion between durations and nanoseconds.

use std::time::Duration;

/// Returns the nanoseconds of `time`, at most 584 years.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) const fn from_nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}
