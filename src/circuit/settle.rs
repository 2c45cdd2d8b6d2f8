//! What an ended call does to its circuit.

use super::call::{Call, Ended};
use super::control::Control;
use super::counters::Count;
use super::shell::Circuit;
use super::ticket::Ticket;
use super::transition::OpenPeriod;
use crate::classify::Outcome;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::rules::RuleSnapshot;
use crate::state::{Flags, State, Verdict, Word};
use crate::sync::Ordering;
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
    pub(crate) fn settle(&self, ticket: Ticket, ended: Ended<'_>) {
        self.settle_by(None, ticket, ended);
    }

    /// The same, by the settings that it has been judged by, if it has been.
    #[inline(never)]
    pub(crate) fn settle_by(
        &self,
        config: Option<&BreakerConfig>,
        ticket: Ticket,
        ended: Ended<'_>,
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
        if matches!(ended, Ended::TimedOut(_)) {
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
    fn settle_late(&self, ended: Ended<'_>) {
        self.counters.add(Count::Late);
        if let Ended::Returned(Outcome::TripFor(time), _) = ended {
            self.postpone(time);
        }
    }

    /// Whether the slot of a trial was given to another call, in the half-open period that still lasts.
    fn is_lapsed_trial(&self, ticket: Ticket) -> bool {
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
        let keeps = call.failed() && call.config.capture_last_failure();
        let mut now = call.now;
        loop {
            let word = self.word();
            if word.generation() != call.ticket.generation() {
                return Say::Late;
            }
            if call.says_nothing() {
                return Say::Counted;
            }
            let count = call.count_after(word.count());
            let trips = call.failed() && call.may_trip(count);
            // Busy although nobody listens: whatever that was for may be over.
            let calms = word.has(Flags::BUSY) && !call.heard;
            let windows = word.has(Flags::BUFFERING) || call.config.has_windows();
            let alone = word.state() == State::Closed && !windows && !calms;
            if alone && !keeps && !trips {
                if self.count(word, count).is_ok() {
                    return Say::Counted;
                }
                continue;
            }
            if trips && now.is_none() {
                now = Some(self.home.clock.now());
            }
            match self.settle_locked(call, now) {
                Some(say) => return say,
                None => now = Some(self.home.clock.now()),
            }
        }
    }

    /// `None` when it turned out that the time is needed, which must not be read here; nothing has
    /// been recorded then.
    fn settle_locked(&self, call: &Call<'_>, now: Option<Moment>) -> Option<Say> {
        let mut control = self.control.lock();
        let mut word = self.word();
        if word.generation() != call.ticket.generation() {
            return Some(Say::Late);
        }
        let mut row_is_over = self.flush(&mut control) > 0;
        let count = |word: Word, row_is_over: bool| {
            call.count_after(if row_is_over { 0 } else { word.count() })
        };
        let (closed, watching) = (
            word.state() == State::Closed,
            word.state() == State::MetricsOnly,
        );
        let sample = call.sample(now.unwrap_or(Moment::ORIGIN));
        let mut may_trip = closed
            && (call.asked().is_some() || control.foresees_trip(&sample, count(word, row_is_over)));
        if now.is_none() && (may_trip || control.config().is_over_time()) {
            if row_is_over {
                self.reset_row();
            }
            return None;
        }
        if may_trip {
            // What has been put down meanwhile comes before it, and may change its mind.
            row_is_over |= self.close(&mut control) > 0;
        }
        if watching {
            control.ledger().refresh(sample.now, word.count());
        }
        let mut say = Say::Counted;
        if let Some(books) = &mut control.books {
            books.ledger.record(&sample);
            if call.failed() {
                books.failures += 1;
                say = Say::Booked;
            }
        }
        loop {
            // The count may still move, and with it whether this call trips; the state may not.
            let count = count(word, row_is_over);
            let cause = match call.asked() {
                _ if !may_trip => None,
                Some(time) => Some(Cause::Asked(time)),
                None => control.tripped(&sample, count).map(Cause::Rule),
            };
            match (cause, now) {
                (Some(cause), Some(now)) => {
                    row_is_over |= self.close(&mut control) > 0;
                    let period = OpenPeriod::by_call(call.asked());
                    match self.trip_from(&mut control, (word, count), cause, period, now) {
                        Ok(()) => {
                            Self::keep_failure_of(&mut control, call);
                            return Some(say);
                        }
                        Err(found) => word = found,
                    }
                    continue;
                }
                // The count has moved since it was foreseen. It alone says what has been recorded here.
                (Some(_), None) if control.books.is_none() => return None,
                _ => {}
            }
            let mut next = word.with_count(count);
            if word.has(Flags::BUSY) {
                let busy = Flags::BUSY.when(self.is_busy(control.config()));
                next = next.without(Flags::BUSY).with(busy);
            }
            match self.publish(&mut control, word, next) {
                Ok(()) => {
                    Self::keep_failure_of(&mut control, call);
                    self.renew_buffer(&mut control, sample.now);
                    if watching {
                        let rules = control.ledger().newly_held(&sample, count);
                        let hint = call.asked();
                        let is_news = control.is_new_hint(hint.is_some(), count);
                        drop(control);
                        self.tell_would_trip(rules, hint.filter(|_| is_news));
                    }
                    return Some(say);
                }
                Err(found) => (word, may_trip) = (found, closed),
            }
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

    fn count(&self, word: Word, count: u32) -> Result<(), Word> {
        if word.count() == count {
            return Ok(());
        }
        self.exchange(word, word.with_count(count))
            .map_err(|_| word)
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
                let rest = call.config.mode().recovered();
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
