//! What an ended call does to its circuit.

use super::circuit::Circuit;
use super::control::Control;
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
use crate::trip::Sample;
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
    /// When it ended, where anybody asks.
    now: Option<Moment>,
}

impl Call<'_> {
    /// As the rules see it at `now`.
    fn sample(&self, now: Moment) -> Sample {
        Sample {
            failed: self.failed(),
            ignored: self.outcome == Outcome::Ignored,
            elapsed: self.elapsed,
            now,
        }
    }

    fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failure | Outcome::TripFor(_))
    }

    fn asked(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::TripFor(time) => Some(time.min(self.config.max_trip_for())),
            _ => None,
        }
    }

    /// The consecutive failures after it; `None` for a call that says nothing.
    fn count_after(&self, word: Word) -> Option<u32> {
        match self.outcome {
            // Dropped after it had been slow, which slow-call rules want to know.
            Outcome::Ignored if self.cancelled && self.slow => Some(word.count()),
            Outcome::Ignored => None,
            _ if self.failed() => Some(word.count().saturating_add(1)),
            _ => Some(0),
        }
    }

    /// Whether a failure that makes `count` in a row opens the circuit, windows aside.
    fn may_trip(&self, count: u32) -> bool {
        self.asked().is_some() || self.config.failure_threshold().is_some_and(|n| count >= n)
    }

    fn total(&self) -> Count {
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
        self.note_streak(&call);
        let say = match word.state() {
            State::HalfOpen => self.settle_trial(&call),
            _ => self.settle_counting(&call),
        };
        if word.state() == State::HalfOpen {
            self.call_next();
        }
        if say == Say::Late {
            self.counters.add(Count::Late);
            return;
        }
        if !matches!(call.total(), Count::Success) || config.count_successes() {
            self.counters.add(call.total());
        }
        if call.slow {
            self.counters.add(Count::Slow);
        }
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
        let asked = ticket.started().is_some() || config.has_windows();
        let now = asked.then(|| self.home.clock.now());
        let elapsed = ticket
            .started()
            .zip(now)
            .map(|(started, now)| now.since(started));
        let ran_at_least = |limit: Option<Duration>| {
            elapsed
                .zip(limit)
                .is_some_and(|(elapsed, limit)| elapsed >= limit)
        };
        let outcome = match ended {
            Ended::Returned(outcome, _) => outcome,
            Ended::Panicked | Ended::TimedOut(_) => Outcome::Failure,
            Ended::Cancelled if ran_at_least(config.cancelled_after()) => Outcome::Failure,
            Ended::Cancelled => config.settings.cancelled,
        };
        let slow = elapsed
            .zip(config.slower_than())
            .is_some_and(|(took, limit)| took > limit);
        let mut call = Call {
            ticket,
            outcome,
            cancelled: matches!(ended, Ended::Cancelled),
            elapsed,
            slow,
            text: None,
            config,
            heard: self.is_heard(config),
            now,
        };
        if call.failed() && config.capture_last_failure() {
            call.text = match ended {
                Ended::Returned(_, Some(error)) => Some(config.settings.describe.text(error)),
                Ended::Returned(_, None) => None,
                Ended::Panicked => Some(Excerpt::display("panicked")),
                Ended::TimedOut(limit) => Some(Excerpt::display(format_args!(
                    "timed out after {}",
                    Short(limit)
                ))),
                Ended::Cancelled => Some(match elapsed {
                    Some(time) => Excerpt::display(format_args!("cancelled after {}", Short(time))),
                    None => Excerpt::display("cancelled"),
                }),
            };
        }
        call
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
            let Some(count) = call.count_after(word) else {
                return Say::Counted;
            };
            let trips = call.failed() && call.may_trip(count);
            // Busy although nobody listens: whatever that was for may be over.
            let calms = word.has(Flags::BUSY) && !call.heard;
            let alone = word.state() == State::Closed && !call.config.has_windows() && !calms;
            if alone && !keeps && !trips {
                if self.count(word, count).is_ok() {
                    return Say::Counted;
                }
                continue;
            }
            if now.is_none() && (trips || !alone) {
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
        let sample = call.sample(now.unwrap_or(Moment::ORIGIN));
        if now.is_none() {
            // The rules may be newer than the call's own settings.
            let next = word.count().saturating_add(1);
            let trips = call.asked().is_some() || control.ledger.tripped(&sample, next).is_some();
            if trips || control.ledger.has_windows() {
                return None;
            }
        }
        control.ledger.record(&sample);
        loop {
            // The count may still move, and with it whether this call trips; the state may not.
            let Some(count) = call.count_after(word) else {
                return Some(Say::Counted);
            };
            let cause = match call.asked() {
                Some(time) => Some(Cause::Asked(time)),
                None => control.ledger.tripped(&sample, count).map(Cause::Rule),
            };
            let trips = cause.filter(|_| word.state() == State::Closed);
            if let (Some(cause), Some(now)) = (trips, now) {
                match self.trip_from(&mut control, (word, count), cause, call.asked(), now) {
                    Ok(()) => {
                        control.keep_failure_of(call.failed(), call.text.as_ref());
                        return Some(Say::Counted);
                    }
                    Err(found) => word = found,
                }
                continue;
            }
            let counted = word.with_count(count).without(Flags::BUSY);
            let busy = Flags::BUSY.when(self.is_busy(&control));
            match self.exchange(word, counted.with(busy)) {
                Ok(()) => {
                    control.keep_failure_of(call.failed(), call.text.as_ref());
                    if word.state() == State::MetricsOnly {
                        let would = control.ledger.newly_held(&sample, count);
                        drop(control);
                        self.tell_would_trip(would);
                    }
                    return Some(Say::Counted);
                }
                Err(found) => word = found,
            }
        }
    }

    /// Whether a success has more to do than to be counted. Asked under the lock, since listeners may
    /// have come with new settings.
    fn is_busy(&self, control: &Control) -> bool {
        self.is_heard(&self.config.load())
            || self.streak.load(Ordering::Relaxed) > 0
            || !control.ledger.is_sated()
    }

    fn tell_would_trip(&self, rules: Vec<RuleSnapshot>) {
        for rule in rules {
            self.counters.add(Count::WouldTrip);
            self.emit(|breaker| Event::WouldTrip { breaker, rule });
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
            Outcome::Ignored if !(call.cancelled && call.slow) => {
                Verdict::Undecided(trials.released())
            }
            _ if call.failed() || call.slow => trials.failed(),
            Outcome::Success => trials.succeeded(),
            _ => Verdict::Undecided(trials.released()),
        };
        if call.failed() {
            control.keep_failure(call.text.clone());
        }
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
                self.open(&mut control, cause, call.asked(), now, |_| failures);
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
        if calls == 1 {
            self.set_busy();
        }
        if calls == SUSPICIOUS {
            self.emit(|breaker| Event::CancelledInARow { breaker, calls });
        }
    }
}
