use std::fmt;
use std::time::Duration;

/// The calls that a [`TripRule`](crate::TripRule) evaluates: a number of the last calls, or those within
/// a length of time.
///
/// Plain data. A window is emptied by every change of state.
///
/// # Default
///
/// * 10 [`buckets`](Window::buckets) for a window of [`time`](Window::time)
///
/// # Memory
///
/// Bounded, and taken when the breaker is created: `calls(n)` takes n/8 bytes a rule (n/4 for a
/// slow-call rule); `time(d).buckets(k)` takes 24·k bytes a rule. A breaker with windows also takes 120
/// bytes, 144 a rule, and 256 bytes a processor since two threads have met on it.
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
#[must_use = "a window does nothing until a rule gets it"]
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

    /// The last `n` recorded outcomes, exactly: 1 to 1,000,000.
    pub const fn calls(n: u32) -> Self {
        Self {
            span: WindowKind::Calls(n),
            buckets: None,
        }
    }

    /// The outcomes of the last `length`, from a millisecond to a year.
    ///
    /// The window moves in steps of a bucket, aligned to the breaker's creation: it covers between
    /// `length − length/buckets` and `length`. A success within 20 ms of such an edge may be counted
    /// with the bucket before it.
    pub const fn time(length: Duration) -> Self {
        Self {
            span: WindowKind::Time(length),
            buckets: None,
        }
    }

    /// The number of steps in which a window of time moves: 1 to 3,600, each at least a millisecond long.
    /// Default: 10. On a window of calls it is refused when the breaker is built.
    pub const fn buckets(self, buckets: u32) -> Self {
        Self {
            buckets: Some(buckets),
            ..self
        }
    }

    /// The number of buckets of a window of time.
    pub(crate) fn bucket_count(&self) -> u32 {
        self.buckets.unwrap_or(Self::BUCKETS)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            WindowKind::Calls(n) => write!(f, "{n} calls"),
            WindowKind::Time(length) => {
                let length = crate::text::HumanDuration(length);
                write!(f, "{length} in {} buckets", self.bucket_count())
            }
        }
    }
}
