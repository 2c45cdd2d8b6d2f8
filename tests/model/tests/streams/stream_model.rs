//! A naive model of one guarded stream: the history of its polls.

use super::script::{Action, Polled, judge};
use breakerbox::{BreakerError, Outcome};
use breakerbox_model::steps::Ending;
use std::time::Duration;

/// Timers of tokio have a resolution of a millisecond, and waits of the test take an even number of
/// milliseconds. Their sums are therefore never within a millisecond of this limit.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_micros(12_500);

pub(crate) struct StreamModel {
    success_after: Option<u32>,
    /// The call of the model of the breaker, once the stream is admitted.
    call: Option<usize>,
    /// All items so far.
    outcomes: Vec<Outcome>,
    panicked: bool,
    stalled: bool,
    /// The source has ended, or was dropped after a stall.
    ended: bool,
    /// The time since the first of the polls in a row that found nothing ready.
    idle: Option<Duration>,
}

/// What a poll must return and record.
pub(crate) struct Expected {
    action: Action,
    had_ended: bool,
    pub(crate) timed_out: bool,
    pub(crate) recorded: Option<(usize, Ending)>,
}

impl StreamModel {
    pub(crate) fn new(success_after: Option<u32>) -> Self {
        Self {
            success_after,
            call: None,
            outcomes: Vec::new(),
            panicked: false,
            stalled: false,
            ended: false,
            idle: None,
        }
    }

    pub(crate) fn needs_admission(&self) -> bool {
        self.call.is_none() && !self.ended
    }

    pub(crate) fn admit(&mut self, call: usize) {
        self.call = Some(call);
    }

    pub(crate) fn refuse(&mut self) {
        self.ended = true;
    }

    /// Returns whether a poll reaches the source.
    pub(crate) fn is_live(&self) -> bool {
        !self.ended
    }

    /// Returns the outcome that the history has decided.
    fn decided(&self) -> Option<Ending> {
        let needed = self.success_after.map(|items| items.max(1) as usize);
        for (index, outcome) in self.outcomes.iter().enumerate() {
            match outcome {
                Outcome::Success if needed == Some(index + 1) => return Some(Ending::Success),
                Outcome::Success => {}
                Outcome::Ignored => return Some(Ending::Ignored),
                Outcome::TripFor(time) => return Some(Ending::TripFor(*time)),
                _ => return Some(Ending::Failure),
            }
        }
        if self.panicked || self.stalled {
            return Some(Ending::Failure);
        }
        self.ended.then_some(Ending::Success)
    }

    /// Returns the call of the stream while its outcome is undecided.
    pub(crate) fn running_call(&self) -> Option<usize> {
        self.call.filter(|_| self.decided().is_none())
    }

    pub(crate) fn poll(&mut self, action: Action) -> Expected {
        let had_ended = self.ended;
        let running = self.running_call();
        if !had_ended {
            self.add(action);
        }
        Expected {
            action,
            had_ended,
            timed_out: self.stalled && !had_ended,
            recorded: running.zip(self.decided()),
        }
    }

    fn add(&mut self, action: Action) {
        match action {
            Action::Item(item) => {
                self.idle = None;
                // After a panic, items are passed on.
                if !self.panicked {
                    self.outcomes.push(judge(&item));
                }
            }
            Action::Wait => {
                let idle = *self.idle.get_or_insert_default();
                self.stalled = idle >= IDLE_LIMIT;
                self.ended = self.stalled;
            }
            Action::End => self.ended = true,
            Action::Panic => self.panicked = true,
        }
    }

    /// Returns the call that is dropped before its outcome.
    pub(crate) fn drop(self) -> Option<usize> {
        self.running_call()
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        if let Some(idle) = &mut self.idle {
            *idle += time;
        }
    }
}

impl Expected {
    pub(crate) fn assert_matches(&self, found: &Polled) {
        let matches = match (found, self.action) {
            (Polled::End, _) if self.had_ended => true,
            (_, _) if self.had_ended => false,
            (Polled::Item(Err(BreakerError::TimedOut(_))), Action::Wait) => self.timed_out,
            (Polled::Item(Ok(found)), Action::Item(Ok(given))) => *found == given,
            (Polled::Item(Err(BreakerError::Inner(found))), Action::Item(Err(given))) => {
                *found == given
            }
            (Polled::Wait, Action::Wait) => !self.timed_out,
            (Polled::End, Action::End) | (Polled::Panic, Action::Panic) => true,
            _ => false,
        };
        assert!(matches, "{found:?} of {:?}", self.action);
    }
}
