use super::circuit::Circuit;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::state::{Flags, State, Word};
use crate::sync::Ordering;
use crate::text::Excerpt;
use crate::trip::{Ledger, TripRule};
use std::any::TypeId;
use std::collections::VecDeque;
use std::sync::Arc;
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
    outbox: Option<Box<Outbox>>,
}

/// State changes that wait to be told.
#[derive(Debug, Default)]
struct Outbox {
    events: VecDeque<Event>,
    delivering: bool,
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
        outbox.delivering = next.is_some();
        next
    }
}

/// Transitions. Each is called with the lock held, and publishes what the new state needs before
/// the word that shows it.
impl Circuit {
    /// Enters a state; the caller has stored what belongs to it.
    pub(super) fn enter(
        &self,
        control: &mut Control,
        config: &BreakerConfig,
        entry: Entry,
        now: Moment,
    ) {
        let heard = entry.heard;
        control.ledger.clear();
        let busy = heard || !control.ledger.is_sated();
        let flags = config.flags() | Flags::BUSY.when(busy);
        let before = self.replace_word(|word| {
            let entered = word.entering(entry.to).with_flags(flags);
            match entry.to {
                State::HalfOpen => entered.with_trials(Self::fresh_trials(config)),
                _ => entered.with_count(entry.count),
            }
        });
        control.since = now;
        if heard {
            control.post(Event::StateChanged {
                breaker: self.name.clone(),
                from: before.state(),
                to: entry.to,
                cause: entry.cause.clone(),
            });
        }
        control.cause = Some(Box::new(entry.cause));
        if entry.to.counts() {
            control.attempt = 0;
        }
    }

    /// Replaces the word, whatever count is in it by then, and tells what it was.
    pub(super) fn replace_word(&self, change: impl Fn(Word) -> Word) -> Word {
        let mut before = self.word();
        loop {
            let after = change(before);
            // AcqRel: publishes what was stored before it, and sees what the count's last change
            // published. Failure: Acquire, as any load of the word.
            match self.word.compare_exchange(
                before.bits(),
                after.bits(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return before,
                Err(found) => before = Word::from_bits(found),
            }
        }
    }

    /// Opens for `time`, or for as long as the settings say.
    pub(super) fn open(
        &self,
        control: &mut Control,
        config: &BreakerConfig,
        opening: Opening,
        now: Moment,
    ) {
        let from = self.word().state();
        control.attempt = match from {
            State::HalfOpen => control.attempt.saturating_add(1),
            _ => 0,
        };
        let delay = opening.time.unwrap_or_else(|| {
            config.recovery_backoff().jittered(control.attempt, fastrand::f64())
        });
        self.set_deadline(now.after(delay));
        self.enter(control, config, Entry { to: State::Open, ..opening.entry }, now);
    }

    pub(super) fn set_deadline(&self, deadline: Moment) {
        // Release: see the reader of the deadline.
        self.deadline.store(deadline.as_nanos(), Ordering::Release);
    }

    /// An open circuit whose time has come begins its trials.
    pub(super) fn half_open(
        &self,
        control: &mut Control,
        config: &BreakerConfig,
        heard: bool,
        now: Moment,
    ) {
        self.trial_failures.store(self.word().count(), Ordering::Release);
        self.enter(control, config, Entry::new(State::HalfOpen, 0, Cause::Recovering, heard), now);
    }
}

/// A state about to be entered.
pub(super) struct Entry {
    to: State,
    count: u32,
    cause: Cause,
    heard: bool,
}

impl Entry {
    pub(super) fn new(to: State, count: u32, cause: Cause, heard: bool) -> Self {
        Self { to, count, cause, heard }
    }
}

/// An opening about to happen.
pub(super) struct Opening {
    pub(super) entry: Entry,
    pub(super) time: Option<Duration>,
}

impl Opening {
    pub(super) fn new(count: u32, cause: Cause, time: Option<Duration>, heard: bool) -> Self {
        let entry = Entry::new(State::Open, count, cause, heard);
        Self { entry, time }
    }

    pub(super) fn reason(text: Option<&str>) -> Cause {
        Cause::Manual { reason: text.map(Arc::from) }
    }
}
