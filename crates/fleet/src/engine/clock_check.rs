//! Compares the clock of a registry with that of tokio.

use std::time::Duration;
use tokio::time::Instant;

/// How long to wait for a coarse clock of the registry.
const PATIENCE: Duration = Duration::from_millis(30);
/// When tokio's time counts as paused.
const PAUSED_AFTER: Duration = Duration::from_micros(50);

/// Whether the clock `now` moves if and only if tokio's time moves.
///
/// The timers of a fleet are tokio's, and the deadlines of circuits belong to the clock of the
/// registry. The comparison ends as soon as both have moved: after a few nanoseconds, as a rule.
pub(crate) fn follows_tokio(now: impl Fn() -> Duration) -> bool {
    let started = std::time::Instant::now();
    let (registry, tokio) = (now(), Instant::now());
    loop {
        let waited = started.elapsed();
        let moves = (now() > registry, Instant::now() > tokio);
        match moves {
            (true, true) => return true,
            // Time is paused, and nothing moves.
            (false, false) if waited >= PAUSED_AFTER => return true,
            (true, false) if waited >= PAUSED_AFTER => return false,
            (false, true) if waited >= PATIENCE => return false,
            _ => std::thread::yield_now(),
        }
    }
}
