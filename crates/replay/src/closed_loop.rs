//! [`ClosedLoop`]: a model in which the dependency and the callers react to the breaker.

use crate::candidate::{builder_of, jitter_seed};
use crate::random::Random;
use breakerbox::clock::ManualClock;
use breakerbox::{BreakerBuilder, CircuitBreaker, ConfigError, Event, Permit, State};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A model of a server that returns cold from an outage, and of clients that give up.
///
/// A log cannot show how a dependency recovers if it gets fewer calls. In this model the server works
/// on its calls in order. It hangs for a while, and returns with part of its capacity, which grows
/// with each answer. Clients give up, but the server still works on their calls. The breaker is real.
///
/// The figures are those of the model, and are never part of [`Figures`](crate::Figures).
///
/// # Default
///
/// * `offered`: 80 calls per second
/// * `capacity`: 100 calls per second
/// * `cold`: 40 % of the capacity, and all of it after 3,000 answers
/// * `patience`: 1 s
/// * `down`: from 60 s to 120 s
/// * `lasting`: 600 s
/// * `seeded`: 1
///
/// # Examples
///
/// ```
/// use breakerbox::CircuitBreaker;
/// use breakerbox_replay::ClosedLoop;
/// use std::time::Duration;
///
/// let model = ClosedLoop::new();
/// let breaker = CircuitBreaker::builder().recovery_timeout(Duration::from_secs(10));
/// let with = model.run(breaker.ramp_up(Duration::from_secs(30)))?;
/// let without = model.run_without_breaker();
/// assert!(with.failed * 50 < without.failed);
/// assert!(with.good_again_after < without.good_again_after);
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a model does nothing until it is run"]
pub struct ClosedLoop {
    offered: f64,
    capacity: f64,
    cold: f64,
    warm_after: f64,
    patience: Duration,
    down: (Duration, Duration),
    lasting: Duration,
    seed: u64,
}

/// What happened in a [`ClosedLoop`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClosedLoopFigures {
    /// The calls whose clients gave up.
    pub failed: u64,
    /// The calls that the breaker refused.
    pub refused: u64,
    /// How often the circuit opened.
    pub opened: u64,
    /// The time from the return of the server until the last second in which fewer than 99 % of the
    /// calls were good.
    #[serde(serialize_with = "crate::serial::seconds")]
    pub good_again_after: Duration,
}

/// The step of the model.
const TICK: Duration = Duration::from_millis(1);
/// The length of the intervals whose share of good calls is measured.
const INTERVAL: Duration = Duration::from_secs(1);

impl Default for ClosedLoop {
    fn default() -> Self {
        Self::new()
    }
}

impl ClosedLoop {
    /// Creates the model with its defaults.
    pub const fn new() -> Self {
        Self {
            offered: 80.0,
            capacity: 100.0,
            cold: 0.4,
            warm_after: 3_000.0,
            patience: Duration::from_secs(1),
            down: (Duration::from_secs(60), Duration::from_secs(120)),
            lasting: Duration::from_secs(600),
            seed: 1,
        }
    }

    /// Sets the calls per second that clients make, at most 1,000. Default: 80.
    pub const fn offered(mut self, rate: f64) -> Self {
        self.offered = rate;
        self
    }

    /// Sets the calls per second that the warm server answers. Default: 100.
    pub const fn capacity(mut self, rate: f64) -> Self {
        self.capacity = rate;
        self
    }

    /// Sets the share of its capacity with which the server returns, and the number of answers after
    /// which it has all of it. Default: 0.4 and 3,000.
    pub const fn cold(mut self, share: f64, answers: u32) -> Self {
        self.cold = share;
        self.warm_after = answers as f64;
        self
    }

    /// Sets the time after which clients give up. Default: 1 s.
    pub const fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Sets the seconds in which the server hangs. Default: `60..120`.
    pub const fn down(mut self, seconds: std::ops::Range<u64>) -> Self {
        self.down = (
            Duration::from_secs(seconds.start),
            Duration::from_secs(seconds.end),
        );
        self
    }

    /// Sets the length in seconds. Default: 600.
    pub const fn lasting(mut self, seconds: u64) -> Self {
        self.lasting = Duration::from_secs(seconds);
        self
    }

    /// Sets the seed of the arrivals. Default: 1.
    pub const fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Runs the model with a breaker.
    ///
    /// # Errors
    ///
    /// Returns an error if the settings are invalid.
    pub fn run(&self, settings: BreakerBuilder) -> Result<ClosedLoopFigures, ConfigError> {
        let clock = ManualClock::new();
        let opened = Arc::new(AtomicU64::new(0));
        let count = opened.clone();
        let config = settings.build()?.config();
        let breaker = builder_of(&config, 1.0, jitter_seed(self.seed, 0))
            .clock(clock.clone())
            .on_change(move |event| {
                if matches!(
                    event,
                    Event::StateChanged {
                        to: State::Open,
                        ..
                    }
                ) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build()?;
        let figures = self.simulate(&clock, Some(&breaker));
        Ok(ClosedLoopFigures {
            opened: opened.load(Ordering::Relaxed),
            ..figures
        })
    }

    /// Runs the model without a breaker.
    pub fn run_without_breaker(&self) -> ClosedLoopFigures {
        self.simulate(&ManualClock::new(), None)
    }

    fn simulate(&self, clock: &ManualClock, breaker: Option<&CircuitBreaker>) -> ClosedLoopFigures {
        let mut random = Random::new(self.seed);
        let mut figures = ClosedLoopFigures::default();
        let mut intervals = Intervals::default();
        // The calls at the server. The clients of the first `given_up` calls have given up.
        let (mut queue, mut given_up) = (VecDeque::<Queued>::new(), 0);
        let (mut now, mut work, mut answered) = (Duration::ZERO, 0.0, 0.0);
        while now < self.lasting {
            let arrives = random.unit() < self.offered * TICK.as_secs_f64();
            // The last calls have time to end.
            if arrives && now + self.patience < self.lasting {
                intervals.at(now).calls += 1;
                match breaker.map(CircuitBreaker::try_acquire).transpose() {
                    Ok(permit) => queue.push_back(Queued {
                        sent: now,
                        permit,
                        is_waiting: true,
                    }),
                    Err(_) => figures.refused += 1,
                }
            }
            while let Some(call) = queue.get_mut(given_up) {
                if now < call.sent + self.patience {
                    break;
                }
                call.permit.take().into_iter().for_each(Permit::failure);
                call.is_waiting = false;
                figures.failed += 1;
                given_up += 1;
            }
            work += self.capacity_at(now, answered) * TICK.as_secs_f64();
            while work >= 1.0 {
                work -= 1.0;
                let Some(call) = queue.pop_front() else {
                    continue;
                };
                given_up = given_up.saturating_sub(1);
                answered += if now < self.down.1 { 0.0 } else { 1.0 };
                if call.is_waiting {
                    call.permit.into_iter().for_each(Permit::success);
                    intervals.at(call.sent).good += 1;
                }
            }
            clock.advance(TICK);
            now += TICK;
        }
        figures.good_again_after = intervals.last_bad_end().saturating_sub(self.down.1);
        figures
    }

    /// Returns the calls per second that the server answers, after `answered` calls since its return.
    fn capacity_at(&self, now: Duration, answered: f64) -> f64 {
        match now {
            _ if now < self.down.0 => self.capacity,
            _ if now < self.down.1 => 0.0,
            _ => {
                let warm = (answered / self.warm_after.max(1.0)).min(1.0);
                self.capacity * (self.cold + (1.0 - self.cold) * warm)
            }
        }
    }
}

/// A call that was sent to the server. The permit is gone once its client has given up.
struct Queued {
    sent: Duration,
    permit: Option<Permit>,
    is_waiting: bool,
}

/// The calls of each interval, by the time of their start.
#[derive(Default)]
struct Intervals(Vec<Interval>);

#[derive(Clone, Copy, Default)]
struct Interval {
    calls: u32,
    good: u32,
}

impl Intervals {
    fn at(&mut self, time: Duration) -> &mut Interval {
        let at = usize::try_from(time.as_secs() / INTERVAL.as_secs()).unwrap_or(0);
        if at >= self.0.len() {
            self.0.resize(at + 1, Interval::default());
        }
        &mut self.0[at]
    }

    /// Returns the end of the last interval in which fewer than 99 % of the calls were good.
    fn last_bad_end(&self) -> Duration {
        let is_bad = |it: &Interval| f64::from(it.good) < 0.99 * f64::from(it.calls);
        let last = self.0.iter().rposition(is_bad);
        let count = last.and_then(|last| u32::try_from(last + 1).ok());
        count.map_or(Duration::ZERO, |count| INTERVAL * count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> BreakerBuilder {
        CircuitBreaker::builder().recovery_timeout(Duration::from_secs(10))
    }

    #[test]
    fn ramp_up_spares_cold_server() {
        let model = ClosedLoop::new();
        let without = model.run_without_breaker();
        let alone = model.run(breaker()).unwrap();
        let ramped = model
            .run(breaker().ramp_up(Duration::from_secs(30)))
            .unwrap();
        assert!(
            without.failed > 25_000 && without.opened == 0,
            "{without:?}"
        );
        assert!(
            alone.failed < 2_000 && alone.opened > ramped.opened,
            "{alone:?} {ramped:?}"
        );
        assert!(ramped.failed < alone.failed, "{alone:?} {ramped:?}");
        assert!(
            alone.good_again_after < without.good_again_after,
            "{alone:?} {without:?}"
        );
    }

    #[test]
    fn warm_server_with_spare_capacity_is_good_at_once() {
        let model = ClosedLoop::new()
            .cold(1.0, 0)
            .down(60..61)
            .lasting(120)
            .offered(50.0);
        let figures = model.run_without_breaker();
        assert!(figures.failed < 60, "{figures:?}");
        assert!(
            figures.good_again_after <= Duration::from_secs(2),
            "{figures:?}"
        );
        assert_eq!(figures, model.run_without_breaker());
        assert_ne!(figures, model.seeded(2).run_without_breaker());
    }
}
