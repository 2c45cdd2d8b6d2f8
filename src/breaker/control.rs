use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::snapshot::RuleSnapshot;
#[cfg(feature = "metrics")]
use crate::state::State;
use crate::text::Excerpt;
use crate::trip::{Ledger, Sample, without_windows};
use std::any::TypeId;
use std::collections::VecDeque;

/// What a circuit knows beside its word; guarded by the one lock that serializes transitions.
#[derive(Debug)]
pub(super) struct Control {
    /// When the present state began.
    pub(super) since: Moment,
    /// Failed recoveries in a row.
    pub(super) attempt: u32,
    /// Somebody may want to hear of calls. Found out again by whoever comes by with all its questions.
    pub(super) attended: bool,
    /// The rules with what their windows hold, but for what is still in the tally. `None` while no rule
    /// has a window, and none was watched.
    pub(super) ledger: Option<Box<Ledger>>,
    /// `None` while nothing ever happened.
    story: Option<Box<Story>>,
}

/// What a breaker has to remember once something has happened to it.
#[derive(Debug)]
struct Story {
    /// When the breaker was made: its first state begins with it, and there is a story before the
    /// second does.
    origin: Moment,
    /// Why the present state began; `None` while the state has never changed.
    cause: Option<Cause>,
    last_failure: Option<Box<Excerpt>>,
    unknown: Vec<TypeId>,
    outbox: Outbox,
}

impl Story {
    fn new(origin: Moment) -> Self {
        Self {
            origin,
            cause: None,
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
    pub(super) changes: super::changes::Changes,
}

/// Types of errors remembered as met; more than these are not told apart, and told no more.
const MOST_UNKNOWN: usize = 64;

impl Control {
    pub(super) fn new(config: &BreakerConfig, now: Moment) -> Self {
        let ledger = || Box::new(Ledger::new(config.trip_rules(), now));
        Self {
            since: now,
            attempt: 0,
            attended: true,
            ledger: config.has_windows().then(ledger),
            story: None,
        }
    }

    /// The ledger, for what is recorded in it under the rules of `config`.
    pub(super) fn ledger(&mut self, config: &BreakerConfig) -> &mut Ledger {
        let origin = self.origin();
        let new = || Box::new(Ledger::new(config.trip_rules(), origin));
        self.ledger.get_or_insert_with(new)
    }

    /// Goes on under other rules; what windows of unchanged kind and size hold is kept.
    pub(super) fn reconfigure(&mut self, config: &BreakerConfig) {
        let rules = config.trip_rules();
        match &mut self.ledger {
            Some(ledger) => **ledger = ledger.reconfigured(rules),
            None if config.has_windows() => {
                self.ledger = Some(Box::new(Ledger::new(rules, self.origin())));
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
        let origin = self.since;
        self.story
            .get_or_insert_with(|| Box::new(Story::new(origin)))
    }

    /// When the breaker was made; the buckets of windows are aligned to it.
    fn origin(&self) -> Moment {
        self.story.as_ref().map_or(self.since, |story| story.origin)
    }

    /// A state begins.
    pub(super) fn begin(&mut self, now: Moment, cause: Cause) {
        self.story().cause = Some(cause);
        self.since = now;
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
