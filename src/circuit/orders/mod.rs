//! Orders of a fleet: looks at a circuit, and changes it if it still is as it was seen.
//!
//! A [`View`] has a [`Mark`]. An [`Order`] is given with the mark of the view on which it was
//! decided. [`Circuit::apply`] compares the marks and changes the state under one lock, so an order
//! that was decided on an earlier state never hits a later one.

mod deadlines;
mod mark;
mod not_applied;
mod order;
mod view;

pub use mark::Mark;
pub use not_applied::NotApplied;
pub use order::Order;
pub use view::View;

use super::locked::Locked;
use super::shell::Circuit;
use super::transition::OpenPeriod;
use crate::clock::Moment;
use crate::event::Cause;
use crate::rules::RuleSnapshot;
use crate::state::{PackedState, State};

impl Circuit {
    /// Returns what a fleet has to know about the circuit.
    pub(crate) fn view(&self) -> View {
        // Read before the lock is taken: the clock may be user code.
        let now = self.context.clock.now();
        self.view_locked(&mut self.locked.lock(), now)
    }

    fn view_locked(&self, locked: &mut Locked, now: Moment) -> View {
        self.flush_buffer(locked);
        let view = self.consistent_read();
        let (stored, state) = (view.word.state(), view.state(now));
        let trials = (stored == State::HalfOpen).then(|| view.word.trials());
        let is_open = state == State::Open;
        let own = locked.own_deadline();
        let since = locked.since;
        let length = |deadline: Option<Moment>| {
            let deadline = deadline.filter(|_| is_open);
            deadline.map(|deadline| since.until(deadline))
        };
        let rules = locked.rules(now, view.failures);
        let attempt = locked.recovery_attempt(stored, now).unwrap_or(0);
        let config = locked.config().clone();
        View {
            mark: locked.mark(),
            state,
            since: if state == stored {
                now.since(locked.since)
            } else {
                now.since(view.deadline)
            },
            cause: locked.cause().cloned(),
            why: locked.cause().map(Cause::kind),
            left: is_open.then(|| now.until(view.deadline)),
            opened_for: length(own.deadline),
            asked_for: length(own.asked),
            attempt,
            failures: view.failures,
            recorded_failures: rules
                .iter()
                .map(RuleSnapshot::counted)
                .max()
                .unwrap_or(view.failures),
            refused: self.counters.refused_without_ramp_up(),
            waiting: self.waiting_tasks(),
            in_flight: trials.map_or(0, |trials| trials.in_flight.into()),
            trials_left: trials.map_or(0, |trials| trials.remaining.into()),
            reset_backoff_after: config
                .reset_backoff_after()
                .unwrap_or_else(|| config.recovery_backoff().delay(attempt)),
            longest_window: config.longest_window(),
            share: config.fleet(),
        }
    }

    /// Executes an order, with `cause` as the cause of the new state, if the circuit still has
    /// `mark`. Returns the new mark.
    pub(crate) fn apply(&self, mark: Mark, order: Order, cause: Cause) -> Result<Mark, NotApplied> {
        let now = self.context.clock.now();
        let mut locked = self.locked.lock();
        if locked.mark() != mark {
            let view = self.view_locked(&mut locked, now);
            return Err(NotApplied::Changed(Box::new(view)));
        }
        let state = self.consistent_read().state(now);
        if !order.is_taken_in(state, self.word().state(), locked.is_by_fleet()) {
            let view = self.view_locked(&mut locked, now);
            drop(locked);
            if let (Order::OpenFor(..), State::MetricsOnly) = (order, state) {
                self.count_would_trip(cause);
            }
            return Err(NotApplied::Rejected(Box::new(view)));
        }
        self.close_buffer(&mut locked, None);
        match order {
            Order::OpenFor(time, attempt) => {
                self.recover_at_deadline(&mut locked, now);
                let view = self.consistent_read();
                let period = OpenPeriod::Fleet(time, attempt);
                self.open(&mut locked, cause, period, now, |word| match word.state() {
                    State::HalfOpen => view.failures,
                    _ => word.failures(),
                });
            }
            Order::Extend(time) => {
                self.set_deadline(now.after(time));
                self.note_deadline(&mut locked);
            }
            Order::Try => self.recover(&mut locked, State::HalfOpen, cause, now),
            Order::Close => {
                self.recover_at_deadline(&mut locked, now);
                let closed = locked.config().mode().state_after_recovery();
                self.recover(&mut locked, closed, cause, now);
            }
            Order::Disable => self.transition(&mut locked, State::Disabled, cause, now),
            Order::Enable => {
                let initial = locked.config().mode().initial_state();
                // A mode of the settings. No later order may undo it.
                let cause = if initial == State::Disabled {
                    Cause::Configured
                } else {
                    cause
                };
                self.transition(&mut locked, initial, cause, now);
            }
        }
        let mark = locked.mark();
        drop(locked);
        self.wake_next();
        self.flush_events();
        Ok(mark)
    }

    /// Makes the transition of an open circuit that already reports half-open.
    fn recover_at_deadline(&self, locked: &mut Locked, now: Moment) {
        let view = self.consistent_read();
        if view.word.state() == State::Open && view.state(now) == State::HalfOpen {
            self.transition(locked, State::HalfOpen, Cause::Recovering, now);
        }
    }

    fn recover(&self, locked: &mut Locked, to: State, cause: Cause, now: Moment) {
        // As after successful trials, a metrics-only circuit begins anew.
        let next = (to, to != State::MetricsOnly);
        self.transition_with(locked, next, cause, now, PackedState::failures);
    }
}

impl Order {
    /// Returns `true` if a circuit takes the order. `state` is the state that the circuit reports,
    /// `stored` the state of its word, and `is_by_fleet` whether an order has made the state.
    fn is_taken_in(self, state: State, stored: State, is_by_fleet: bool) -> bool {
        match self {
            Self::OpenFor(..) => matches!(state, State::Closed | State::HalfOpen),
            Self::Extend(_) => state == State::Open,
            Self::Try => stored == State::Open,
            Self::Close => matches!(state, State::Open | State::HalfOpen),
            Self::Disable => matches!(state, State::Closed | State::Open | State::HalfOpen),
            Self::Enable => state == State::Disabled && is_by_fleet,
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::breaker::CircuitBreaker;
    use std::time::Duration;

    /// The generation of the word has 24 bits, and wraps.
    #[test]
    fn mark_is_new_after_generation_wraps() {
        let breaker = CircuitBreaker::builder().build().expect("valid settings");
        let circuit = &breaker.circuit;
        let (mark, word) = (circuit.view().mark, circuit.word());
        breaker.reset();
        while circuit.word().generation() != word.generation() {
            circuit.update_word(PackedState::next_generation);
        }
        let order = Order::OpenFor(Duration::ZERO, 0);
        let result = circuit.apply(mark, order, Cause::Configured);
        assert!(matches!(result, Err(NotApplied::Changed(_))));
        assert_eq!(breaker.state(), State::Closed);
    }
}
