use super::Clock;
use std::time::Duration;
use tokio::time::Instant;

/// The clock of tokio, which tests can pause and advance.
///
/// Pass it to a registry or a breaker whose tests run with `tokio::time::pause` and
/// `tokio::time::advance`. Timers of tokio and breakers then follow the same time:
///
/// ```
/// use breakerbox::clock::TokioClock;
/// use breakerbox::prelude::*;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), ConfigError> {
/// // In a test with `#[tokio::test(start_paused = true)]`:
/// let registry = BreakerRegistry::builder().clock(TokioClock::new()).build()?;
/// let users = registry.breaker("users");
/// users.trip();
/// tokio::time::advance(Duration::from_secs(30)).await;
/// assert_eq!(users.state(), State::HalfOpen);
/// # Ok(())
/// # }
/// ```
///
/// Only tokio's feature `test-util` can pause the time. Without it, the clock is the monotonic clock of the
/// operating system. The feature `test-util` of this crate is not needed.
///
/// Outside a runtime the clock returns the real time, and it never panics there. Each runtime pauses its
/// own time. A breaker whose calls move to another runtime, or to a thread outside the runtime, may see the
/// time jump ahead or stand still for a while. The time of a breaker never [goes back](Clock).
///
/// # Default
///
/// Same as [`new`](Self::new).
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    /// Creates a clock that starts at one day. Clones share the origin.
    pub fn new() -> Self {
        // The paused time of another runtime may be behind `now`. With `now` as the origin, the clock would
        // stand still at zero until that time has caught up.
        let now = Instant::now();
        let origin = now.checked_sub(DAY).unwrap_or(now);
        Self { origin }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }
}
