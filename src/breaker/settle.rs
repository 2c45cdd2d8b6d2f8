//! What an ended call does to its circuit.

use super::circuit::{Circuit, is_heard};
use super::control::{Entry, Opening};
use super::counters::Count;
use super::ticket::Ticket;
use crate::classify::Outcome;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::snapshot::RuleSnapshot;
use crate::state::{Flags, State, Verdict, Word};
use crate::sync::Ordering;
use crate::text::{Excerpt, Short};
use crate::trip::{Kind, TripRule};
use std::fmt;
use std::time::Duration;

/// How a call ended.
#[derive(Clone, Copy)]
pub(crate) enum Ended<'a> {
    /// It returned and was judged.
    Returned(Outcome, Option<&'a dyn fmt::Debug>),
    /// It was dropped.
    Cancelled,
    /// It panicked.
    Panicked,
    /// It was dropped because it ran longer than its limit.
    TimedOut(Duration),
}

/// Cancelled calls in a row that are worth an event.
const SUSPICIOUS: u32 = 5;

/// What there is to know of an ended call before the circuit is asked.
struct Call<'a> {
    ticket: Ticket,
    outcome: Outcome,
    cancelled: bool,
    elapsed: Option<Duration>,
    slow: bool,
    text: Option<Excerpt>,
    config: &'a BreakerConfig,
    heard: bool,
}

impl Call<'_> {
    fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failure | Outcome::TripFor(_))
    }

    fn asked(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::TripFor(time) => Some(time.min(self.config.max_trip_for())),
            _ => None,
        }
    }

    fn count(&self) -> Count {
        match self.outcome {
            _ if self.failed() => Count::Failure,
            Outcome::Success => Count::Success,
            _ if self.cancelled => Count::Cancelled,
            _ => Count::Ignored,
        }
    }
}

/// Whether a call still had a say.
#[derive(PartialEq)]
enum Say {
    Counted,
    Late,
}

impl Circuit {
    /// Records a success. On a healthy circuit that is one load, and one more number in the totals.
    #[inline]
    pub(crate) fn succeed(&self, ticket: Ticket) {
        let word = self.word();
        if word.is_quiet(ticket.generation()) && ticket.started().is_none() {
            if word.has(Flags::COUNTING) {
                self.counters.add(Count::Success);
            }
            return;
        }
        self.settle(ticket, Ended::Returned(Outcome::Success, None));
    }

    /// Records how a call ended.
    #[inline(never)]
    pub(crate) fn settle(&self, ticket: Ticket, ended: Ended<'_>) {
        if matches!(ended, Ended::TimedOut(_)) {
            self.counters.add(Count::TimedOut);
        }
        let word = self.word();
        if word.generation() != ticket.generation() {
            self.counters.add(Count::Late);
            return;
        }
        if word.state() == State::Disabled {
            return;
        }
        let config = self.config.load();
        let call = self.examine(ticket, ended, &config);
        let say = match word.state() {
            State::HalfOpen => self.settle_trial(&call),
            _ if call.asked().is_some() || call.failed() => self.settle_failure(&call),
            _ => self.settle_other(&call),
        };
        if say == Say::Late {
            self.counters.add(Count::Late);
            return;
        }
        if call.count() as usize != Count::Success as usize || config.count_successes() {
            self.counters.add(call.count());
        }
        if call.slow {
            self.counters.add(Count::Slow);
        }
        self.note_streak(&call);
        if call.heard {
            self.deliver();
            self.emit(|breaker| Event::Recorded {
                breaker,
                outcome: call.outcome,
                elapsed: call.elapsed,
            });
        }
    }

    /// Everything that calls somebody's code, before the lock is taken.
    fn examine<'a>(&self, ticket: Ticket, ended: Ended<'_>, config: &'a BreakerConfig) -> Call<'a> {
        let elapsed = ticket.started().map(|started| self.home.clock.now().since(started));
        let ran_at_least = |limit: Option<Duration>| {
            elapsed.zip(limit).is_some_and(|(elapsed, limit)| elapsed >= limit)
        };
        let outcome = match ended {
            Ended::Returned(outcome, _) => outcome,
            Ended::Panicked | Ended::TimedOut(_) => Outcome::Failure,
            Ended::Cancelled if ran_at_least(config.cancelled_after()) => Outcome::Failure,
            Ended::Cancelled => config.settings.cancelled,
        };
        let slow = elapsed.zip(config.slower_than()).is_some_and(|(took, limit)| took > limit);
        let mut call = Call {
            ticket,
            outcome,
            cancelled: matches!(ended, Ended::Cancelled),
            elapsed,
            slow,
            text: None,
            config,
            heard: is_heard(config, &self.home),
        };
        if call.failed() && config.capture_last_failure() {
            call.text = match ended {
                Ended::Returned(_, Some(error)) => Some(config.settings.describe.text(error)),
                Ended::Returned(_, None) => None,
                Ended::Panicked => Some(Excerpt::display("panicked")),
                Ended::TimedOut(limit) => {
                    Some(Excerpt::display(format_args!("timed out after {}", Short(limit))))
                }
                Ended::Cancelled => Some(match elapsed {
                    Some(time) => Excerpt::display(format_args!("cancelled after {}", Short(time))),
                    None => Excerpt::display("cancelled"),
                }),
            };
        }
        call
    }

    /// A success, or a call that says nothing, in a counting state.
    fn settle_other(&self, call: &Call<'_>) -> Say {
        if call.outcome != Outcome::Success {
            return Say::Counted;
        }
        let mut word = self.word();
        loop {
            if word.generation() != call.ticket.generation() {
                return Say::Late;
            }
            if word.count() == 0 {
                return Say::Counted;
            }
            match self.count(word, 0) {
                Ok(()) => return Say::Counted,
                Err(found) => word = found,
            }
        }
    }

    /// A failure in a counting state: one compare-and-swap, unless its text is kept or it trips.
    fn settle_failure(&self, call: &Call<'_>) -> Say {
        let keeps = call.config.capture_last_failure();
        let mut now = None;
        loop {
            let word = self.word();
            if word.generation() != call.ticket.generation() {
                return Say::Late;
            }
            let count = word.count().saturating_add(1);
            let trip = trip_cause(call, count);
            if trip.is_none() && !keeps {
                if self.count(word, count).is_ok() {
                    return Say::Counted;
                }
                continue;
            }
            if trip.is_some() && now.is_none() {
                now = Some(self.home.clock.now());
            }
            if let Some(say) = self.settle_failure_locked(call, now) {
                return say;
            }
        }
    }

    /// `None` when it turned out that the time is needed, which must not be read here.
    fn settle_failure_locked(&self, call: &Call<'_>, now: Option<Moment>) -> Option<Say> {
        let mut control = self.control.lock();
        loop {
            let word = self.word();
            if word.generation() != call.ticket.generation() {
                return Some(Say::Late);
            }
            let count = word.count().saturating_add(1);
            match (trip_cause(call, count), now) {
                (Some(_), None) => return None,
                (Some(cause), Some(now)) if word.state() == State::Closed => {
                    control.keep_failure(call.text.clone());
                    let opening = Opening::new(count, cause, call.asked(), call.heard);
                    self.open(&mut control, call.config, opening, now);
                    return Some(Say::Counted);
                }
                _ => {}
            }
            if self.count(word, count).is_ok() {
                control.keep_failure(call.text.clone());
                return Some(Say::Counted);
            }
        }
    }

    fn count(&self, word: Word, count: u32) -> Result<(), Word> {
        // AcqRel: as `replace_word`.
        self.word
            .compare_exchange(
                word.bits(),
                word.with_count(count).bits(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .map(|_| ())
            .map_err(Word::from_bits)
    }

    fn settle_trial(&self, call: &Call<'_>) -> Say {
        let now = self.home.clock.now();
        let mut control = self.control.lock();
        let word = self.word();
        if word.generation() != call.ticket.generation() {
            return Say::Late;
        }
        let trials = word.trials();
        let failures = self.trial_failures.load(Ordering::Acquire);
        let failures = match call.outcome {
            Outcome::Success => 0,
            _ if call.failed() => failures.saturating_add(1),
            _ => failures,
        };
        let verdict = match call.outcome {
            _ if call.asked().is_some() => Verdict::Reopen,
            _ if call.failed() || call.slow => trials.failed(),
            Outcome::Success => trials.succeeded(),
            _ => Verdict::Undecided(trials.released()),
        };
        if call.failed() {
            control.keep_failure(call.text.clone());
        }
        self.trial_failures.store(failures, Ordering::Release);
        match verdict {
            Verdict::Undecided(rest) => self.publish(word.with_trials(rest)),
            Verdict::Close => {
                let rest = call.config.mode().recovered();
                let entry = Entry::new(rest, 0, Cause::TrialsSucceeded, call.heard);
                self.enter(&mut control, call.config, entry, now);
            }
            Verdict::Reopen => {
                let cause = call.asked().map_or(Cause::TrialFailed, Cause::Asked);
                let opening = Opening::new(failures, cause, call.asked(), call.heard);
                self.open(&mut control, call.config, opening, now);
            }
        }
        Say::Counted
    }

    /// Keeps count of cancelled calls with nothing else between them.
    fn note_streak(&self, call: &Call<'_>) {
        // Relaxed: a hint for people; the busy flag is set after it and only makes the next
        // success come by here.
        if !call.cancelled {
            if self.streak.load(Ordering::Relaxed) > 0 {
                self.streak.store(0, Ordering::Relaxed);
                self.calm(call);
            }
            return;
        }
        let calls = self.streak.fetch_add(1, Ordering::Relaxed) + 1;
        if calls == 1 {
            self.set_busy();
        }
        if calls == SUSPICIOUS {
            self.emit(|breaker| Event::CancelledInARow { breaker, calls });
        }
    }

    /// Takes the busy flag back when nothing needs it any more.
    fn calm(&self, call: &Call<'_>) {
        let _control = self.control.lock();
        // Asked again under the lock: listeners may have come with new settings.
        if !call.heard && self.streak.load(Ordering::Relaxed) == 0 {
            self.replace_word(|word| word.without(Flags::BUSY));
        }
    }
}

/// Why a failure that makes `count` in a row opens the circuit, if it does.
fn trip_cause(call: &Call<'_>, count: u32) -> Option<Cause> {
    if let Some(time) = call.asked() {
        return Some(Cause::Asked(time));
    }
    let tripped = |rule: &&TripRule| matches!(rule.kind, Kind::Consecutive(n) if count >= n);
    let rule = call.config.trip_rules().iter().find(tripped)?;
    Some(Cause::Rule(consecutive(*rule, count)))
}

pub(super) fn consecutive(rule: TripRule, count: u32) -> RuleSnapshot {
    RuleSnapshot { rule, recorded: count, failed: count, slow: 0, rate: None }
}
