use super::circuit::Circuit;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::snapshot::RuleSnapshot;
use crate::state::{Flags, State, Trials, Word};
use crate::sync::Ordering;
use crate::text::Excerpt;
use crate::trip::{Ledger, Sample, without_windows};
use std::any::TypeId;
use std::collections::VecDeque;
use std::time::Duration;

/// What a circuit knows beside its word; guarded by the one lock that serializes transitions.
#[derive(Debug)]
pub(super) struct Control {
    /// When the breaker was made; the buckets of windows are aligned to it.
    origin: Moment,
    /// When the present state began.
    pub(super) since: Moment,
    /// Failed recoveries in a row.
    pub(super) attempt: u32,
    /// The rules with what their windows hold, but for what is still in the tally. `None` while no rule
    /// has a window, and none was watched.
    pub(super) ledger: Option<Box<Ledger>>,
    /// `None` while nothing ever happened.
    story: Option<Box<Story>>,
}

/// What a breaker has to remember once something has happened to it.
#[derive(Debug, Default)]
struct Story {
    /// Why the present state began; `None` while the state has never changed.
    cause: Option<Cause>,
    last_failure: Option<Box<Excerpt>>,
    unknown: Vec<TypeId>,
    outbox: Outbox,
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
    pub(super) fn new(config: &BreakerConfig, now: Moment) -> Self {
        let ledger = || Box::new(Ledger::new(config.trip_rules(), now));
        Self {
            origin: now,
            since: now,
            attempt: 0,
            ledger: config.has_windows().then(ledger),
            story: None,
        }
    }

    /// The ledger, for what is recorded in it under the rules of `config`.
    pub(super) fn ledger(&mut self, config: &BreakerConfig) -> &mut Ledger {
        let new = || Box::new(Ledger::new(config.trip_rules(), self.origin));
        self.ledger.get_or_insert_with(new)
    }

    /// Goes on under other rules; what windows of unchanged kind and size hold is kept.
    pub(super) fn reconfigure(&mut self, config: &BreakerConfig) {
        let rules = config.trip_rules();
        match &mut self.ledger {
            Some(ledger) => **ledger = ledger.reconfigured(rules),
            None if config.has_windows() => {
                self.ledger = Some(Box::new(Ledger::new(rules, self.origin)));
            }
            None => {}
        }
    }

    /// Every rule with its figures, `consecutive` failures in a row.
    pub(super) fn rules(
        &self,
        config: &BreakerConfig,
        now: Moment,
        consecutive: u32,
    ) -> Vec<RuleSnapshot> {
        match &self.ledger {
            Some(ledger) => ledger.snapshots(now, consecutive),
            None => without_windows(config.trip_rules(), consecutive).collect(),
        }
    }

    /// The first rule that this call trips, with `consecutive` failures in a row.
    pub(super) fn tripped(
        &self,
        config: &BreakerConfig,
        sample: &Sample,
        consecutive: u32,
    ) -> Option<RuleSnapshot> {
        match &self.ledger {
            Some(ledger) => ledger.tripped(sample, consecutive),
            None if sample.failed => {
                without_windows(config.trip_rules(), consecutive).find(RuleSnapshot::holds)
            }
            None => None,
        }
    }

    pub(super) fn has_windows(&self) -> bool {
        self.ledger
            .as_ref()
            .is_some_and(|ledger| ledger.has_windows())
    }

    /// Whether one more quick success would change nothing in the windows of calls.
    pub(super) fn is_sated(&self) -> bool {
        self.ledger.as_ref().is_none_or(|ledger| ledger.is_sated())
    }

    pub(super) fn clear_windows(&mut self) {
        if let Some(ledger) = &mut self.ledger {
            ledger.clear();
        }
    }

    pub(super) fn cause(&self) -> Option<&Cause> {
        self.story.as_ref()?.cause.as_ref()
    }

    pub(super) fn last_failure(&self) -> Option<&str> {
        let text = self.story.as_ref()?.last_failure.as_ref()?;
        Some(text.as_str())
    }

    /// Keeps the text of the last failure, in the room of the one before.
    pub(super) fn keep_failure(&mut self, text: Option<Excerpt>) {
        if text.is_none() && self.story.is_none() {
            return;
        }
        match (&mut self.story().last_failure, text) {
            (Some(room), Some(text)) => **room = text,
            (room, text) => *room = text.map(Box::new),
        }
    }

    fn story(&mut self) -> &mut Story {
        self.story.get_or_insert_default()
    }

    pub(super) fn keep_failure_of(&mut self, failed: bool, text: Option<&Excerpt>) {
        if failed {
            self.keep_failure(text.cloned());
        }
    }

    pub(super) fn meets_first(&mut self, error: TypeId) -> bool {
        let met = &mut self.story().unknown;
        let first = met.len() < MOST_UNKNOWN && !met.contains(&error);
        if first {
            met.push(error);
        }
        first
    }

    fn post(&mut self, event: Event) {
        self.story().outbox.events.push_back(event);
    }

    pub(super) fn begins_delivery(&mut self) -> bool {
        let Some(story) = &mut self.story else {
            return false;
        };
        let outbox = &mut story.outbox;
        let begins = !outbox.delivering && !outbox.events.is_empty();
        outbox.delivering |= begins;
        begins
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        let outbox = &mut self.story.as_mut()?.outbox;
        let next = outbox.events.pop_front();
        // In one step with finding none, so that what is posted next finds somebody to tell it.
        outbox.delivering = next.is_some();
        next
    }

    pub(super) fn end_delivery(&mut self) {
        if let Some(story) = &mut self.story {
            story.outbox.delivering = false;
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
        let heard = self.is_heard(&config);
        // The windows will be empty, and so have room for successes.
        let busy = heard || control.has_windows();
        Next {
            to,
            flags: config.flags() | Flags::BUSY.when(busy),
            trials: Trials::new(config.half_open_calls(), config.success_threshold()),
            heard,
        }
    }

    fn entered(&self, control: &mut Control, next: &Next, before: Word, cause: Cause, now: Moment) {
        control.clear_windows();
        control.since = now;
        if next.heard {
            control.post(Event::StateChanged {
                breaker: self.name.clone(),
                from: before.state(),
                to: next.to,
                cause: cause.clone(),
            });
        }
        control.story().cause = Some(cause);
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
