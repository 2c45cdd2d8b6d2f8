use super::success_buffer::RemainingCapacity;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::rules::{RuleEvaluator, RuleSnapshot, Sample, TripRule, without_windows};
use crate::state::{Generation, State};
use crate::text::TruncatedString;
use std::any::TypeId;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

/// What a circuit knows beside its word; guarded by the one lock that serializes transitions.
#[derive(Debug)]
pub(super) struct Control {
    /// The present settings, for who holds the lock.
    config: Arc<BreakerConfig>,
    /// When the present state began.
    pub(super) since: Moment,
    /// `None` while no rule has a window, and none was watched.
    pub(super) books: Option<Box<Books>>,
    /// `None` while nothing ever happened.
    story: Option<Box<Story>>,
}

/// The windows, without the successes that are still in the [buffer](super::success_buffer).
#[derive(Debug)]
pub(super) struct Books {
    pub(super) ledger: RuleEvaluator,
    /// The room in the success buffer at its last flush.
    pub(super) room: RemainingCapacity,
    /// Successes out of the buffer that belong into the totals.
    pub(super) successes: u64,
    /// Those that were recorded in the ledger.
    pub(super) failures: u64,
    /// Metrics-only: a hint that would have opened the circuit was reported, and no success has come since.
    hinted: bool,
}

impl Books {
    fn new(rules: &[TripRule], origin: Moment) -> Self {
        Self {
            ledger: RuleEvaluator::new(rules, origin),
            room: RemainingCapacity::default(),
            successes: 0,
            failures: 0,
            hinted: false,
        }
    }
}

/// What a breaker has to remember once something has happened to it.
#[derive(Debug)]
struct Story {
    /// When the breaker was made: its first state begins with it, and there is a story before the
    /// second does.
    origin: Moment,
    /// Why the present state began; `None` while the state has never changed.
    cause: Option<Cause>,
    /// The attempt of the latest opening; `None` when the backoff starts over with the next one.
    attempt: Option<u32>,
    /// The latest half-open period.
    period: Option<Period>,
    /// Whether a hint of a late call may move the deadline of the open circuit.
    follows_hints: bool,
    last_failure: Option<Box<TruncatedString>>,
    unknown: Vec<TypeId>,
    outbox: Outbox,
}

/// A half-open period.
#[derive(Clone, Copy, Debug)]
struct Period {
    /// The generation with which it began; each lapse of a lease adds one.
    first: Generation,
    /// Whether a lease has lapsed.
    lapsed: bool,
}

impl Story {
    fn new(origin: Moment) -> Self {
        Self {
            origin,
            cause: None,
            attempt: None,
            period: None,
            follows_hints: false,
            last_failure: None,
            unknown: Vec::new(),
            outbox: Outbox::default(),
        }
    }
}

/// State changes that wait to be told.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    events: VecDeque<Event>,
    delivering: bool,
    /// Not only those that wait: all, since the circuit was made.
    #[cfg(feature = "metrics")]
    pub(super) changes: super::transition_counts::Changes,
}

/// Types of errors remembered as met; more than these are not told apart, and told no more.
const MOST_UNKNOWN: usize = 64;

impl Control {
    pub(super) fn new(config: Arc<BreakerConfig>, now: Moment) -> Self {
        let books = || Box::new(Books::new(config.trip_rules(), now));
        Self {
            since: now,
            books: config.has_windows().then(books),
            story: None,
            config,
        }
    }

    pub(super) fn config(&self) -> &Arc<BreakerConfig> {
        &self.config
    }

    /// The ledger, also if there was none so far.
    pub(super) fn ledger(&mut self) -> &mut RuleEvaluator {
        let origin = self.origin();
        let new = || Box::new(Books::new(self.config.trip_rules(), origin));
        &mut self.books.get_or_insert_with(new).ledger
    }

    fn known_ledger(&self) -> Option<&RuleEvaluator> {
        self.books.as_ref().map(|books| &books.ledger)
    }

    /// Goes on under other settings; what windows of unchanged kind and size hold is kept. Gives the old
    /// ones back, which hold closures that must not be dropped under the lock.
    #[must_use]
    pub(super) fn reconfigure(&mut self, config: &Arc<BreakerConfig>) -> Arc<BreakerConfig> {
        let rules = config.trip_rules();
        match &mut self.books {
            Some(books) => books.ledger = books.ledger.with_rules(rules),
            None if config.has_windows() => {
                self.books = Some(Box::new(Books::new(rules, self.origin())));
            }
            None => {}
        }
        mem::replace(&mut self.config, config.clone())
    }

    /// Every rule with its figures, `consecutive` failures in a row.
    pub(super) fn rules(&self, now: Moment, consecutive: u32) -> Vec<RuleSnapshot> {
        match self.known_ledger() {
            Some(ledger) => ledger.snapshots(now, consecutive),
            None => without_windows(self.config.trip_rules(), consecutive).collect(),
        }
    }

    /// Records a call in the windows, if there are any. Returns whether it was added to a total there.
    pub(super) fn record(&mut self, sample: &Sample) -> bool {
        let Some(books) = &mut self.books else {
            return false;
        };
        books.ledger.record(sample);
        books.failures += u64::from(sample.failed);
        sample.failed
    }

    /// The first rule that this call has tripped.
    pub(super) fn tripped(&self, sample: &Sample, consecutive: u32) -> Option<RuleSnapshot> {
        match self.known_ledger() {
            Some(ledger) => ledger.tripped(sample, consecutive),
            None if sample.failed => {
                without_windows(self.config.trip_rules(), consecutive).find(RuleSnapshot::is_met)
            }
            None => None,
        }
    }

    /// Whether a success has to be put down, since it may change something in the windows.
    pub(super) fn wants_successes(&self) -> bool {
        self.known_ledger()
            .is_some_and(RuleEvaluator::wants_successes)
    }

    /// Successes and failures that are counted here, and not where the others are.
    pub(super) fn counted(&self) -> (u64, u64) {
        let books = self.books.as_ref();
        books.map_or((0, 0), |books| (books.successes, books.failures))
    }

    pub(super) fn clear_windows(&mut self) {
        if let Some(books) = &mut self.books {
            debug_assert!(
                books.room.is_closed(),
                "closed before the generation moves on"
            );
            books.ledger.clear();
            books.hinted = false;
        }
    }

    /// Metrics-only: whether a call that asked to be left alone, or did not, is news. It is not while an
    /// earlier hint stands, which a success ends.
    pub(super) fn is_new_hint(&mut self, hint: bool, consecutive: u32) -> bool {
        let Some(books) = &mut self.books else {
            return false;
        };
        let stood = books.hinted && consecutive > 0;
        books.hinted = hint || stood;
        hint && !stood
    }

    /// The attempt from which the backoff continues at `now`, in `state`: that of the latest opening.
    /// `None` when the next opening is the first.
    pub(super) fn attempt(&self, state: State, now: Moment) -> Option<u32> {
        let attempt = self.story.as_ref()?.attempt?;
        if state != State::Closed {
            return Some(attempt);
        }
        let config = &self.config;
        let backoff = || config.recovery_backoff().delay(attempt);
        let limit = config.reset_backoff_after().unwrap_or_else(backoff);
        (now.since(self.since) < limit).then_some(attempt)
    }

    /// The circuit opens: the backoff continues from this attempt.
    pub(super) fn begin_attempt(&mut self, attempt: u32, follows_hints: bool) {
        let story = self.story();
        story.attempt = Some(attempt);
        story.follows_hints = follows_hints;
    }

    /// The backoff starts over with the next opening.
    pub(super) fn forget_attempts(&mut self) {
        if let Some(story) = &mut self.story {
            story.attempt = None;
        }
    }

    /// Whether the deadline of the open circuit may be moved by a hint.
    pub(super) fn follows_hints(&self) -> bool {
        self.story.as_ref().is_some_and(|story| story.follows_hints)
    }

    /// A command has set the deadline.
    pub(super) fn ignore_hints(&mut self) {
        self.story().follows_hints = false;
    }

    pub(super) fn begin_period(&mut self, first: Generation) {
        let lapsed = false;
        self.story().period = Some(Period { first, lapsed });
    }

    /// Whether a trial of `generation` belongs to the half-open period, of which `present` is the
    /// generation now.
    pub(super) fn is_of_period(&self, generation: Generation, present: Generation) -> bool {
        let period = self.story.as_ref().and_then(|story| story.period);
        period.is_some_and(|period| generation.is_within(period.first, present))
    }

    /// A lease has lapsed: whether it is the first of the period.
    pub(super) fn lapses_first(&mut self) -> bool {
        let period = self.story().period.as_mut();
        period.is_some_and(|period| !mem::replace(&mut period.lapsed, true))
    }

    pub(super) fn cause(&self) -> Option<&Cause> {
        self.story.as_ref()?.cause.as_ref()
    }

    pub(super) fn last_failure(&self) -> Option<&str> {
        let text = self.story.as_ref()?.last_failure.as_ref()?;
        Some(text.as_str())
    }

    /// Keeps the text of the last failure, in the room of the one before.
    fn keep_failure(&mut self, text: &TruncatedString) {
        match &mut self.story().last_failure {
            Some(room) => room.copy_from(text),
            room @ None => *room = Some(Box::new(text.clone())),
        }
    }

    pub(super) fn forget_failure(&mut self) {
        if let Some(story) = &mut self.story {
            story.last_failure = None;
        }
    }

    fn story(&mut self) -> &mut Story {
        let origin = self.since;
        self.story
            .get_or_insert_with(|| Box::new(Story::new(origin)))
    }

    /// When the breaker was made; the buckets of windows are aligned to it.
    fn origin(&self) -> Moment {
        self.story.as_ref().map_or(self.since, |story| story.origin)
    }

    /// Replaces the cause of the present state, which goes on.
    pub(super) fn set_cause(&mut self, cause: Cause) {
        self.story().cause = Some(cause);
    }

    /// A state begins.
    pub(super) fn begin(&mut self, now: Moment, cause: Cause) {
        self.story().cause = Some(cause);
        self.since = now;
    }

    #[inline]
    pub(super) fn keep_failure_of(&mut self, failed: bool, text: Option<&TruncatedString>) {
        match text {
            _ if !failed => {}
            Some(text) => self.keep_failure(text),
            None => self.forget_failure(),
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

    #[cfg(feature = "metrics")]
    pub(super) fn changes(&self) -> super::Changes {
        let story = self.story.as_ref();
        story.map_or_else(Default::default, |story| story.outbox.changes.clone())
    }

    #[cfg(feature = "metrics")]
    pub(super) fn count_change(&mut self, from: State, to: State) {
        self.story().outbox.changes.add(from, to, 1);
    }

    pub(super) fn post(&mut self, event: Event) {
        self.story().outbox.events.push_back(event);
    }

    /// Whether events wait that no thread delivers.
    pub(super) fn awaits_delivery(&self) -> bool {
        let outbox = self.story.as_ref().map(|story| &story.outbox);
        outbox.is_some_and(|outbox| !outbox.delivering && !outbox.events.is_empty())
    }

    pub(super) fn begins_delivery(&mut self) -> bool {
        let begins = self.awaits_delivery();
        if begins {
            self.story().outbox.delivering = true;
        }
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
