//! What the end of a call means to the model.

use crate::naive::{Call, Model, Watched};
use crate::record::{self, Ended, Event, Meaning};
use crate::settings::{Kind, Rule};
use crate::steps::Ending;
use breakerbox::{Mode, Outcome, State};
use std::time::Duration;

impl Model {
    pub fn has_a_say(&self, call: usize) -> bool {
        self.live.contains(&call) || self.lapsed.contains(&call)
    }

    /// Whether `call` is a failure whose number in a row alone decides, and then whether it opens the
    /// circuit.
    pub fn threshold_due(&self, call: usize, ending: Ending) -> Option<bool> {
        let decides = matches!(ending, Ending::Failure)
            && self.state == State::Closed
            && self.has_a_say(call);
        if !decides {
            return None;
        }
        let thresholds = self.settings.rules.iter().map(|rule| match rule.kind {
            Kind::Consecutive(most) => Some(most),
            _ => None,
        });
        let least = thresholds.min_by_key(|most| most.unwrap_or_default())??;
        Some(record::consecutive(&self.log) + 1 >= least)
    }

    /// False for a call that ends while nothing is recorded.
    pub fn end(&mut self, call: usize, ending: Ending) -> bool {
        if !self.has_a_say(call) {
            self.log.push(Event::Late);
            if let Ending::TripFor(time) = ending {
                self.postpone(time);
            }
            return true;
        }
        self.live.retain(|live| *live != call);
        self.lapsed.retain(|lapsed| *lapsed != call);
        if self.state == State::Disabled {
            return false;
        }
        let ended = self.judge(self.calls[call], ending);
        let asked = match ending {
            Ending::TripFor(time) => Some(time.min(self.settings.max_trip_for)),
            _ => None,
        };
        match self.state {
            State::HalfOpen => self.end_trial(ended, asked),
            State::Closed => {
                self.log.push(Event::Ended(ended));
                let trips = |watched: &Watched| {
                    ended.counts_against(&watched.rule)
                        && record::holds(&watched.rule, &self.figures(watched))
                };
                if asked.is_some() || self.rules.iter().any(trips) {
                    self.open(asked);
                }
            }
            _ => self.watch(ended, asked.is_some()),
        }
        true
    }

    fn judge(&self, call: Call, ending: Ending) -> Ended {
        let elapsed = call
            .timed
            .then(|| Duration::from_nanos(self.now - call.began));
        let ran_long = match (elapsed, self.settings.cancelled_after) {
            (Some(elapsed), Some(limit)) => elapsed >= limit,
            _ => false,
        };
        let meaning = match ending {
            Ending::Success => Meaning::Success,
            Ending::Failure | Ending::TripFor(_) => Meaning::Failure,
            Ending::Ignored => Meaning::Ignored,
            Ending::Dropped if ran_long => Meaning::Failure,
            Ending::Dropped => match self.settings.cancelled_as {
                Outcome::Success => Meaning::Success,
                Outcome::Failure => Meaning::Failure,
                _ => Meaning::Ignored,
            },
        };
        let exceeds = |rule: &Rule| rule.slower_than.is_some_and(|limit| elapsed > Some(limit));
        Ended {
            at: self.now,
            meaning,
            cancelled: matches!(ending, Ending::Dropped),
            elapsed,
            slow: self.settings.rules.iter().any(exceeds),
            state: self.state,
            counted: self.settings.count_successes,
        }
    }

    fn end_trial(&mut self, ended: Ended, asked: Option<Duration>) {
        self.log.push(Event::Ended(ended));
        let (good, bad) = record::trials(&self.log);
        let (calls, wanted) = self.period;
        if asked.is_some() || calls - bad < wanted {
            self.open(asked);
        } else if good >= wanted {
            if self.settings.mode == Mode::MetricsOnly {
                self.log.push(Event::BackoffAnew);
                self.enter(State::MetricsOnly);
            } else {
                self.log.push(Event::Recovered(self.now));
                self.enter(State::Closed);
            }
        }
    }

    /// Tells of each rule that would trip, again only after it turned false.
    fn watch(&mut self, ended: Ended, hint: bool) {
        let hold =
            |model: &Self, watched: &Watched| record::holds(&watched.rule, &model.figures(watched));
        let before: Vec<_> = self
            .rules
            .iter()
            .map(|watched| hold(self, watched))
            .collect();
        self.log.push(Event::Ended(ended));
        let after: Vec<_> = self
            .rules
            .iter()
            .map(|watched| hold(self, watched))
            .collect();
        for (watched, (before, after)) in self.rules.iter_mut().zip(before.into_iter().zip(after)) {
            watched.told &= before && after;
            if after && !watched.told && ended.counts_against(&watched.rule) {
                watched.told = true;
                self.log.push(Event::WouldTrip);
            }
        }
        if record::consecutive(&self.log) == 0 {
            self.hinted = false;
        }
        if hint && !self.hinted {
            self.log.push(Event::WouldTrip);
        }
        self.hinted |= hint;
    }
}
