use crate::text::{HumanDuration, plural};
use std::fmt;
use std::time::Duration;

/// The calls that a [`TripRule`](crate::TripRule) evaluates: the last calls by number, or all calls
/// of the last period.
///
/// A `Window` is plain data. The breaker empties its windows at every change of state.
///
/// # Default
///
/// * 10 [`buckets`](Window::buckets) for a window of [`time`](Window::time)
///
/// # Memory
///
/// Memory is bounded, and is allocated when the breaker is created. For each rule, `calls(n)` takes
/// n/8 bytes (n/4 for a slow-call rule), and `time(d).buckets(k)` takes 24·k bytes. A breaker with
/// windows takes another 120 bytes, and 144 bytes for each rule. After the first contention of two
/// threads, it takes another 256 bytes for each processor.
///
/// # Examples
///
/// ```
/// use breakerbox::{TripRule, Window};
/// use std::time::Duration;
///
/// let last_hundred = Window::calls(100);
/// let last_minute = Window::time(Duration::from_secs(60)).buckets(12);
/// assert_eq!(last_minute.to_string(), "1m in 12 buckets");
/// TripRule::failure_rate(0.5).over(last_hundred);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a window does nothing until it is passed to a rule"]
pub struct Window {
    pub(crate) span: WindowKind,
    /// `None` for the default.
    pub(crate) buckets: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowKind {
    Calls(u32),
    Time(Duration),
}

impl Window {
    const BUCKETS: u32 = 10;

    /// Creates a window of exactly the last `n` recorded calls.
    ///
    /// `n` is from 1 to 1,000,000.
    pub const fn calls(n: u32) -> Self {
        Self {
            span: WindowKind::Calls(n),
            buckets: None,
        }
    }

    /// Creates a window of the calls that were recorded during the last `length`.
    ///
    /// `length` is from a millisecond to a year.
    ///
    /// The window moves by one bucket at a time. Buckets are aligned to the creation of the
    /// breaker, so the window covers between `length − length/buckets` and `length`. A success that
    /// ends at most 20 ms after the start of a bucket may be counted in the bucket before.
    pub const fn time(length: Duration) -> Self {
        Self {
            span: WindowKind::Time(length),
            buckets: None,
        }
    }

    /// Sets the number of buckets of a window of [time](Self::time).
    ///
    /// `buckets` is from 1 to 3,600, and each bucket is at least a millisecond long. A window of
    /// [calls](Self::calls) has no buckets: building the breaker then fails.
    ///
    /// Default: 10.
    pub const fn buckets(self, buckets: u32) -> Self {
        Self {
            buckets: Some(buckets),
            ..self
        }
    }

    /// Returns the number of buckets of a window of time.
    pub(crate) fn bucket_count(&self) -> u32 {
        self.buckets.unwrap_or(Self::BUCKETS)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            WindowKind::Calls(n) => write!(f, "{n} call{}", plural(n)),
            WindowKind::Time(length) => {
                let length = HumanDuration(length);
                let buckets = self.bucket_count();
                write!(f, "{length} in {buckets} bucket{}", plural(buckets))
            }
        }
    }
}
