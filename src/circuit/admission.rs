//! Who may pass.

use super::control::Control;
use super::counters::Count;
use super::running_trials::is_inside;
use super::shell::{Circuit, StateView};
use super::token::CallToken;
use crate::clock::{ClockSource, Moment};
use crate::event::{Cause, Event};
use crate::refused::Refused;
use crate::state::{Admission, Flags, Generation, PackedState, State};
use crate::sync::Ordering;

impl Circuit {
    /// Lets a call pass if that takes no more than a look at the word.
    #[inline]
    pub(crate) fn try_admit_fast(&self) -> Option<CallToken> {
        let word = self.word();
        word.admits_without_clock()
            .then(|| CallToken::untimed(word.generation()))
    }

    /// Refuses a call while the circuit is open and its deadline is certainly ahead, by the coarse
    /// clock. `None` for every other call, which [`try_admit`](Self::try_admit) decides.
    #[inline]
    pub(crate) fn try_refuse_fast(&self) -> Option<Refused> {
        let word = self.word();
        if word.state() != State::Open {
            return None;
        }
        let recent = self.home.clock.coarse_now();
        // As in `read`: a deadline of another word is found out by the word.
        let deadline = Moment::from_nanos(self.deadline.load(Ordering::Acquire));
        let far = recent.until(deadline) > ClockSource::COARSE_ERROR;
        (far && self.word() == word).then(|| Refused::new(word, word.failures(), recent, deadline))
    }

    /// Lets a call pass, or says why not; that is not [counted](Self::count_refusal).
    #[inline(never)]
    pub(crate) fn try_admit(&self) -> Result<CallToken, Refused> {
        let reading = self.read();
        match reading.word.state() {
            State::Closed | State::MetricsOnly | State::Disabled => {
                Ok(self.ticket(reading.word, None))
            }
            State::ForcedOpen => Err(reading.refused(Moment::ORIGIN)),
            State::HalfOpen if is_inside(self, |_| true) => {
                if self.is_inside_trial() {
                    return Ok(CallToken::joined(reading.word.generation()));
                }
                // The period of the trial may have ended since the reading, which is outdated then.
                self.try_begin_trial(&self.read())
            }
            State::Open | State::HalfOpen => self.try_begin_trial(&reading),
        }
    }

    fn try_begin_trial(&self, reading: &StateView) -> Result<CallToken, Refused> {
        match self.try_refuse(reading) {
            Ok(refused) => Err(refused),
            Err(now) => self.begin_trial(now),
        }
    }

    /// Whether a call would be refused now, and how. Takes no slot and counts nothing.
    #[inline]
    pub(crate) fn check_ready(&self) -> Option<Refused> {
        if self.word().admits_without_clock() {
            return None;
        }
        let reading = self.read();
        match reading.word.state() {
            State::Closed | State::MetricsOnly | State::Disabled => None,
            State::ForcedOpen => Some(reading.refused(Moment::ORIGIN)),
            State::HalfOpen if self.is_inside_trial() => None,
            State::Open | State::HalfOpen => self.try_refuse(&reading).ok(),
        }
    }

    /// Whether this thread runs a trial of the present half-open period, which a call then joins.
    pub(crate) fn is_inside_trial(&self) -> bool {
        is_inside(self, |trial| self.is_in_period_of(trial))
    }

    /// Whether the half-open period of a trial still lasts.
    pub(super) fn is_in_period_of(&self, trial: Generation) -> bool {
        let control = self.control.lock();
        let word = self.word();
        word.state() == State::HalfOpen && control.is_of_period(trial, word.generation())
    }

    /// Refuses a call whatever the state is by now, since a refusal was `seen` before it.
    #[cfg(feature = "tower")]
    pub(crate) fn refuse(&self, seen: Refused) -> Refused {
        let refused = self.check_ready().unwrap_or(seen);
        self.count_refusal(refused);
        refused
    }

    /// Counts a refusal, and sends its event.
    #[inline]
    pub(crate) fn count_refusal(&self, refused: Refused) {
        self.counters.add(Count::Refused);
        // The current word: a listener may have been added since the word of the refusal was read.
        if self.word().has(Flags::SLOW_PATH) {
            self.tell_refusal(refused);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_refusal(&self, refused: Refused) {
        self.emit_call(|breaker| Event::Refused {
            breaker,
            reason: refused.reason(),
            retry_after: refused.retry_after(),
        });
    }

    /// Refuses without the lock; the coarse clock does while the end is far away. Otherwise the
    /// precise time at which there may be a slot.
    fn try_refuse(&self, reading: &StateView) -> Result<Refused, Moment> {
        let clock = &self.home.clock;
        let recent = clock.coarse_now();
        let sure = recent.after(ClockSource::COARSE_ERROR);
        if let Admission::Refused(_) = reading.admission(sure) {
            return Ok(reading.refused(recent));
        }
        let now = clock.now();
        match reading.admission(now) {
            Admission::Refused(_) => Ok(reading.refused(now)),
            _ => Err(now),
        }
    }

    fn begin_trial(&self, now: Moment) -> Result<CallToken, Refused> {
        let mut control = self.control.lock();
        // The lock keeps everything but counts and flags still.
        let reading = self.read();
        let word = reading.word;
        let trials = match reading.admission(now) {
            Admission::Pass => {
                drop(control);
                return Ok(self.ticket(word, Some(now)));
            }
            Admission::Refused(_) => return Err(reading.refused(now)),
            Admission::FirstTrial => {
                self.enter(&mut control, State::HalfOpen, Cause::Recovering, now);
                self.word().trials()
            }
            Admission::Trial => word.trials(),
            Admission::ReplaceExpired => {
                self.replace_word(PackedState::next_generation);
                self.report_lapse(&mut control, word.trials().in_flight);
                word.trials().lapsed()
            }
        };
        let lease = now.after(control.config().trial_timeout());
        self.lease.store(lease.as_nanos(), Ordering::Release);
        self.replace_word(|word| word.with_trials(trials.admitted()));
        let word = self.word();
        drop(control);
        self.deliver();
        Ok(self.ticket(word, Some(now)).as_trial())
    }

    /// The first lapse of a period is an event: trials that take longer than their lease are the sign of
    /// a lease that is too short.
    fn report_lapse(&self, control: &mut Control, trials: u16) {
        if control.lapses_first() && self.is_heard(control.config()) {
            control.post(Event::TrialsOutlived {
                breaker: self.name.clone(),
                lease: control.config().trial_timeout(),
                trials: trials.into(),
            });
        }
    }

    /// A ticket of the state that `word` shows; its call is timed if anybody asks for that.
    fn ticket(&self, word: PackedState, now: Option<Moment>) -> CallToken {
        if !word.has(Flags::TIMED) {
            return CallToken::untimed(word.generation());
        }
        let started = now.unwrap_or_else(|| self.home.clock.now());
        self.counters.add(Count::InFlight);
        CallToken::timed(word.generation(), started)
    }
}
