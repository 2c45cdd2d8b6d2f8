//! Who may pass.

use super::counters::Count;
use super::locked::Locked;
use super::running_trials::is_inside;
use super::shell::{Circuit, StateView};
use super::token::CallToken;
use super::wait_queue::WaitQueue;
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
        let recent = self.context.clock.coarse_now();
        // As in `read`: a deadline of another word is found out by the word.
        let deadline = Moment::from_nanos(self.deadline.load(Ordering::Acquire));
        let far = recent.until(deadline) > ClockSource::COARSE_ERROR;
        (far && self.word() == word).then(|| Refused::new(word, word.failures(), recent, deadline))
    }

    /// Lets a call pass, or says why not; that is not [counted](Self::count_refusal).
    #[inline(never)]
    pub(crate) fn try_admit(&self) -> Result<CallToken, Refused> {
        let view = self.consistent_read();
        match view.word.state() {
            State::Closed | State::MetricsOnly | State::Disabled => Ok(self.token(view.word, None)),
            State::ForcedOpen => Err(view.refused(Moment::ORIGIN)),
            State::HalfOpen if is_inside(self, |_| true) => {
                if self.is_inside_trial() {
                    return Ok(CallToken::joined(view.word.generation()));
                }
                // The period of the trial may have ended since the view, which is outdated then.
                self.try_start_trial(&self.consistent_read())
            }
            State::Open | State::HalfOpen => self.try_start_trial(&view),
        }
    }

    fn try_start_trial(&self, view: &StateView) -> Result<CallToken, Refused> {
        match self.try_refuse(view) {
            Ok(refused) => Err(refused),
            Err(now) => self.start_trial(now),
        }
    }

    /// Whether a call would be refused now, and how. Takes no slot and counts nothing.
    #[inline]
    pub(crate) fn check_ready(&self) -> Option<Refused> {
        if self.word().admits_without_clock() {
            return None;
        }
        let view = self.consistent_read();
        match view.word.state() {
            State::Closed | State::MetricsOnly | State::Disabled => None,
            State::ForcedOpen => Some(view.refused(Moment::ORIGIN)),
            State::HalfOpen if self.is_inside_trial() => None,
            State::Open | State::HalfOpen => self.try_refuse(&view).ok(),
        }
    }

    /// Whether this thread runs a trial of the present half-open period, which a call then joins.
    pub(crate) fn is_inside_trial(&self) -> bool {
        is_inside(self, |trial| self.is_in_period_of(trial))
    }

    /// Whether the half-open period of a trial still lasts.
    pub(super) fn is_in_period_of(&self, trial: Generation) -> bool {
        let locked = self.locked.lock();
        let word = self.word();
        word.state() == State::HalfOpen && locked.is_of_period(trial, word.generation())
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
            self.emit_refused(refused);
        }
    }

    #[cold]
    #[inline(never)]
    fn emit_refused(&self, refused: Refused) {
        self.emit_call_event(|breaker| Event::Refused {
            breaker,
            reason: refused.reason(),
            retry_after: refused.retry_after(),
        });
    }

    /// Refuses without the lock; the coarse clock does while the end is far away. Otherwise the
    /// precise time at which there may be a slot.
    fn try_refuse(&self, view: &StateView) -> Result<Refused, Moment> {
        let clock = &self.context.clock;
        let recent = clock.coarse_now();
        let sure = recent.after(ClockSource::COARSE_ERROR);
        if let Admission::Refused(_) = view.admission(sure) {
            return Ok(view.refused(recent));
        }
        let now = clock.now();
        match view.admission(now) {
            Admission::Refused(_) => Ok(view.refused(now)),
            _ => Err(now),
        }
    }

    fn start_trial(&self, now: Moment) -> Result<CallToken, Refused> {
        let mut locked = self.locked.lock();
        // The lock keeps everything but counts and flags still.
        let view = self.consistent_read();
        let word = view.word;
        let trials = match view.admission(now) {
            Admission::Pass => {
                drop(locked);
                return Ok(self.token(word, Some(now)));
            }
            Admission::Refused(_) => return Err(view.refused(now)),
            Admission::FirstTrial => {
                self.transition(&mut locked, State::HalfOpen, Cause::Recovering, now);
                self.word().trials()
            }
            Admission::Trial => word.trials(),
            Admission::ReplaceExpired => {
                self.update_word(PackedState::next_generation);
                self.report_expired_lease(&mut locked, word.trials().in_flight);
                word.trials().lapsed()
            }
        };
        let lease = now.after(locked.config().trial_timeout());
        self.lease.store(lease.as_nanos(), Ordering::Release);
        self.update_word(|word| word.with_trials(trials.admitted()));
        let word = self.word();
        drop(locked);
        self.flush_events();
        Ok(self.token(word, Some(now)).as_trial())
    }

    /// The first lapse of a period is an event: trials that take longer than their lease are the sign of
    /// a lease that is too short.
    fn report_expired_lease(&self, locked: &mut Locked, trials: u16) {
        if locked.is_first_lapse() && self.has_listeners(locked.config()) {
            locked.queue_event(Event::TrialsOutlived {
                breaker: self.name.clone(),
                lease: locked.config().trial_timeout(),
                trials: trials.into(),
            });
        }
    }

    /// Waits until a call is admitted.
    pub(crate) async fn wait_for_admission(&self) -> CallToken {
        self.wait(Self::try_admit).await
    }

    /// Waits until a call would be admitted.
    pub(crate) async fn wait_until_ready(&self) {
        self.wait(|circuit| circuit.check_ready().map_or(Ok(()), Err))
            .await;
    }

    async fn wait<T>(&self, try_acquire: impl Fn(&Self) -> Result<T, Refused>) -> T {
        // A closed circuit has no queue. A call inside a trial does not queue either, because the
        // waiters may be waiting for the slot of that trial.
        if self.word().admits_without_clock() || self.is_inside_trial() {
            if let Ok(acquired) = try_acquire(self) {
                return acquired;
            }
        }
        let queue = self.cold().wait_queue.get_or_init(WaitQueue::default);
        queue.wait(&self.context.clock, || try_acquire(self)).await
    }

    /// Wakes the first call that waits for admission, if any.
    pub(super) fn wake_next(&self) {
        let cold = self.cold_if_init();
        if let Some(queue) = cold.and_then(|cold| cold.wait_queue.get()) {
            queue.wake_next();
        }
    }

    /// A token of the state that `word` shows; its call is timed if anybody asks for that.
    fn token(&self, word: PackedState, now: Option<Moment>) -> CallToken {
        if !word.has(Flags::TIMED) {
            return CallToken::untimed(word.generation());
        }
        let started = now.unwrap_or_else(|| self.context.clock.now());
        self.counters.add(Count::InFlight);
        CallToken::timed(word.generation(), started)
    }
}
