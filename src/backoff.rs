//! [`Backoff`]: how long a circuit stays open.

use std::time::Duration;

/// How long a circuit stays open: the same time for each opening, or longer after each failed recovery.
///
/// The first opening is attempt 0. Each further opening increments the attempt, until the circuit has
/// stayed closed for [`reset_backoff_after`](crate::BreakerBuilder::reset_backoff_after). The next
/// opening is attempt 0 again.
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
#[must_use = "a backoff does nothing until it is passed to a builder"]
pub struct Backoff {
    pub(crate) first: Duration,
    pub(crate) factor: f64,
    pub(crate) max: Duration,
    pub(crate) jitter: f64,
    /// The seed of the jitter. `None`: the jitter is random.
    pub(crate) jitter_seed: Option<u64>,
}

impl Backoff {
    /// Creates a backoff with the same delay for each attempt.
    pub const fn constant(delay: Duration) -> Self {
        Self {
            first: delay,
            factor: 1.0,
            max: Duration::MAX,
            jitter: 0.0,
            jitter_seed: None,
        }
    }

    /// Creates a backoff that begins with `first` and doubles with each attempt. See
    /// [`factor`](Self::factor) and [`max`](Self::max).
    pub const fn exponential(first: Duration) -> Self {
        Self {
            factor: 2.0,
            ..Self::constant(first)
        }
    }

    /// Sets the factor by which each delay is longer than the one before: 1.0 to 1,000.0. Default: 2.0.
    pub const fn factor(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// Sets the maximum delay before jitter, at least the first delay. Default: no maximum.
    pub const fn max(self, max: Duration) -> Self {
        Self { max, ..self }
    }

    /// Multiplies each delay by a random factor between `1 - jitter` and `1 + jitter`: 0.0 to 1.0,
    /// exclusive. Default: 0.0.
    ///
    /// Jitter keeps many processes from calling a recovering dependency at the same time.
    pub const fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// Derives the jitter of each opening from `seed` and the time of the opening, so that simulations
    /// are repeatable. Default: random jitter.
    #[doc(hidden)]
    pub const fn jitter_seed(self, seed: u64) -> Self {
        Self {
            jitter_seed: Some(seed),
            ..self
        }
    }

    /// Multiplies all delays by `scale`. Simulations vary it, because results depend on when a trial
    /// happens to start.
    #[doc(hidden)]
    pub fn scaled(self, scale: f64) -> Self {
        let scale = |delay: Duration| {
            let scaled = Duration::try_from_secs_f64(delay.as_secs_f64() * scale);
            scaled.map_or(delay, |scaled| scaled.max(Duration::from_nanos(1)))
        };
        Self {
            first: scale(self.first),
            max: scale(self.max),
            ..self
        }
    }

    /// Returns a number of `0.0..1.0` for the jitter of a delay that begins `nanos` after the origin of
    /// the clock.
    pub(crate) fn chance(&self, nanos: u64) -> f64 {
        match self.jitter_seed {
            Some(seed) => fastrand::Rng::with_seed(seed ^ nanos).f64(),
            None => fastrand::f64(),
        }
    }

    /// Returns the delay of `attempt`, counted from 0, before jitter. Saturates at [`Duration::MAX`].
    pub fn delay(&self, attempt: u32) -> Duration {
        // Saturates: a delay that does not fit into a `Duration` is longer than any maximum.
        let exponent = i32::try_from(attempt).unwrap_or(i32::MAX);
        let grown = self.first.as_secs_f64() * self.factor.powi(exponent);
        if attempt == 0 || self.factor <= 1.0 {
            return self.first.min(self.max);
        }
        Duration::try_from_secs_f64(grown).map_or(self.max, |delay| delay.min(self.max))
    }

    /// Returns the delay of `attempt` with jitter. `chance` is uniformly distributed over `0.0..1.0`.
    pub(crate) fn jittered(&self, attempt: u32, chance: f64) -> Duration {
        self.spread(self.delay(attempt), 2.0 * chance - 1.0)
    }

    /// Returns the delay of `attempt` after the dependency asked callers to wait for `hint`. The hint
    /// replaces the delay of attempt 0, and is a minimum for the delay of each further attempt.
    pub(crate) fn hinted(&self, attempt: u32, hint: Duration, chance: f64) -> Duration {
        let hint = self.lengthened(hint, chance);
        match attempt {
            0 => hint,
            _ => hint.max(self.jittered(attempt, chance)),
        }
    }

    /// Returns a hint with jitter, which only lengthens it: earlier calls would ignore the request of the
    /// dependency.
    pub(crate) fn lengthened(&self, hint: Duration, chance: f64) -> Duration {
        self.spread(hint, chance).max(hint)
    }

    /// Returns `delay`, changed by `share` of the jitter: -1.0 for the shortest, 1.0 for the longest.
    fn spread(&self, delay: Duration, share: f64) -> Duration {
        if self.jitter <= 0.0 {
            return delay;
        }
        // Never zero: an open circuit without a delay would report half-open at once.
        Duration::try_from_secs_f64(delay.as_secs_f64() * (1.0 + self.jitter * share))
            .map_or(delay, |spread| spread.max(Duration::from_nanos(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delay_saturates_without_panic() {
        let backoff = Backoff::exponential(Duration::MAX).factor(1_000.0);
        assert_eq!(backoff.delay(u32::MAX), Duration::MAX);
        assert_eq!(backoff.jitter(0.5).jittered(3, 0.99), Duration::MAX);
        assert_eq!(Backoff::constant(SECOND).delay(u32::MAX), SECOND);
    }

    #[test]
    fn jitter_stays_within_bounds() {
        let backoff = Backoff::constant(10 * SECOND).jitter(0.2);
        assert_eq!(backoff.jittered(0, 0.0), 8 * SECOND);
        assert_eq!(backoff.jittered(0, 0.5), 10 * SECOND);
        assert!(backoff.jittered(0, 0.999_999) <= 12 * SECOND);
    }

    #[test]
    fn seeded_jitter_follows_from_seed_and_time() {
        let backoff = Backoff::constant(10 * SECOND).jitter(0.2).jitter_seed(7);
        assert_eq!(backoff.chance(5).to_bits(), backoff.chance(5).to_bits());
        let chances = [
            backoff.chance(5),
            backoff.chance(6),
            backoff.jitter_seed(8).chance(5),
        ];
        assert!(chances.iter().all(|chance| (0.0..1.0).contains(chance)));
        let [first, later, reseeded] = chances.map(f64::to_bits);
        assert!(first != later && first != reseeded, "{chances:?}");
    }

    #[test]
    fn scaled_backoff_saturates_and_is_never_zero() {
        let backoff = Backoff::exponential(10 * SECOND)
            .max(40 * SECOND)
            .scaled(0.95);
        assert_eq!(backoff.delay(0), Duration::from_millis(9_500));
        assert_eq!(backoff.delay(1), 19 * SECOND);
        assert_eq!(backoff.delay(9), 38 * SECOND);
        assert_eq!(
            Backoff::constant(Duration::MAX).scaled(1.05).delay(3),
            Duration::MAX
        );
        let shortest = Duration::from_nanos(1);
        assert_eq!(Backoff::constant(shortest).scaled(0.1).delay(0), shortest);
    }

    #[test]
    fn hint_is_lengthened_and_at_least_backoff() {
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
