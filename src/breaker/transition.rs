//! Transitions. Each is called with the lock held, goes by the settings of that moment, and stores
//! what the new state needs before the word that shows it.

use super::circuit::Circuit;
use super::control::Control;
use crate::clock::Moment;
use crate::event::{Cause, Event};
use crate::state::{Flags, State, Trials, Word};
use crate::sync::Ordering;
use std::time::Duration;

impl Circuit {
    /// Enters a state, with whatever count is in the word by then.
    pub(super) fn enter(&self, control: &mut Control, to: State, cause: Cause, now: Moment) {
        self.enter_with(control, to, cause, now, Word::count);
    }

    fn enter_with(
        &self,
        control: &mut Control,
        to: State,
        cause: Cause,
        now: Moment,
        count: impl Fn(Word) -> u32,
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
        let tallying = Flags::TALLYING.when(control.config().has_windows());
        Next {
            to,
            flags: self.flags(config) | tallying,
            trials: Trials::new(config.half_open_calls(), config.success_threshold()),
            heard: self.is_heard(config),
        }
    }

    fn entered(&self, control: &mut Control, next: &Next, before: Word, cause: Cause, now: Moment) {
        control.clear_windows();
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
        if next.to.counts() {
            control.forget_attempts();
        }
    }

    /// Replaces the word, whatever count is in it by then, and tells what it was.
    pub(super) fn replace_word(&self, change: impl Fn(Word) -> Word) -> Word {
        let mut before = self.word();
        loop {
            match self.exchange(before, change(before)) {
                Ok(()) => return before,
                Err(found) => before = found,
            }
        }
    }

    /// Replaces exactly this word, or tells which there is instead.
    pub(super) fn exchange(&self, word: Word, next: Word) -> Result<(), Word> {
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
            .map_err(Word::from_bits)
    }

    /// Opens for `time`, or for as long as the settings say, with `count` failures in a row.
    pub(super) fn open(
        &self,
        control: &mut Control,
        cause: Cause,
        time: Option<Duration>,
        now: Moment,
        count: impl Fn(Word) -> u32,
    ) {
        self.prepare_to_open(control, time, now);
        self.enter_with(control, State::Open, cause, now, count);
    }

    /// Opens because of a call that makes of `word` this `count`; if the word has moved since, it does
    /// nothing but tell which there is instead.
    pub(super) fn trip_from(
        &self,
        control: &mut Control,
        (word, count): (Word, u32),
        cause: Cause,
        time: Option<Duration>,
        now: Moment,
    ) -> Result<(), Word> {
        self.prepare_to_open(control, time, now);
        let next = self.next_state(control, State::Open);
        self.exchange(word, next.word(word, count))?;
        self.entered(control, &next, word, cause, now);
        Ok(())
    }

    /// Attempt and deadline of an opening; nobody looks at them before the word shows it.
    fn prepare_to_open(&self, control: &mut Control, time: Option<Duration>, now: Moment) {
        let attempt = match self.word().state() {
            State::HalfOpen => control.attempt().saturating_add(1),
            _ => 0,
        };
        control.begin_attempt(attempt);
        let backoff = control.config().recovery_backoff();
        let delay = time.unwrap_or_else(|| backoff.jittered(attempt, fastrand::f64()));
        self.set_deadline(now.after(delay));
    }

    pub(super) fn set_deadline(&self, deadline: Moment) {
        // Release: see the reader of the deadline.
        self.deadline.store(deadline.as_nanos(), Ordering::Release);
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
    fn word(&self, before: Word, count: u32) -> Word {
        let entered = before.entering(self.to).with_flags(self.flags);
        match self.to {
            State::HalfOpen => entered.with_trials(self.trials),
            // These states begin with everything at zero, or know no failures.
            State::Closed | State::MetricsOnly | State::ForcedOpen | State::Disabled => entered,
            State::Open => entered.with_count(count),
        }
    }
}
