//! What an ended call does to its circuit.

use super::call::{Call, Completion};
use super::control::Control;
use super::counters::Count;
use super::shell::Circuit;
use super::token::CallToken;
use super::transition::OpenPeriod;
use crate::classify::Outcome;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::rules::RuleSnapshot;
use crate::rules::Sample;
use crate::state::{Flags, PackedState, State, Verdict};
use crate::sync::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// Cancelled calls in a row that are worth an event.
const SUSPICIOUS: u32 = 5;

/// Whether a call still had a say.
#[derive(PartialEq)]
enum Say {
    Counted,
    /// And added to the total under the lock.
    Booked,
    Late,
}

impl Circuit {
    /// Records how a call ended.
    pub(crate) fn record(&self, ticket: CallToken, ended: Completion<'_>) {
        self.record_classified(None, ticket, ended);
    }

    /// The same, by the settings that it has been judged by, if it has been.
    #[inline(never)]
    pub(crate) fn record_classified(
        &self,
        config: Option<&BreakerConfig>,
        ticket: CallToken,
        ended: Completion<'_>,
    ) {
        if ticket.is_joined() {
            return;
        }
        let ticket = ticket.leave();
        if ticket.started().is_some() {
            self.counters.take(Count::InFlight);
        }
        let word = self.word();
        let late = word.generation() != ticket.generation() && !self.is_lapsed_trial(ticket);
        if !late && word.state() == State::Disabled {
            return;
        }
        if matches!(ended, Completion::TimedOut(_)) {
            self.counters.add(Count::TimedOut);
        }
        if late {
            self.settle_late(ended);
            return;
        }
        let present;
        let config = if let Some(config) = config {
            config
        } else {
            present = self.config.load();
            &present
        };
        let mut room = None;
        let call = self.examine(ticket, ended, config, &mut room);
        self.note_streak(&call);
        let say = match word.state() {
            State::HalfOpen => self.settle_trial(&call),
            _ => self.settle_counting(&call),
        };
        if word.state() == State::HalfOpen {
            self.call_next();
        }
        if say == Say::Late {
            self.settle_late(ended);
            return;
        }
        self.add_up(&call, &say);
        if self.word().generation() != call.ticket.generation() {
            self.deliver();
        }
        if call.heard {
            self.emit(|breaker| Event::Recorded {
                breaker,
                outcome: call.outcome,
                elapsed: call.elapsed,
            });
        }
    }

    /// Counts a call of an earlier state, which changes nothing of the present one. How long the dependency
    /// asks to be left alone is about the future, though.
    fn settle_late(&self, ended: Completion<'_>) {
        self.counters.add(Count::Late);
        if let Completion::Returned(Outcome::TripFor(time), _) = ended {
            self.postpone(time);
        }
    }

    /// Whether the slot of a trial was given to another call, in the half-open period that still lasts.
    fn is_lapsed_trial(&self, ticket: CallToken) -> bool {
        ticket.is_trial() && self.is_in_period_of(ticket.generation())
    }

    fn add_up(&self, call: &Call<'_>, say: &Say) {
        let counts = call.counts_as != Count::Success || call.config.count_successes();
        if *say == Say::Counted && counts {
            self.counters.add(call.counts_as);
        }
        if call.slow {
            self.counters.add(Count::Slow);
        }
    }

    /// A call that ended in a counting state. Without windows and without a text to keep it is one
    /// compare-and-swap, unless it trips.
    fn settle_counting(&self, call: &Call<'_>) -> Say {
        loop {
            let word = self.word();
            if word.generation() != call.ticket.generation() {
                return Say::Late;
            }
            if call.says_nothing() {
                return Say::Counted;
            }
            let count = call.count_after(word.failures());
            let trips = call.failed() && call.may_trip(count);
            // Busy although nobody listens: whatever that was for may be over.
            let calms = word.has(Flags::SLOW_PATH) && !call.heard;
            let windows = word.has(Flags::BUFFER_SUCCESSES) || call.config.has_windows();
            if word.state() != State::Closed || windows || calms || trips {
                return self.settle_locked(call);
            }
            let keeps = call.failed() && call.config.capture_last_failure();
            let counted = if keeps {
                self.count_with_text(call, word, count)
            } else {
                self.count(word, count).then_some(Say::Counted)
            };
            if let Some(say) = counted {
                return say;
            }
        }
    }

    /// Stores the consecutive failures without the lock, if the word is still this one.
    fn count(&self, word: PackedState, count: u32) -> bool {
        word.failures() == count || self.exchange(word, word.with_failures(count)).is_ok()
    }

    /// The same for a failure whose text is kept, under the lock. Returns `None` if the word has
    /// moved.
    fn count_with_text(&self, call: &Call<'_>, word: PackedState, count: u32) -> Option<Say> {
        let mut control = self.control.lock();
        if !std::ptr::eq(Arc::as_ptr(control.config()), call.config) {
            // New settings have come meanwhile, maybe with windows or a lower threshold.
            drop(control);
            return Some(self.settle_locked(call));
        }
        let counted = self.count(word, count);
        if counted {
            Self::keep_failure_of(&mut control, call);
        }
        counted.then_some(Say::Counted)
    }

    /// Records a call in the windows, evaluates the rules, and opens the circuit if one of them holds.
    ///
    /// The rules are evaluated with the successes that were flushed. Where one holds, those that were
    /// buffered since come before the call, and may save the circuit: the buffer is closed, and the rules
    /// are evaluated again.
    #[inline(never)]
    fn settle_locked(&self, call: &Call<'_>) -> Say {
        // The clock may be a user's, which is not read under the lock.
        let now = call.now.unwrap_or_else(|| self.home.clock.now());
        let sample = call.sample(now);
        let mut control = self.control.lock();
        let mut word = self.word();
        if word.generation() != call.ticket.generation() {
            return Say::Late;
        }
        let mut row_is_over = self.flush(&mut control);
        let closed = word.state() == State::Closed;
        let watching = word.state() == State::MetricsOnly;
        if watching {
            control.ledger().refresh(now, word.failures());
        }
        let say = if control.record(&sample) {
            Say::Booked
        } else {
            Say::Counted
        };
        let count = loop {
            // The count may move without the lock, and with it whether this call trips.
            let count = call.count_after(if row_is_over { 0 } else { word.failures() });
            let published = match call.trips(&control, &sample, count) {
                Some(_) if closed && self.close_before(&mut control, &sample) => {
                    row_is_over = true;
                    continue;
                }
                Some(cause) if closed => {
                    let period = OpenPeriod::by_call(call.asked());
                    self.trip_from(&mut control, (word, count), cause, period, now)
                }
                _ => {
                    let next = self.calmed(&control, word.with_failures(count));
                    self.publish(&mut control, word, next)
                }
            };
            match published {
                Ok(()) => break count,
                Err(found) => word = found,
            }
        };
        Self::keep_failure_of(&mut control, call);
        self.renew_buffer(&mut control, now);
        if watching {
            let rules = control.ledger().newly_met(&sample, count);
            let hint = call.asked();
            let is_news = control.is_new_hint(hint.is_some(), count);
            drop(control);
            self.tell_would_trip(rules, hint.filter(|_| is_news));
        }
        say
    }

    /// The word without the busy flag, unless a success still has more to do.
    fn calmed(&self, control: &Control, word: PackedState) -> PackedState {
        if word.has(Flags::SLOW_PATH) && !self.is_busy(control.config()) {
            word.without(Flags::SLOW_PATH)
        } else {
            word
        }
    }

    /// Keeps the text of a failure, if the settings of now would have it so, too: it was made by those that the
    /// call began its end with.
    fn keep_failure_of(control: &mut Control, call: &Call<'_>) {
        let (now, then) = (&**control.config(), call.config);
        let allowed = std::ptr::eq(now, then)
            || now.capture_last_failure() && now.settings.describe.is(&then.settings.describe);
        control.keep_failure_of(call.failed(), call.text.filter(|_| allowed));
    }

    /// Whether a success has more to do than to be counted. Asked under the lock, since listeners may
    /// have come with new settings.
    fn is_busy(&self, config: &BreakerConfig) -> bool {
        self.tells_calls(config) || self.streak.load(Ordering::Relaxed) > 0
    }

    fn tell_would_trip(&self, rules: Vec<RuleSnapshot>, hint: Option<Duration>) {
        let rules = rules.into_iter().map(Cause::Rule);
        for cause in rules.chain(hint.map(Cause::Asked)) {
            self.counters.add(Count::WouldTrip);
            self.emit(|breaker| Event::WouldTrip { breaker, cause });
        }
    }

    fn settle_trial(&self, call: &Call<'_>) -> Say {
        let now = self.home.clock.now();
        let mut control = self.control.lock();
        let word = self.word();
        let holds_slot = word.generation() == call.ticket.generation();
        let trials = if holds_slot {
            word.trials().released()
        } else if word.state() == State::HalfOpen
            && control.is_of_period(call.ticket.generation(), word.generation())
        {
            // Its slot was given to another call when its lease lapsed; its verdict still counts.
            word.trials()
        } else {
            return Say::Late;
        };
        let failures = self.trial_failures.load(Ordering::Acquire);
        let failures = match call.outcome {
            Outcome::Success => 0,
            _ if call.failed() => failures.saturating_add(1),
            _ => failures,
        };
        let verdict = if call.asked().is_some() {
            Verdict::Reopen
        } else if call.says_nothing() {
            Verdict::Undecided(trials)
        } else if call.failed() || call.slow {
            trials.failed()
        } else {
            trials.succeeded()
        };
        Self::keep_failure_of(&mut control, call);
        self.trial_failures.store(failures, Ordering::Release);
        match verdict {
            Verdict::Undecided(rest) => {
                self.replace_word(|word| word.with_trials(rest));
            }
            Verdict::Close => {
                let rest = call.config.mode().state_after_recovery();
                self.enter(&mut control, rest, Cause::TrialsSucceeded, now);
            }
            Verdict::Reopen => {
                let cause = call.asked().map_or(Cause::TrialFailed, Cause::Asked);
                let period = OpenPeriod::by_call(call.asked());
                self.open(&mut control, cause, period, now, |_| failures);
            }
        }
        Say::Counted
    }

    /// Keeps count of cancelled calls with nothing else between them.
    fn note_streak(&self, call: &Call<'_>) {
        // Relaxed: a hint for people. The busy flag makes the next success come by here.
        if !call.cancelled {
            if self.streak.load(Ordering::Relaxed) > 0 {
                self.streak.store(0, Ordering::Relaxed);
            }
            return;
        }
        let calls = self.streak.fetch_add(1, Ordering::Relaxed) + 1;
        // Each time: a success that saw no streak yet may just have cleared it.
        self.set_busy();
        if calls == SUSPICIOUS {
            self.report(|breaker| Event::CancelledInARow { breaker, calls });
        }
    }
}

impl Call<'_> {
    /// Why the call opens a closed circuit, with `count` failures in a row.
    fn trips(&self, control: &Control, sample: &Sample, count: u32) -> Option<Cause> {
        match self.asked() {
            Some(time) => Some(Cause::Asked(time)),
            None => control.tripped(sample, count).map(Cause::Rule),
        }
    }
}
