//! How long a circuit stays open: the same each time, or longer with every failed recovery.

use std::time::Duration;

/// How long a circuit stays open, as a function of how often in a row it failed to recover.
///
/// Plain data. The first time a circuit opens is attempt 0, and so is the first time after it stayed
/// closed for [long enough](crate::BreakerBuilder::reset_backoff_after); each opening before that adds
/// one.
///
/// # Default
///
/// * [`constant`](Backoff::constant) of the recovery timeout (30 s)
/// * `factor` 2.0, no `max`, no `jitter` for [`exponential`](Backoff::exponential)
///
/// # Examples
///
/// ```
/// use breakerbox::{Backoff, CircuitBreaker};
/// use std::time::Duration;
///
/// let backoff = Backoff::exponential(Duration::from_secs(5)).factor(1.5).max(Duration::from_secs(60));
/// assert_eq!(backoff.delay(0), Duration::from_secs(5));
/// assert_eq!(backoff.delay(1), Duration::from_millis(7_500));
/// assert_eq!(backoff.delay(50), Duration::from_secs(60));
///
/// CircuitBreaker::builder().recovery_backoff(backoff.jitter(0.2)).build()?;
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a backoff does nothing until a builder gets it"]
pub struct Backoff {
    pub(crate) first: Duration,
    pub(crate) factor: f64,
    pub(crate) max: Duration,
    pub(crate) jitter: f64,
}

impl Backoff {
    /// The same delay each time.
    pub const fn constant(delay: Duration) -> Self {
        Self {
            first: delay,
            factor: 1.0,
            max: Duration::MAX,
            jitter: 0.0,
        }
    }

    /// `first`, then each time twice as long; see [`factor`](Self::factor) and
    /// [`max`](Self::max).
    pub const fn exponential(first: Duration) -> Self {
        Self {
            factor: 2.0,
            ..Self::constant(first)
        }
    }

    /// By what each delay is multiplied to get the next: 1.0 to 1,000.0. Default: 2.0.
    pub const fn factor(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// The longest delay, before jitter; at least the first one. Default: none.
    pub const fn max(self, max: Duration) -> Self {
        Self { max, ..self }
    }

    /// Spreads each delay evenly over `1 ± jitter` times its length, so that many processes do not
    /// come back at once: 0.0 to 1.0, exclusive. Default: 0.0.
    pub const fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// The delay of `attempt`, counted from 0, before jitter. Saturates at [`Duration::MAX`].
    pub fn delay(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt).unwrap_or(i32::MAX);
        let grown = self.first.as_secs_f64() * self.factor.powi(exponent);
        if attempt == 0 || self.factor <= 1.0 {
            return self.first.min(self.max);
        }
        Duration::try_from_secs_f64(grown).map_or(self.max, |delay| delay.min(self.max))
    }

    /// The delay of `attempt` with jitter; `chance` is drawn evenly from `0.0..1.0`.
    pub(crate) fn jittered(&self, attempt: u32, chance: f64) -> Duration {
        self.spread(self.delay(attempt), 2.0 * chance - 1.0)
    }

    /// The delay of `attempt` when the dependency asked for `hint`: the first opening lasts as long as it
    /// asked for, each further one at least as long as the backoff says.
    pub(crate) fn hinted(&self, attempt: u32, hint: Duration, chance: f64) -> Duration {
        let hint = self.lengthened(hint, chance);
        match attempt {
            0 => hint,
            _ => hint.max(self.jittered(attempt, chance)),
        }
    }

    /// A hint with jitter, which never shortens it.
    pub(crate) fn lengthened(&self, hint: Duration, chance: f64) -> Duration {
        self.spread(hint, chance).max(hint)
    }

    /// `delay`, longer or shorter by `share` of what the jitter allows.
    fn spread(&self, delay: Duration, share: f64) -> Duration {
        if self.jitter <= 0.0 {
            return delay;
        }
        // Never zero: a circuit that opens stays open for a moment at least.
        Duration::try_from_secs_f64(delay.as_secs_f64() * (1.0 + self.jitter * share))
            .map_or(delay, |spread| spread.max(Duration::from_nanos(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delays_saturate_and_never_panic() {
        let backoff = Backoff::exponential(Duration::MAX).factor(1_000.0);
        assert_eq!(backoff.delay(u32::MAX), Duration::MAX);
        assert_eq!(backoff.jitter(0.5).jittered(3, 0.99), Duration::MAX);
        assert_eq!(Backoff::constant(SECOND).delay(u32::MAX), SECOND);
    }

    #[test]
    fn jitter_stays_within_its_bounds_on_both_sides() {
        let backoff = Backoff::constant(10 * SECOND).jitter(0.2);
        assert_eq!(backoff.jittered(0, 0.0), 8 * SECOND);
        assert_eq!(backoff.jittered(0, 0.5), 10 * SECOND);
        assert!(backoff.jittered(0, 0.999_999) <= 12 * SECOND);
    }

    #[test]
    fn hints_are_lengthened_and_respect_the_backoff() {
        let backoff = Backoff::exponential(10 * SECOND).jitter(0.5);
        assert_eq!(backoff.hinted(0, SECOND, 0.0), SECOND);
        assert_eq!(backoff.hinted(0, 4 * SECOND, 0.5), 5 * SECOND);
        assert_eq!(backoff.hinted(1, 4 * SECOND, 0.5), 20 * SECOND);
        assert_eq!(backoff.hinted(1, 40 * SECOND, 0.0), 40 * SECOND);
        assert_eq!(backoff.lengthened(Duration::MAX, 0.9), Duration::MAX);
        let exact = Backoff::constant(10 * SECOND);
        assert_eq!(exact.hinted(0, SECOND, 0.9), SECOND);
        assert_eq!(exact.hinted(3, SECOND, 0.9), 10 * SECOND);
    }
}
