//! State transitions.
//!
//! Every transition is made with the lock held, and with the settings that are valid at that point.
//! The values that a new state needs are stored before the word that publishes the state.

use super::locked::Locked;
#[cfg(feature = "fleet")]
use super::pending_changes::PendingChange;
use super::shell::Circuit;
use crate::clock::Moment;
use crate::event::{Cause, Event};
use crate::state::{Flags, Mode, PackedState, State, Trials};
use crate::sync::Ordering;
use std::time::Duration;

impl Circuit {
    /// Enters a state, with the consecutive failures of the present word.
    pub(super) fn transition(&self, locked: &mut Locked, to: State, cause: Cause, now: Moment) {
        let next = (to, continues_backoff(to, &cause));
        self.transition_with(locked, next, cause, now, PackedState::failures);
    }

    /// Enters the state `to`. If `continues` is set, the backoff continues from the latest opening.
    pub(super) fn transition_with(
        &self,
        locked: &mut Locked,
        (to, continues): (State, bool),
        cause: Cause,
        now: Moment,
        count: impl Fn(PackedState) -> u32,
    ) {
        let next = self.next_state(locked, to, continues);
        if let Some(length) = next.ramp_up {
            // Only the holder of the lock changes the generation, so this word has that of the word
            // that is published below.
            self.prepare_ramp_up(next.word(self.word(), 0), now, length);
        }
        let before = self.update_word(|word| {
            if to == State::HalfOpen {
                // Ordering: see `consistent_read`.
                self.trial_failures.store(count(word), Ordering::Release);
            }
            next.word(word, count(word))
        });
        self.after_transition(locked, &next, before, cause, now);
    }

    fn next_state(&self, locked: &Locked, to: State, continues: bool) -> NextState {
        let config = locked.config();
        let recovers = to == State::Closed && continues;
        let ramp_up = config
            .ramp_up()
            .filter(|_| recovers && config.mode() == Mode::Enforcing);
        // The transition clears the windows, so the next success changes them.
        let buffering = Flags::BUFFER_SUCCESSES.when(config.has_windows());
        NextState {
            to,
            continues_backoff: continues,
            flags: self.flags(config) | buffering | Flags::RAMPING_UP.when(ramp_up.is_some()),
            ramp_up,
            trials: Trials::new(config.half_open_calls(), config.success_threshold()),
            notify: self.listeners(config).has_any(),
        }
    }

    fn after_transition(
        &self,
        locked: &mut Locked,
        next: &NextState,
        before: PackedState,
        cause: Cause,
        now: Moment,
    ) {
        locked.clear_windows();
        if next.to == State::HalfOpen {
            // Only the holder of the lock changes the generation, so this is the one that was just
            // entered.
            locked.begin_period(self.word().generation());
        }
        if !next.continues_backoff {
            locked.clear_attempt();
        }
        #[cfg(feature = "fleet")]
        self.queue_change(locked, PendingChange::Transition(before.state(), next.to));
        #[cfg(feature = "metrics")]
        locked.count_transition(before.state(), next.to);
        if next.notify {
            // Ordering: `Relaxed`, because the deadline changes only under the lock.
            let deadline = Moment::from_nanos(self.deadline.load(Ordering::Relaxed));
            locked.queue_event(Event::StateChanged {
                breaker: self.name.clone(),
                from: before.state(),
                to: next.to,
                cause: cause.clone(),
                retry_after: (next.to == State::Open).then(|| now.until(deadline)),
            });
        }
        locked.begin_state(now, cause);
    }

    /// Opens the circuit. `count` returns the consecutive failures, given the present word.
    pub(super) fn open(
        &self,
        locked: &mut Locked,
        cause: Cause,
        period: OpenPeriod,
        now: Moment,
        count: impl Fn(PackedState) -> u32,
    ) {
        let attempt = self.set_recovery_deadline(locked, period, now);
        self.transition_with(locked, (State::Open, true), cause, now, count);
        locked.begin_attempt(attempt, period.follows_hints());
        #[cfg(feature = "fleet")]
        self.begin_own_deadline(locked, period);
    }

    /// Opens the circuit because of a call, after which there are `count` consecutive failures.
    ///
    /// # Errors
    ///
    /// If the state word is no longer `word`, returns the present word and does not open the
    /// circuit.
    pub(super) fn trip_from(
        &self,
        locked: &mut Locked,
        (word, count): (PackedState, u32),
        cause: Cause,
        period: OpenPeriod,
        now: Moment,
    ) -> Result<(), PackedState> {
        let attempt = self.set_recovery_deadline(locked, period, now);
        let next = self.next_state(locked, State::Open, true);
        self.cas_word(word, next.word(word, count))?;
        self.after_transition(locked, &next, word, cause, now);
        locked.begin_attempt(attempt, period.follows_hints());
        #[cfg(feature = "fleet")]
        self.begin_own_deadline(locked, period);
        Ok(())
    }

    /// Sets the deadline of a circuit that is about to open, and returns the backoff attempt.
    fn set_recovery_deadline(&self, locked: &Locked, period: OpenPeriod, now: Moment) -> u32 {
        let earlier = locked.recovery_attempt(self.word().state(), now);
        let next = earlier.map_or(0, |attempt| attempt.saturating_add(1));
        let backoff = locked.config().recovery_backoff();
        let chance = backoff.chance(now.as_nanos());
        let (attempt, delay) = match period {
            OpenPeriod::Backoff => (next, backoff.jittered(next, chance)),
            OpenPeriod::Hint(time) => (next, backoff.hinted(next, time, chance)),
            OpenPeriod::Command(time) => (earlier.unwrap_or(0), time),
            #[cfg(feature = "fleet")]
            OpenPeriod::Fleet(time, attempt) => (attempt, time),
        };
        self.set_deadline(now.after(delay));
        attempt
    }

    /// Moves the deadline of an open circuit according to the hint of a late call. A deadline that
    /// a command has set, or that is later, is kept.
    pub(super) fn postpone(&self, hint: Duration) {
        let now = self.context.clock.now();
        #[cfg_attr(not(feature = "fleet"), allow(unused_mut))]
        let mut locked = self.locked.lock();
        let config = locked.config();
        let backoff = config.recovery_backoff();
        let time = backoff.lengthened(
            hint.min(config.max_trip_for()),
            backoff.chance(now.as_nanos()),
        );
        let view = self.consistent_read();
        if view.state(now) != State::Open || !locked.follows_hints() {
            return;
        }
        let deadline = now.after(time);
        let moves = deadline > view.deadline;
        if moves {
            self.set_deadline(deadline);
        }
        #[cfg(feature = "fleet")]
        self.add_hint(&mut locked, deadline, moves);
        drop(locked);
        if moves {
            self.wake_next();
        }
        #[cfg(feature = "fleet")]
        self.tell_observers();
    }

    pub(super) fn set_deadline(&self, deadline: Moment) {
        // Ordering: see `consistent_read`.
        self.deadline.store(deadline.as_nanos(), Ordering::Release);
    }
}

/// How long a circuit stays open.
#[derive(Clone, Copy)]
pub(super) enum OpenPeriod {
    /// The delay of the backoff.
    Backoff,
    /// The time for which the dependency asked for no calls, limited by the settings.
    Hint(Duration),
    /// The duration that a command specifies.
    Command(Duration),
    /// The duration and the attempt that a fleet specifies.
    #[cfg(feature = "fleet")]
    Fleet(Duration, u32),
}

impl OpenPeriod {
    /// Returns the period of an opening by a call: the hint of the call, or else the backoff.
    pub(super) fn by_call(hint: Option<Duration>) -> Self {
        hint.map_or(Self::Backoff, Self::Hint)
    }

    fn follows_hints(self) -> bool {
        !matches!(self, Self::Command(_))
    }
}

/// A state that is about to be entered.
struct NextState {
    to: State,
    /// Whether the backoff continues from the latest opening.
    continues_backoff: bool,
    flags: Flags,
    /// The length of the ramp-up with which the state begins.
    ramp_up: Option<Duration>,
    trials: Trials,
    notify: bool,
}

impl NextState {
    fn word(&self, before: PackedState, count: u32) -> PackedState {
        let entered = before.into_state(self.to).with_flags(self.flags);
        match self.to {
            State::HalfOpen => entered.with_trials(self.trials),
            // These states begin without failures, or do not count them.
            State::Closed | State::MetricsOnly | State::ForcedOpen | State::Disabled => entered,
            State::Open => entered.with_failures(count),
        }
    }
}

/// Returns `true` if the backoff continues from the latest opening.
///
/// Automatic recovery continues the backoff, so that a dependency that soon fails again gets a longer
/// delay. Commands and changes of the mode reset it.
fn continues_backoff(to: State, cause: &Cause) -> bool {
    match to {
        State::Open => true,
        State::HalfOpen => matches!(cause, Cause::Recovering),
        State::Closed => matches!(cause, Cause::TrialsSucceeded),
        State::ForcedOpen | State::Disabled | State::MetricsOnly => false,
    }
}
