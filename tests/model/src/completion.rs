//! Records the outcome of a call in the model.

use crate::log::{self, Event, RecordedCall, RecordedOutcome};
use crate::model::{Call, Model, RuleState};
use crate::ramp_up::RampUp;
use crate::settings::{Kind, Rule};
use crate::steps::Ending;
use breakerbox::{Mode, Outcome, State};
use std::time::Duration;

impl Model {
    /// Returns whether `call` belongs to the current generation. The outcome of any other call is late.
    pub fn is_current(&self, call: usize) -> bool {
        self.current_calls.contains(&call) || self.lapsed_trials.contains(&call)
    }

    /// Returns whether the failure `call` must open the circuit.
    ///
    /// Returns `None` if consecutive failures alone do not decide that.
    pub fn reaches_threshold(&self, call: usize, ending: Ending) -> Option<bool> {
        let decides = matches!(ending, Ending::Failure)
            && self.state == State::Closed
            && self.is_current(call);
        if !decides {
            return None;
        }
        let thresholds = self.settings.rules.iter().map(|rule| match rule.kind {
            Kind::Consecutive(most) => Some(most),
            _ => None,
        });
        // `None` sorts first: any rule of another kind makes the answer unknown.
        let least = thresholds.min_by_key(|most| most.unwrap_or_default())??;
        Some(log::consecutive_failures(&self.log) + 1 >= least)
    }

    /// Ends a call. Returns `false` if the circuit was disabled and recorded nothing.
    pub fn end(&mut self, call: usize, ending: Ending) -> bool {
        if !self.is_current(call) {
            self.log.push(Event::Late);
            if let Ending::TripFor(time) = ending {
                self.extend_deadline(time);
            }
            return true;
        }
        self.current_calls.retain(|other| *other != call);
        self.lapsed_trials.retain(|other| *other != call);
        if self.state == State::Disabled {
            return false;
        }
        let recorded = self.classify(self.calls[call], ending);
        let requested = match ending {
            Ending::TripFor(time) => Some(time.min(self.settings.max_trip_for)),
            _ => None,
        };
        match self.state {
            State::HalfOpen => self.end_trial(recorded, requested),
            State::Closed => {
                self.log.push(Event::Recorded(recorded));
                let trips = |state: &RuleState| {
                    recorded.violates(&state.rule) && log::is_met(&state.rule, &self.figures(state))
                };
                if requested.is_some() || self.rules.iter().any(trips) {
                    self.open(requested);
                }
            }
            _ => self.record_metrics_only(recorded, requested.is_some()),
        }
        true
    }

    fn classify(&self, call: Call, ending: Ending) -> RecordedCall {
        let elapsed = call
            .timed
            .then(|| Duration::from_nanos(self.now - call.began));
        let ran_long = match (elapsed, self.settings.cancelled_after) {
            (Some(elapsed), Some(limit)) => elapsed >= limit,
            _ => false,
        };
        let outcome = match ending {
            Ending::Success => RecordedOutcome::Success,
            Ending::Failure | Ending::TripFor(_) => RecordedOutcome::Failure,
            Ending::Ignored => RecordedOutcome::Ignored,
            Ending::Dropped if ran_long => RecordedOutcome::Failure,
            Ending::Dropped => match self.settings.cancelled_as {
                Outcome::Success => RecordedOutcome::Success,
                Outcome::Failure => RecordedOutcome::Failure,
                _ => RecordedOutcome::Ignored,
            },
        };
        let exceeds = |rule: &Rule| rule.slower_than.is_some_and(|limit| elapsed > Some(limit));
        RecordedCall {
            at: self.now,
            outcome,
            cancelled: matches!(ending, Ending::Dropped),
            elapsed,
            slow: self.settings.rules.iter().any(exceeds),
            state: self.state,
            counted: self.settings.count_successes,
        }
    }

    fn end_trial(&mut self, recorded: RecordedCall, requested: Option<Duration>) {
        self.log.push(Event::Recorded(recorded));
        let (succeeded, failed) = log::trial_results(&self.log);
        let (calls, needed) = self.period;
        if requested.is_some() || calls - failed < needed {
            self.open(requested);
        } else if succeeded >= needed {
            self.recover();
        }
    }

    /// Closes the circuit, because enough trials succeeded.
    pub fn recover(&mut self) {
        if self.settings.mode == Mode::MetricsOnly {
            self.log.push(Event::BackoffReset);
            self.enter(State::MetricsOnly);
        } else {
            self.log.push(Event::Recovered(self.now));
            self.enter(State::Closed);
            let ramps_up = self.settings.mode == Mode::Enforcing;
            let length = self.settings.ramp_up.filter(|_| ramps_up);
            self.ramp_up = length.map(|length| RampUp::new(self.now, length));
        }
    }

    /// Records a call of a metrics-only circuit.
    ///
    /// A rule that would trip is reported once, and again only after the rule was not met.
    fn record_metrics_only(&mut self, recorded: RecordedCall, requested: bool) {
        let is_met =
            |model: &Self, state: &RuleState| log::is_met(&state.rule, &model.figures(state));
        let before: Vec<_> = self.rules.iter().map(|state| is_met(self, state)).collect();
        self.log.push(Event::Recorded(recorded));
        let after: Vec<_> = self.rules.iter().map(|state| is_met(self, state)).collect();
        for (state, (before, after)) in self.rules.iter_mut().zip(before.into_iter().zip(after)) {
            state.reported &= before && after;
            if after && !state.reported && recorded.violates(&state.rule) {
                state.reported = true;
                self.log.push(Event::WouldTrip);
            }
        }
        if log::consecutive_failures(&self.log) == 0 {
            self.request_reported = false;
        }
        if requested && !self.request_reported {
            self.log.push(Event::WouldTrip);
        }
        self.request_reported |= requested;
    }
}
