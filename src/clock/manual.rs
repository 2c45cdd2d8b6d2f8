use super::{Clock, MAX_NANOS};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A clock for tests that moves only when [`advance`](Self::advance) is called.
///
/// The clock starts at zero. Clones share the same time.
///
/// # Examples
///
/// ```
/// use breakerbox::clock::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let same = clock.clone();
/// clock.advance(Duration::from_secs(30));
/// assert_eq!(same.now(), Duration::from_secs(30));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// Creates a clock at time zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Advances the clock and all its clones.
    ///
    /// The clock stops at 292 years, the maximum of a [`Clock`].
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        // Ordering: `AcqRel` here pairs with the `Acquire` load in `now`; without it a thread that
        // reads the new time could miss writes from before the clock was advanced.
        let _ = self
            .nanos
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |nanos| {
                Some(nanos.saturating_add(by).min(MAX_NANOS))
            });
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Acquire))
    }
}
