use super::circuit::Circuit;
use crate::clock::Moment;
use crate::event::{Cause, Event};
use crate::state::{Flags, State, Trials, Word};
use crate::sync::Ordering;
use crate::text::Excerpt;
use crate::trip::{Ledger, TripRule};
use std::any::TypeId;
use std::collections::VecDeque;
use std::time::Duration;

/// What a circuit knows beside its word; guarded by the one lock that serializes transitions.
#[derive(Debug)]
pub(super) struct Control {
    /// When the present state began.
    pub(super) since: Moment,
    /// Why; `None` while the state has never changed.
    pub(super) cause: Option<Box<Cause>>,
    /// Failed recoveries in a row.
    pub(super) attempt: u32,
    /// The rules with what their windows hold.
    pub(super) ledger: Ledger,
    last_failure: Option<Box<Excerpt>>,
    /// Boxed, since most breakers never meet one.
    #[allow(clippy::box_collection)]
    unknown: Option<Box<Vec<TypeId>>>,
    pub(super) outbox: Option<Box<Outbox>>,
}

/// State changes that wait to be told.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    events: VecDeque<Event>,
    delivering: bool,
    /// Not only those that wait: all, since the circuit was made.
    #[cfg(feature = "metrics")]
    pub(super) changes: super::changes::Changes,
}

/// Types of errors remembered as met; more than these are not told apart, and told no more.
const MOST_UNKNOWN: usize = 64;

impl Control {
    pub(super) fn new(rules: &[TripRule], now: Moment) -> Self {
        Self {
            since: now,
            cause: None,
            attempt: 0,
            ledger: Ledger::new(rules, now),
            last_failure: None,
            unknown: None,
            outbox: None,
        }
    }

    pub(super) fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_ref().map(|text| text.as_str())
    }

    /// Keeps the text of the last failure, in the room of the one before.
    pub(super) fn keep_failure(&mut self, text: Option<Excerpt>) {
        match (&mut self.last_failure, text) {
            (Some(room), Some(text)) => **room = text,
            (room, text) => *room = text.map(Box::new),
        }
    }

    pub(super) fn keep_failure_of(&mut self, failed: bool, text: Option<&Excerpt>) {
        if failed {
            self.keep_failure(text.cloned());
        }
    }

    pub(super) fn meets_first(&mut self, error: TypeId) -> bool {
        let met = self.unknown.get_or_insert_default();
        let first = met.len() < MOST_UNKNOWN && !met.contains(&error);
        if first {
            met.push(error);
        }
        first
    }

    #[cfg(feature = "metrics")]
    fn count_change(&mut self, from: State, to: State) {
        let outbox = self.outbox.get_or_insert_default();
        outbox.changes.add(from, to, 1);
    }

    fn post(&mut self, event: Event) {
        self.outbox.get_or_insert_default().events.push_back(event);
    }

    pub(super) fn begins_delivery(&mut self) -> bool {
        match &mut self.outbox {
            Some(outbox) if !outbox.delivering && !outbox.events.is_empty() => {
                outbox.delivering = true;
                true
            }
            _ => false,
        }
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        let outbox = self.outbox.as_mut()?;
        let next = outbox.events.pop_front();
        // In one step with finding none, so that what is posted next finds somebody to tell it.
        outbox.delivering = next.is_some();
        next
    }

    pub(super) fn end_delivery(&mut self) {
        if let Some(outbox) = &mut self.outbox {
            outbox.delivering = false;
        }
    }
}

/// Transitions. Each is called with the lock held, goes by the settings of that moment, and stores
/// what the new state needs before the word that shows it.
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
        // Under the lock nobody replaces the settings, so that this is not the last to hold them.
        let config = self.config.load();
        // The windows will be empty, and so have room for successes.
        let busy = control.ledger.has_windows();
        Next {
            to,
            flags: self.flags(&config) | Flags::BUSY.when(busy),
            trials: Trials::new(config.half_open_calls(), config.success_threshold()),
            heard: self.is_heard(&config),
        }
    }

    fn entered(&self, control: &mut Control, next: &Next, before: Word, cause: Cause, now: Moment) {
        control.ledger.clear();
        control.since = now;
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
        control.cause = Some(Box::new(cause));
        if next.to.counts() {
            control.attempt = 0;
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
        control.attempt = match self.word().state() {
            State::HalfOpen => control.attempt.saturating_add(1),
            _ => 0,
        };
        let backoff = self.config.load().recovery_backoff();
        let delay = time.unwrap_or_else(|| backoff.jittered(control.attempt, fastrand::f64()));
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
