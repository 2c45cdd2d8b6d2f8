//! Transitions. Each is called with the lock held, goes by the settings of that moment, and stores
//! what the new state needs before the word that shows it.

use super::locked::Locked;
use super::shell::Circuit;
use crate::clock::Moment;
use crate::event::{Cause, Event};
use crate::state::{Flags, PackedState, State, Trials};
use crate::sync::Ordering;
use std::time::Duration;

impl Circuit {
    /// Enters a state, with whatever count is in the word by then.
    pub(super) fn transition(&self, locked: &mut Locked, to: State, cause: Cause, now: Moment) {
        self.transition_with(locked, to, cause, now, PackedState::failures);
    }

    fn transition_with(
        &self,
        locked: &mut Locked,
        to: State,
        cause: Cause,
        now: Moment,
        count: impl Fn(PackedState) -> u32,
    ) {
        let next = self.next_state(locked, to);
        let before = self.update_word(|word| {
            if to == State::HalfOpen {
                // Release: see the reader of the failures.
                self.trial_failures.store(count(word), Ordering::Release);
            }
            next.word(word, count(word))
        });
        self.after_transition(locked, &next, before, cause, now);
    }

    fn next_state(&self, locked: &Locked, to: State) -> NextState {
        let config = locked.config();
        // The windows will be empty, and so have room for successes.
        let buffering = Flags::BUFFER_SUCCESSES.when(locked.config().has_windows());
        NextState {
            to,
            flags: self.flags(config) | buffering,
            trials: Trials::new(config.half_open_calls(), config.success_threshold()),
            heard: self.has_listeners(config),
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
            // The lock keeps the generation as it is.
            locked.begin_period(self.word().generation());
        }
        if !next.continues_backoff(&cause) {
            locked.clear_attempt();
        }
        #[cfg(feature = "metrics")]
        locked.count_change(before.state(), next.to);
        if next.heard {
            // Relaxed: it changes under the lock only.
            let deadline = Moment::from_nanos(self.deadline.load(Ordering::Relaxed));
            locked.queue_event(Event::StateChanged {
                breaker: self.name.clone(),
                from: before.state(),
                to: next.to,
                cause: cause.clone(),
                retry_after: (next.to == State::Open).then(|| now.until(deadline)),
            });
        }
        locked.begin(now, cause);
    }

    /// Opens with `count` failures in a row.
    pub(super) fn open(
        &self,
        locked: &mut Locked,
        cause: Cause,
        period: OpenPeriod,
        now: Moment,
        count: impl Fn(PackedState) -> u32,
    ) {
        let attempt = self.set_recovery_deadline(locked, period, now);
        self.transition_with(locked, State::Open, cause, now, count);
        locked.begin_attempt(attempt, period.follows_hints());
    }

    /// Opens because of a call that makes of `word` this `count`; if the word has moved since, it does
    /// nothing but tell which there is instead.
    pub(super) fn trip_from(
        &self,
        locked: &mut Locked,
        (word, count): (PackedState, u32),
        cause: Cause,
        period: OpenPeriod,
        now: Moment,
    ) -> Result<(), PackedState> {
        let attempt = self.set_recovery_deadline(locked, period, now);
        let next = self.next_state(locked, State::Open);
        self.cas_word(word, next.word(word, count))?;
        self.after_transition(locked, &next, word, cause, now);
        locked.begin_attempt(attempt, period.follows_hints());
        Ok(())
    }

    /// Sets the deadline of an opening, which has no meaning before the word shows it, and returns the
    /// attempt.
    fn set_recovery_deadline(&self, locked: &Locked, period: OpenPeriod, now: Moment) -> u32 {
        let earlier = locked.attempt(self.word().state(), now);
        let next = earlier.map_or(0, |attempt| attempt.saturating_add(1));
        let backoff = locked.config().recovery_backoff();
        let chance = fastrand::f64();
        let (attempt, delay) = match period {
            OpenPeriod::Backoff => (next, backoff.jittered(next, chance)),
            OpenPeriod::Hint(time) => (next, backoff.hinted(next, time, chance)),
            OpenPeriod::Command(time) => (earlier.unwrap_or(0), time),
        };
        self.set_deadline(now.after(delay));
        attempt
    }

    /// Moves the deadline of an open circuit to that of a hint from a late call, unless a command has set
    /// it or it is later already.
    pub(super) fn postpone(&self, hint: Duration) {
        let now = self.context.clock.now();
        let locked = self.locked.lock();
        let config = locked.config();
        let backoff = config.recovery_backoff();
        let time = backoff.lengthened(hint.min(config.max_trip_for()), fastrand::f64());
        let view = self.consistent_read();
        let is_open = view.state(now) == State::Open && locked.follows_hints();
        let deadline = now.after(time);
        if !is_open || deadline <= view.deadline {
            return;
        }
        self.set_deadline(deadline);
        drop(locked);
        self.wake_next();
    }

    pub(super) fn set_deadline(&self, deadline: Moment) {
        // Release: see the reader of the deadline.
        self.deadline.store(deadline.as_nanos(), Ordering::Release);
    }
}

/// For how long a circuit opens.
#[derive(Clone, Copy)]
pub(super) enum OpenPeriod {
    /// For as long as the backoff says.
    Backoff,
    /// For as long as the dependency asked for, within the limit of the settings.
    Hint(Duration),
    /// For as long as a command says.
    Command(Duration),
}

impl OpenPeriod {
    /// The opening by a call: as long as it asked for, or as the backoff says.
    pub(super) fn by_call(hint: Option<Duration>) -> Self {
        hint.map_or(Self::Backoff, Self::Hint)
    }

    fn follows_hints(self) -> bool {
        !matches!(self, Self::Command(_))
    }
}

/// A state about to be entered, by the settings of this moment.
struct NextState {
    to: State,
    flags: Flags,
    trials: Trials,
    heard: bool,
}

impl NextState {
    /// Whether the backoff goes on from the latest opening in this state. Automatic recovery keeps it, so
    /// that a dependency that fails again soon after it recovered is left alone for longer; commands and
    /// changes of the mode start over.
    fn continues_backoff(&self, cause: &Cause) -> bool {
        match self.to {
            State::Open => true,
            State::HalfOpen => matches!(cause, Cause::Recovering),
            State::Closed => matches!(cause, Cause::TrialsSucceeded),
            State::ForcedOpen | State::Disabled | State::MetricsOnly => false,
        }
    }

    fn word(&self, before: PackedState, count: u32) -> PackedState {
        let entered = before.into_state(self.to).with_flags(self.flags);
        match self.to {
            State::HalfOpen => entered.with_trials(self.trials),
            // These states begin with everything at zero, or know no failures.
            State::Closed | State::MetricsOnly | State::ForcedOpen | State::Disabled => entered,
            State::Open => entered.with_failures(count),
        }
    }
}
