//! Direct checks of the invariants of docs/internals/state-machine.md that are visible to callers.
//!
//! The model cannot find a fault that the model and the library have in common. These checks can.

use crate::model::Model;
use crate::pair::nanos;
use breakerbox::{CircuitBreaker, Snapshot, State, Totals};
use std::time::Duration;

/// Checks readings of a breaker against earlier readings.
pub struct InvariantChecker {
    pub admitted: u64,
    pub ended: u64,
    /// Calls that ended while the breaker was disabled. No total contains them.
    pub unrecorded: u64,
    last: StateReading,
    /// The end of the open state, as the breaker reported it.
    open_until: Option<u64>,
    totals: Totals,
}

/// Values that the breaker reports without flushing its success buffer.
#[derive(Debug, PartialEq)]
struct StateReading {
    state: State,
    open_remaining: Option<Duration>,
}

impl StateReading {
    fn of(breaker: &CircuitBreaker) -> Self {
        Self {
            state: breaker.state(),
            open_remaining: breaker.open_remaining(),
        }
    }
}

impl InvariantChecker {
    pub fn of(breaker: &CircuitBreaker) -> Self {
        Self {
            admitted: 0,
            ended: 0,
            unrecorded: 0,
            last: StateReading::of(breaker),
            open_until: None,
            totals: breaker.snapshot().totals,
        }
    }

    /// Forgets the reported deadline, because a command or new settings may change it.
    pub fn forget_deadline(&mut self) {
        self.open_until = None;
    }

    /// Asserts that a late call did not change the breaker.
    ///
    /// A late call that requested a trip may extend the deadline.
    pub fn assert_unchanged(&self, breaker: &CircuitBreaker, requested: bool) {
        let mut found = StateReading::of(breaker);
        if requested && found.open_remaining > self.last.open_remaining {
            found.open_remaining = self.last.open_remaining;
        }
        assert_eq!(found, self.last, "a late call changed the breaker");
    }

    pub fn check_state(&mut self, breaker: &CircuitBreaker, model: &Model) {
        let found = StateReading::of(breaker);
        if self.last.state == State::Open && found.state == State::HalfOpen {
            let early = self.open_until.is_some_and(|until| model.now < until);
            assert!(!early, "half-open before the deadline");
        }
        self.open_until = found
            .open_remaining
            .and_then(|left| model.now.checked_add(nanos(left)));
        if model.state == State::HalfOpen {
            let trials = model.trials_in_flight();
            assert!(trials <= model.period.0 as usize, "{trials} trials");
        }
        self.last = found;
    }

    /// Checks the totals. `uncounted` is the number of successes that they do not contain.
    pub fn check_totals(&mut self, found: &Snapshot, uncounted: u64, in_flight: u64) {
        assert_eq!(self.admitted, self.ended + in_flight, "admitted");
        let now = found.totals;
        let success = now.success.unwrap_or_default();
        let ended = success + now.failure + now.ignored + now.cancelled + now.late;
        let outside = uncounted + self.unrecorded;
        assert_eq!(
            ended + outside,
            self.ended,
            "every completion is in exactly one total"
        );
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
        assert!(grows, "a total decreased: {before:?}, then {now:?}");
        self.totals = now;
    }
}
