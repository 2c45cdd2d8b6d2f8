//! Transitions. Each is called with the lock held, goes by the settings of that moment, and stores
//! what the new state needs before the word that shows it.

use super::control::Control;
use super::shell::Circuit;
use crate::clock::Moment;
use crate::event::{Cause, Event};
use crate::state::{Flags, PackedState, State, Trials};
use crate::sync::Ordering;
use std::time::Duration;

impl Circuit {
    /// Enters a state, with whatever count is in the word by then.
    pub(super) fn enter(&self, control: &mut Control, to: State, cause: Cause, now: Moment) {
        self.enter_with(control, to, cause, now, PackedState::failures);
    }

    fn enter_with(
        &self,
        control: &mut Control,
        to: State,
        cause: Cause,
        now: Moment,
        count: impl Fn(PackedState) -> u32,
    ) {
        let next = self.next_state(control, to);
        let before = self.replace_word(|word| {
            if to == State::HalfOpen {
                // Release: see the reader of the failures.
                self.trial_failures.store(count(word), Ordering::Release);
            }
            next.word(word, count(word))
        });
        self.entered(control, &next, before, cause, now);
    }

    fn next_state(&self, control: &Control, to: State) -> Next {
        let config = control.config();
        // The windows will be empty, and so have room for successes.
        let buffering = Flags::BUFFER_SUCCESSES.when(control.config().has_windows());
        Next {
            to,
            flags: self.flags(config) | buffering,
            trials: Trials::new(config.half_open_calls(), config.success_threshold()),
            heard: self.is_heard(config),
        }
    }

    fn entered(
        &self,
        control: &mut Control,
        next: &Next,
        before: PackedState,
        cause: Cause,
        now: Moment,
    ) {
        control.clear_windows();
        if next.to == State::HalfOpen {
            // The lock keeps the generation as it is.
            control.begin_period(self.word().generation());
        }
        if !next.continues_backoff(&cause) {
            control.forget_attempts();
        }
        #[cfg(feature = "metrics")]
        control.count_change(before.state(), next.to);
        if next.heard {
            // Relaxed: it changes under the lock only.
            let deadline = Moment::from_nanos(self.deadline.load(Ordering::Relaxed));
            control.post(Event::StateChanged {
                breaker: self.name.clone(),
                from: before.state(),
                to: next.to,
                cause: cause.clone(),
                retry_after: (next.to == State::Open).then(|| now.until(deadline)),
            });
        }
        control.begin(now, cause);
    }

    /// Replaces the word, whatever count is in it by then, and tells what it was.
    pub(super) fn replace_word(&self, change: impl Fn(PackedState) -> PackedState) -> PackedState {
        let mut before = self.word();
        loop {
            match self.exchange(before, change(before)) {
                Ok(()) => return before,
                Err(found) => before = found,
            }
        }
    }

    /// Replaces exactly this word, or tells which there is instead.
    pub(super) fn exchange(&self, word: PackedState, next: PackedState) -> Result<(), PackedState> {
        // AcqRel: publishes what was stored before it, and sees what the count's last change
        // published. Failure: Acquire, as any load of the word.
        self.word
            .compare_exchange(
                word.bits(),
                next.bits(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .map(|_| ())
            .map_err(PackedState::from_bits)
    }

    /// Opens with `count` failures in a row.
    pub(super) fn open(
        &self,
        control: &mut Control,
        cause: Cause,
        period: OpenPeriod,
        now: Moment,
        count: impl Fn(PackedState) -> u32,
    ) {
        let attempt = self.prepare_to_open(control, period, now);
        self.enter_with(control, State::Open, cause, now, count);
        control.begin_attempt(attempt, period.follows_hints());
    }

    /// Opens because of a call that makes of `word` this `count`; if the word has moved since, it does
    /// nothing but tell which there is instead.
    pub(super) fn trip_from(
        &self,
        control: &mut Control,
        (word, count): (PackedState, u32),
        cause: Cause,
        period: OpenPeriod,
        now: Moment,
    ) -> Result<(), PackedState> {
        let attempt = self.prepare_to_open(control, period, now);
        let next = self.next_state(control, State::Open);
        self.exchange(word, next.word(word, count))?;
        self.entered(control, &next, word, cause, now);
        control.begin_attempt(attempt, period.follows_hints());
        Ok(())
    }

    /// Sets the deadline of an opening, which has no meaning before the word shows it, and returns the
    /// attempt.
    fn prepare_to_open(&self, control: &Control, period: OpenPeriod, now: Moment) -> u32 {
        let earlier = control.attempt(self.word().state(), now);
        let next = earlier.map_or(0, |attempt| attempt.saturating_add(1));
        let backoff = control.config().recovery_backoff();
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
        let now = self.home.clock.now();
        let control = self.control.lock();
        let config = control.config();
        let backoff = config.recovery_backoff();
        let time = backoff.lengthened(hint.min(config.max_trip_for()), fastrand::f64());
        let reading = self.read();
        let is_open = reading.state(now) == State::Open && control.follows_hints();
        let deadline = now.after(time);
        if !is_open || deadline <= reading.deadline {
            return;
        }
        self.set_deadline(deadline);
        drop(control);
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
struct Next {
    to: State,
    flags: Flags,
    trials: Trials,
    heard: bool,
}

impl Next {
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
