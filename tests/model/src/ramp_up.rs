//! The ramp-up of a circuit in the model: keeps the time of every call, and computes with exact fractions.

use crate::pair::nanos;
use std::time::Duration;

const PARTS: u128 = 20;

pub struct RampUp {
    start: u64,
    length: u64,
    /// The time of each call since the start, admitted or refused.
    calls: Vec<u64>,
}

pub struct Decision {
    pub is_admitted: bool,
    pub begins_part: bool,
}

impl RampUp {
    pub fn new(start: u64, length: Duration) -> Self {
        Self {
            start,
            length: nanos(length),
            calls: Vec::new(),
        }
    }

    fn elapsed(&self, now: u64) -> u128 {
        u128::from(now - self.start)
    }

    /// Returns the share as a fraction: a tenth at the start, and all calls at the end.
    fn fraction(&self, now: u64) -> (u128, u128) {
        let length = u128::from(self.length);
        (length + 9 * self.elapsed(now), 10 * length)
    }

    /// Returns the share of admitted calls, or `None` after the end.
    #[allow(clippy::cast_precision_loss)]
    pub fn share(&self, now: u64) -> Option<f64> {
        let (numerator, denominator) = self.fraction(now);
        let is_over = self.elapsed(now) >= u128::from(self.length);
        (!is_over).then(|| numerator as f64 / denominator as f64)
    }

    fn part(&self, at: u64) -> u128 {
        self.elapsed(at) * PARTS / u128::from(self.length)
    }

    /// Decides a call before the end.
    pub fn decide(&mut self, now: u64) -> Decision {
        let (numerator, denominator) = self.fraction(now);
        let before = self.calls.len() as u128;
        let floor = |calls: u128| calls * numerator / denominator;
        let begins_part = self.calls.iter().all(|at| self.part(*at) < self.part(now));
        self.calls.push(now);
        Decision {
            is_admitted: begins_part || floor(before + 1) > floor(before),
            begins_part,
        }
    }

    pub fn retry_after(&self) -> Duration {
        (Duration::from_nanos(self.length) / 20).min(Duration::from_secs(1))
    }

    /// Returns the times at which a part begins, and the end.
    pub fn boundaries(&self) -> impl Iterator<Item = u64> {
        let part = |part: u64| {
            self.start
                .saturating_add(self.length.saturating_mul(part) / 20)
        };
        (1..=20).map(part)
    }
}
