//! The invariants of docs/internals/state-machine.md that can be seen from outside, each checked
//! directly: the model would not notice a mistake that the library makes as well.

use crate::naive::Model;
use crate::pair::nanos;
use breakerbox::{CircuitBreaker, Snapshot, State, Totals};
use std::time::Duration;

/// Remembers what was seen of a breaker.
pub struct Witness {
    pub admitted: u64,
    pub ended: u64,
    /// Ended while the breaker was disabled, and so are in no total.
    pub unrecorded: u64,
    last: Glimpse,
    /// An open circuit said that it stays so until then.
    open_until: Option<u64>,
    totals: Totals,
}

/// What can be asked without moving successes that had been put down elsewhere.
#[derive(Debug, PartialEq)]
struct Glimpse {
    state: State,
    open_remaining: Option<Duration>,
}

impl Glimpse {
    fn of(breaker: &CircuitBreaker) -> Self {
        Self {
            state: breaker.state(),
            open_remaining: breaker.open_remaining(),
        }
    }
}

impl Witness {
    pub fn of(breaker: &CircuitBreaker) -> Self {
        Self {
            admitted: 0,
            ended: 0,
            unrecorded: 0,
            last: Glimpse::of(breaker),
            open_until: None,
            totals: breaker.snapshot().totals,
        }
    }

    /// Somebody gave a command, or other settings: what the breaker promised need not hold.
    pub fn told(&mut self) {
        self.open_until = None;
    }

    /// Nothing that an old generation does changes a new one, but that a hint may postpone the deadline.
    pub fn assert_untouched(&self, breaker: &CircuitBreaker, hint: bool) {
        let mut found = Glimpse::of(breaker);
        if hint && found.open_remaining > self.last.open_remaining {
            found.open_remaining = self.last.open_remaining;
        }
        assert_eq!(found, self.last, "a late result");
    }

    pub fn glance(&mut self, breaker: &CircuitBreaker, model: &Model) {
        let seen = Glimpse::of(breaker);
        if self.last.state == State::Open && seen.state == State::HalfOpen {
            let early = self.open_until.is_some_and(|until| model.now < until);
            assert!(!early, "half-open before its time");
        }
        self.open_until = seen
            .open_remaining
            .and_then(|left| model.now.checked_add(nanos(left)));
        if model.state == State::HalfOpen {
            let trials = model.live();
            assert!(trials <= model.period.0 as usize, "{trials} trials");
        }
        self.last = seen;
    }

    /// `uncounted` successes are left out of the totals by the settings.
    pub fn look(&mut self, found: &Snapshot, uncounted: u64, in_flight: u64) {
        assert_eq!(self.admitted, self.ended + in_flight, "admitted");
        let now = found.totals;
        let success = now.success.unwrap_or_default();
        let ended = success + now.failure + now.ignored + now.cancelled + now.late;
        let outside = uncounted + self.unrecorded;
        assert_eq!(ended + outside, self.ended, "each end is in one total");
        let before = self.totals;
        let grows = before.success.zip(now.success).is_none_or(|(a, b)| a <= b)
            && before.failure <= now.failure
            && before.ignored <= now.ignored
            && before.cancelled <= now.cancelled
            && before.late <= now.late
            && before.refused <= now.refused
            && before.timed_out <= now.timed_out
            && before.slow <= now.slow
            && before.would_trip <= now.would_trip;
        assert!(grows, "a total went back: {before:?}, then {now:?}");
        self.totals = now;
    }
}
