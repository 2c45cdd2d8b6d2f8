//! Call admission: decides whether a call runs, is refused, or becomes a trial.
//!
//! A call of a closed circuit is admitted by [`Circuit::try_admit_fast`], and nearly every refusal
//! of an open circuit comes from [`Circuit::try_refuse_fast`]. Both take no lock. All other calls
//! are decided by [`Circuit::try_admit`].
//!
//! A decision does not count a refusal; [`Circuit::count_refusal`] does. A waiting call that is
//! refused tries again, and is not counted.

use super::counters::Counter;
use super::locked::Locked;
use super::running_trials::is_inside;
use super::shell::{Circuit, StateView};
use super::token::CallToken;
use super::wait_queue::WaitQueue;
use crate::clock::{ClockSource, Moment};
use crate::event::{Cause, Event};
use crate::refusal_details::RefusalDetails;
#[cfg(feature = "fleet")]
use crate::state::Refusal;
use crate::state::{Admission, Flags, Generation, PackedState, State};
use crate::sync::Ordering;

impl Circuit {
    /// Admits a call if the word alone decides that.
    #[inline]
    pub(crate) fn try_admit_fast(&self) -> Option<CallToken> {
        let word = self.word();
        word.admits_without_clock()
            .then(|| CallToken::untimed(word.generation()))
    }

    /// Refuses a call of an open circuit, if the coarse clock shows that the deadline is still
    /// ahead. Returns `None` for every other call, which [`try_admit`](Self::try_admit) decides.
    #[inline]
    pub(crate) fn try_refuse_fast(&self) -> Option<RefusalDetails> {
        let word = self.word();
        if word.state() != State::Open {
            return None;
        }
        let now = self.context.clock.coarse_now();
        // Ordering: see `consistent_read`.
        let deadline = Moment::from_nanos(self.deadline.load(Ordering::Acquire));
        let ahead = now.until(deadline) > ClockSource::COARSE_ERROR;
        (ahead && self.word() == word)
            .then(|| RefusalDetails::new(word, word.failures(), now, deadline))
    }

    /// Admits or refuses a call. Does not [count](Self::count_refusal) a refusal.
    #[inline(never)]
    pub(crate) fn try_admit(&self) -> Result<CallToken, RefusalDetails> {
        let word = self.word();
        if word.admits_all() {
            return Ok(self.issue_token(word, None));
        }
        let view = self.consistent_read();
        match view.word.state() {
            State::Closed if view.word.has(Flags::RAMPING_UP) => {
                let decided = self.admit_ramping_up(view.word);
                decided.unwrap_or_else(|| self.try_admit())
            }
            State::Closed | State::MetricsOnly | State::Disabled => {
                Ok(self.issue_token(view.word, None))
            }
            State::ForcedOpen => Err(view.refused(Moment::ORIGIN)),
            State::HalfOpen if is_inside(self, |_| true) => {
                if self.is_inside_trial() {
                    self.counters.add(Counter::Joined);
                    self.emit_call_event(|breaker| Event::Joined { breaker });
                    return Ok(CallToken::joined(view.word.generation()));
                }
                // `is_inside_trial` found that the trial's period has ended, so `view` may be
                // stale.
                self.try_start_trial(&self.consistent_read())
            }
            State::Open | State::HalfOpen => self.try_start_trial(&view),
        }
    }

    /// Returns the refusal that a call would get now, or `None` if it would be admitted. Takes no
    /// slot and counts nothing.
    #[inline]
    pub(crate) fn check_ready(&self) -> Option<RefusalDetails> {
        if self.word().admits_without_clock() {
            return None;
        }
        let view = self.consistent_read();
        match view.word.state() {
            State::Closed | State::MetricsOnly | State::Disabled => None,
            State::ForcedOpen => Some(view.refused(Moment::ORIGIN)),
            State::HalfOpen if self.is_inside_trial() => None,
            State::Open | State::HalfOpen => self.refuse_before_deadline(&view).ok(),
        }
    }

    /// Returns `true` if a trial of the present half-open period runs on this thread. A call of the
    /// circuit then joins the trial.
    pub(crate) fn is_inside_trial(&self) -> bool {
        is_inside(self, |trial| self.is_in_period_of(trial))
    }

    /// Returns `true` if the half-open period of `trial` still lasts.
    pub(super) fn is_in_period_of(&self, trial: Generation) -> bool {
        let locked = self.locked.lock();
        let word = self.word();
        word.state() == State::HalfOpen && locked.is_of_period(trial, word.generation())
    }

    /// Refuses a call because of an `earlier` refusal, even if the circuit would admit the call
    /// now. Returns the present refusal if there is one.
    #[cfg(feature = "tower")]
    pub(crate) fn refuse(&self, earlier: RefusalDetails) -> RefusalDetails {
        let refused = self.check_ready().unwrap_or(earlier);
        self.count_refusal(refused);
        refused
    }

    /// Counts a refusal, and sends its event.
    #[inline]
    pub(crate) fn count_refusal(&self, refused: RefusalDetails) {
        self.counters.add(Counter::Refused);
        // The word is loaded again: a listener may have been attached since the decision.
        if self.word().has(Flags::SLOW_PATH) {
            self.emit_refused(refused);
        }
    }

    /// Counts a refusal of [`try_admit`](Self::try_admit) separately if a ramp-up refused the call.
    #[cfg(feature = "fleet")]
    pub(crate) fn count_ramp_up_refusal(&self, refused: RefusalDetails) {
        if refused.reason() == Refusal::RampingUp {
            self.counters.add(Counter::RefusedByRampUp);
        }
    }

    #[cold]
    #[inline(never)]
    fn emit_refused(&self, refused: RefusalDetails) {
        self.emit_call_event(|breaker| Event::Refused {
            breaker,
            reason: refused.reason(),
            retry_after: refused.retry_after(),
        });
        self.report_refused_call(refused.reason());
        self.flush_overdue_events();
    }

    fn try_start_trial(&self, view: &StateView) -> Result<CallToken, RefusalDetails> {
        match self.refuse_before_deadline(view) {
            Ok(refused) => Err(refused),
            Err(now) => self.start_trial(now),
        }
    }

    /// Refuses a call without the lock. If a trial may be admitted, returns the precise time as
    /// `Err`.
    fn refuse_before_deadline(&self, view: &StateView) -> Result<RefusalDetails, Moment> {
        let clock = &self.context.clock;
        let coarse = clock.coarse_now();
        let latest = coarse.after(ClockSource::COARSE_ERROR);
        if let Admission::Refused(_) = view.admission(latest) {
            return Ok(view.refused(coarse));
        }
        let now = clock.now();
        match view.admission(now) {
            Admission::Refused(_) => Ok(view.refused(now)),
            _ => Err(now),
        }
    }

    fn start_trial(&self, now: Moment) -> Result<CallToken, RefusalDetails> {
        let mut locked = self.locked.lock();
        // Checked again under the lock, where other threads change only failures and flags of the
        // word.
        let view = self.consistent_read();
        let word = view.word;
        let trials = match view.admission(now) {
            Admission::Pass => {
                drop(locked);
                return self.try_admit();
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
                word.trials().expired()
            }
        };
        let lease = now.after(locked.config().trial_timeout());
        // Ordering: see `consistent_read`.
        self.lease.store(lease.as_nanos(), Ordering::Release);
        self.update_word(|word| word.with_trials(trials.admitted()));
        let word = self.word();
        drop(locked);
        self.flush_events();
        Ok(self.issue_token(word, Some(now)).as_trial())
    }

    /// Counts the trials of an expired lease. Queues an event for the first lease of a half-open
    /// period: trials that outlive their lease suggest that the lease is too short.
    fn report_expired_lease(&self, locked: &mut Locked, trials: u16) {
        self.counters.add_many(Counter::Outlived, trials.into());
        if locked.note_expired_lease() && self.listeners(locked.config()).has_any() {
            locked.queue_event(Event::TrialsOutlived {
                breaker: self.name.clone(),
                lease: locked.config().trial_timeout(),
                trials: trials.into(),
            });
        }
    }

    /// Returns the token of a call that `word` admits. Reads the clock if calls are timed and `now`
    /// is `None`.
    pub(super) fn issue_token(&self, word: PackedState, now: Option<Moment>) -> CallToken {
        if !word.has(Flags::TIMED) {
            return CallToken::untimed(word.generation());
        }
        let started = now.unwrap_or_else(|| self.context.clock.now());
        self.counters.add(Counter::InFlight);
        CallToken::timed(word.generation(), started)
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

    async fn wait<T>(&self, try_acquire: impl Fn(&Self) -> Result<T, RefusalDetails>) -> T {
        // A call of a closed circuit need not queue. A call inside a trial must not queue, because
        // the queue may be waiting for the slot of that trial.
        if self.word().admits_without_clock() || self.is_inside_trial() {
            if let Ok(acquired) = try_acquire(self) {
                return acquired;
            }
        }
        let queue = self.cold().wait_queue.get_or_init(WaitQueue::default);
        queue.wait(&self.context.clock, || try_acquire(self)).await
    }

    /// Returns the number of tasks that wait for the circuit.
    #[cfg(feature = "fleet")]
    pub(super) fn waiting_tasks(&self) -> u32 {
        let queue = self.cold_if_init().and_then(|cold| cold.wait_queue.get());
        queue.map_or(0, WaitQueue::waiting)
    }

    /// Wakes the first waiting call, because a trial slot may be free or the state may have
    /// changed.
    pub(super) fn wake_next(&self) {
        let cold = self.cold_if_init();
        if let Some(queue) = cold.and_then(|cold| cold.wait_queue.get()) {
            queue.wake_next();
        }
    }
}
