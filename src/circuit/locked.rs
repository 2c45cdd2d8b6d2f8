//! [`Locked`]: the state of a circuit that only the holder of its lock reads and writes.

use super::change_queue::ChangeQueue;
#[cfg(feature = "fleet")]
use super::own_deadline::OwnDeadline;
#[cfg(feature = "fleet")]
use super::pending_changes::{PendingChange, PendingChanges};
use super::success_buffer::RemainingCapacity;
use crate::clock::Moment;
use crate::config::BreakerConfig;
use crate::event::{Cause, Event};
use crate::rules::{RuleEvaluator, RuleSnapshot, Sample, TripRule, without_windows};
use crate::state::{Generation, State};
use crate::text::TruncatedString;
use std::any::TypeId;
use std::mem;
use std::sync::Arc;

/// The state under the lock of a circuit. The lock serializes transitions.
#[derive(Debug)]
pub(super) struct Locked {
    /// The present settings.
    config: Arc<BreakerConfig>,
    /// When the present state began.
    pub(super) since: Moment,
    /// `None` while no rule has a window and no rule was evaluated in metrics-only mode.
    pub(super) windows: Option<Box<Windows>>,
    /// `None` until it is needed: a circuit whose calls all succeed has no history.
    history: Option<Box<History>>,
    /// The present mark; `None` until it is asked for.
    #[cfg(feature = "fleet")]
    mark: Option<super::Mark>,
}

/// The windows of all rules, without the successes in the [buffer](super::success_buffer).
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) evaluator: RuleEvaluator,
    /// The capacity of the success buffer at its last flush.
    pub(super) capacity: RemainingCapacity,
    /// Successes that were recorded in the evaluator; added to `Totals::success`.
    pub(super) successes: u64,
    /// Failures that were recorded in the evaluator; added to `Totals::failure`.
    pub(super) failures: u64,
    /// Metrics-only: whether a hint was reported since the last success.
    hinted: bool,
}

impl Windows {
    fn new(rules: &[TripRule], created_at: Moment) -> Self {
        Self {
            evaluator: RuleEvaluator::new(rules, created_at),
            capacity: RemainingCapacity::default(),
            successes: 0,
            failures: 0,
            hinted: false,
        }
    }
}

/// The history of a circuit.
#[derive(Debug)]
struct History {
    /// When the circuit was created. Copied from `since`, because the history is created before the
    /// first transition.
    created_at: Moment,
    /// Why the present state began; `None` while the state has never changed.
    cause: Option<Cause>,
    /// The backoff attempt of the latest opening; `None` when the next opening is the first
    /// attempt.
    recovery_attempt: Option<u32>,
    /// The latest half-open period.
    period: Option<Period>,
    /// Whether the hint of a late call may move the deadline of the open circuit.
    follows_hints: bool,
    /// The deadline of the open circuit without the orders of a fleet.
    #[cfg(feature = "fleet")]
    own_deadline: OwnDeadline,
    last_failure: Option<Box<TruncatedString>>,
    /// The types of unclassified errors that were reported.
    reported_types: Vec<TypeId>,
    changes: ChangeQueue,
    /// The changes that the observers have not been told yet.
    #[cfg(feature = "fleet")]
    pending: PendingChanges,
    /// All transitions since the circuit was created.
    #[cfg(feature = "metrics")]
    transitions: super::TransitionCounts,
}

/// A half-open period.
#[derive(Clone, Copy, Debug)]
struct Period {
    /// The generation in which the period began. Each lease that expires begins another generation.
    first: Generation,
    /// Whether a lease has expired.
    lease_expired: bool,
}

impl History {
    fn new(created_at: Moment) -> Self {
        Self {
            created_at,
            cause: None,
            recovery_attempt: None,
            period: None,
            follows_hints: false,
            #[cfg(feature = "fleet")]
            own_deadline: OwnDeadline::default(),
            last_failure: None,
            reported_types: Vec::new(),
            changes: ChangeQueue::default(),
            #[cfg(feature = "fleet")]
            pending: PendingChanges::default(),
            #[cfg(feature = "metrics")]
            transitions: super::TransitionCounts::default(),
        }
    }
}

/// The maximum number of error types that a circuit reports.
const MAX_REPORTED_TYPES: usize = 64;

impl Locked {
    pub(super) fn new(config: Arc<BreakerConfig>, now: Moment) -> Self {
        let windows = || Box::new(Windows::new(config.trip_rules(), now));
        Self {
            since: now,
            windows: config.has_windows().then(windows),
            history: None,
            #[cfg(feature = "fleet")]
            mark: None,
            config,
        }
    }

    pub(super) fn config(&self) -> &Arc<BreakerConfig> {
        &self.config
    }

    /// Returns the evaluator, and creates it if there is none.
    pub(super) fn evaluator(&mut self) -> &mut RuleEvaluator {
        let created_at = self.created_at();
        let new = || Box::new(Windows::new(self.config.trip_rules(), created_at));
        &mut self.windows.get_or_insert_with(new).evaluator
    }

    fn evaluator_if_any(&self) -> Option<&RuleEvaluator> {
        self.windows.as_ref().map(|windows| &windows.evaluator)
    }

    /// Replaces the settings. Windows of unchanged kind and size keep their contents.
    ///
    /// Returns the old settings. They must not be dropped under the lock, because their closures
    /// belong to the user.
    #[must_use]
    pub(super) fn reconfigure(&mut self, config: &Arc<BreakerConfig>) -> Arc<BreakerConfig> {
        let rules = config.trip_rules();
        match &mut self.windows {
            Some(windows) => windows.evaluator = windows.evaluator.with_rules(rules),
            None if config.has_windows() => {
                self.windows = Some(Box::new(Windows::new(rules, self.created_at())));
            }
            None => {}
        }
        mem::replace(&mut self.config, config.clone())
    }

    /// Returns a snapshot of every rule, given the consecutive failures.
    pub(super) fn rules(&self, now: Moment, consecutive: u32) -> Vec<RuleSnapshot> {
        match self.evaluator_if_any() {
            Some(evaluator) => evaluator.snapshots(now, consecutive),
            None => without_windows(self.config.trip_rules(), consecutive).collect(),
        }
    }

    /// Records a call in the windows, if there are any. Returns `true` if the call was added to a
    /// total.
    pub(super) fn record(&mut self, sample: &Sample) -> bool {
        let Some(windows) = &mut self.windows else {
            return false;
        };
        windows.evaluator.record(sample);
        windows.failures += u64::from(sample.failed);
        sample.failed
    }

    /// Returns the first rule that the call trips.
    pub(super) fn tripped(&self, sample: &Sample, consecutive: u32) -> Option<RuleSnapshot> {
        match self.evaluator_if_any() {
            Some(evaluator) => evaluator.tripped(sample, consecutive),
            None if sample.failed => {
                without_windows(self.config.trip_rules(), consecutive).find(RuleSnapshot::is_met)
            }
            None => None,
        }
    }

    /// Returns `true` if a success may change the windows.
    pub(super) fn wants_successes(&self) -> bool {
        self.evaluator_if_any()
            .is_some_and(RuleEvaluator::wants_successes)
    }

    /// Returns the successes and failures that were counted with the windows. The
    /// [counters](super::counters) do not contain them.
    pub(super) fn counted(&self) -> (u64, u64) {
        let windows = self.windows.as_ref();
        windows.map_or((0, 0), |windows| (windows.successes, windows.failures))
    }

    pub(super) fn clear_windows(&mut self) {
        if let Some(windows) = &mut self.windows {
            debug_assert!(
                windows.capacity.is_closed(),
                "the success buffer must be closed before the generation changes"
            );
            windows.evaluator.clear();
            windows.hinted = false;
        }
    }

    /// Metrics-only: returns `true` if a call brought the first hint since the last success. Other
    /// hints are not reported.
    pub(super) fn is_new_hint(&mut self, hint: bool, consecutive: u32) -> bool {
        let Some(windows) = &mut self.windows else {
            return false;
        };
        let reported = windows.hinted && consecutive > 0;
        windows.hinted = hint || reported;
        hint && !reported
    }

    /// Returns the attempt from which the backoff continues in `state` at `now`, or `None` if the
    /// next opening is the first attempt.
    pub(super) fn recovery_attempt(&self, state: State, now: Moment) -> Option<u32> {
        let attempt = self.history.as_ref()?.recovery_attempt?;
        if state != State::Closed {
            return Some(attempt);
        }
        let config = &self.config;
        let backoff = || config.recovery_backoff().delay(attempt);
        let limit = config.reset_backoff_after().unwrap_or_else(backoff);
        (now.since(self.since) < limit).then_some(attempt)
    }

    /// Stores the backoff attempt of an opening.
    pub(super) fn begin_attempt(&mut self, attempt: u32, follows_hints: bool) {
        let history = self.history();
        history.recovery_attempt = Some(attempt);
        history.follows_hints = follows_hints;
    }

    /// Makes the next opening the first attempt.
    pub(super) fn clear_attempt(&mut self) {
        if let Some(history) = &mut self.history {
            history.recovery_attempt = None;
        }
    }

    /// Returns `true` if a hint may move the deadline of the open circuit.
    pub(super) fn follows_hints(&self) -> bool {
        let history = self.history.as_ref();
        history.is_some_and(|history| history.follows_hints)
    }

    /// Protects a deadline that a command has set from hints.
    pub(super) fn ignore_hints(&mut self) {
        self.history().follows_hints = false;
    }

    pub(super) fn begin_period(&mut self, first: Generation) {
        self.history().period = Some(Period {
            first,
            lease_expired: false,
        });
    }

    /// Returns `true` if a trial of `generation` belongs to the half-open period whose present
    /// generation is `present`.
    pub(super) fn is_of_period(&self, generation: Generation, present: Generation) -> bool {
        let period = self.history.as_ref().and_then(|history| history.period);
        period.is_some_and(|period| generation.is_within(period.first, present))
    }

    /// Records that a lease has expired. Returns `true` for the first lease of the period.
    pub(super) fn note_expired_lease(&mut self) -> bool {
        let period = self.history().period.as_mut();
        period.is_some_and(|period| !mem::replace(&mut period.lease_expired, true))
    }

    pub(super) fn cause(&self) -> Option<&Cause> {
        self.history.as_ref()?.cause.as_ref()
    }

    /// Returns `true` if an order of a fleet has made the state.
    #[cfg(feature = "fleet")]
    pub(super) fn is_by_fleet(&self) -> bool {
        matches!(self.cause(), Some(Cause::Fleet { .. }))
    }

    pub(super) fn last_failure(&self) -> Option<&str> {
        let text = self.history.as_ref()?.last_failure.as_ref()?;
        Some(text.as_str())
    }

    /// Stores the text of the last failure. `None` removes the text of the failure before it.
    pub(super) fn store_last_failure(&mut self, text: Option<&TruncatedString>) {
        let Some(text) = text else {
            return self.clear_last_failure();
        };
        match &mut self.history().last_failure {
            Some(stored) => stored.copy_from(text),
            stored @ None => *stored = Some(Box::new(text.clone())),
        }
    }

    pub(super) fn clear_last_failure(&mut self) {
        if let Some(history) = &mut self.history {
            history.last_failure = None;
        }
    }

    fn history(&mut self) -> &mut History {
        let since = self.since;
        self.history
            .get_or_insert_with(|| Box::new(History::new(since)))
    }

    /// Returns when the circuit was created. The buckets of windows are aligned to this moment.
    fn created_at(&self) -> Moment {
        let history = self.history.as_ref();
        history.map_or(self.since, |history| history.created_at)
    }

    /// Replaces the cause of the present state.
    pub(super) fn set_cause(&mut self, cause: Cause) {
        #[cfg(feature = "fleet")]
        self.change_mark();
        self.history().cause = Some(cause);
    }

    /// Records the start and the cause of a new state.
    pub(super) fn begin_state(&mut self, now: Moment, cause: Cause) {
        #[cfg(feature = "fleet")]
        self.change_mark();
        self.history().cause = Some(cause);
        self.since = now;
    }

    /// Records the type of an unclassified error. Returns `true` if the type has to be reported.
    pub(super) fn is_first_report(&mut self, error: TypeId) -> bool {
        let reported = &mut self.history().reported_types;
        let first = reported.len() < MAX_REPORTED_TYPES && !reported.contains(&error);
        if first {
            reported.push(error);
        }
        first
    }

    #[cfg(feature = "metrics")]
    pub(super) fn transition_counts(&self) -> super::TransitionCounts {
        let history = self.history.as_ref();
        history.map_or_else(Default::default, |history| history.transitions.clone())
    }

    #[cfg(feature = "metrics")]
    pub(super) fn count_transition(&mut self, from: State, to: State) {
        self.history().transitions.add(from, to, 1);
    }

    /// Queues an event for delivery in order.
    pub(super) fn queue_event(&mut self, event: Event) {
        self.history().changes.push(event);
    }

    /// Returns the queue of events, if the circuit has a history.
    pub(super) fn changes(&mut self) -> Option<&mut ChangeQueue> {
        self.history.as_mut().map(|history| &mut history.changes)
    }
}

#[cfg(feature = "fleet")]
impl Locked {
    /// Returns the mark of the circuit as it is now.
    pub(super) fn mark(&mut self) -> super::Mark {
        *self.mark.get_or_insert_with(super::Mark::next)
    }

    /// Gives the circuit another mark. Called for each change that a fleet has to see before its
    /// next order.
    pub(super) fn change_mark(&mut self) {
        self.mark = None;
    }

    pub(super) fn own_deadline(&self) -> OwnDeadline {
        let history = self.history.as_ref();
        history.map_or_else(OwnDeadline::default, |history| history.own_deadline)
    }

    /// Stores the deadline that the open circuit has without the orders of a fleet.
    pub(super) fn set_own_deadline(&mut self, own: OwnDeadline) {
        self.history().own_deadline = own;
    }

    /// Queues a change for the observers.
    pub(super) fn queue_change(&mut self, change: PendingChange) {
        self.history().pending.push(change);
    }

    /// Returns the changes that wait for the observers, if the circuit has a history.
    pub(super) fn pending(&mut self) -> Option<&mut PendingChanges> {
        self.history.as_mut().map(|history| &mut history.pending)
    }
}
