//! [`Lane`]: replays traffic through the breakers of one candidate with one shift.

use crate::call::Outcome;
use crate::candidate::{Candidate, builder_of, jitter_seed};
use crate::fact::NO_OUTAGE;
use crate::fate::{Assumption, Fate};
use crate::figures::Figures;
use crate::nanos::from_nanos;
use crate::outage::{BIN, Outage, Span, spans_of};
use crate::spared::SparedRequests;
use crate::timeline::{Key, Kind, Step};
use breakerbox::clock::{Clock, ManualClock};
use breakerbox::{Cause, CircuitBreaker, Event, Permit, State};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What distinguishes a lane from others.
#[derive(Clone, Debug)]
pub(crate) struct LaneSettings {
    pub(crate) candidate: Candidate,
    /// The position of the candidate among all candidates.
    pub(crate) number: usize,
    /// By which factor recovery times are longer.
    pub(crate) scale: f64,
    pub(crate) assumption: Assumption,
    pub(crate) seed: u64,
    /// Whether the later calls of a request vanish once one of its calls was refused.
    pub(crate) spares_retries: bool,
}

/// A state change of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: u32,
    /// Nanoseconds since the first call.
    pub(crate) at: u64,
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) trial_failed: bool,
}

/// The refusals of ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    /// The start, divided by [`BIN`].
    pub(crate) index: u64,
    pub(crate) good: u32,
    pub(crate) bad: u32,
}

/// The breakers of one candidate, and what they have done so far.
#[derive(Debug)]
pub(crate) struct Lane {
    settings: LaneSettings,
    clock: ManualClock,
    /// The time of the first step, at which the clock starts, and the present time.
    origin: Option<u64>,
    now: u64,
    keys: Vec<KeyState>,
    permits: Vec<Option<Permit>>,
    changes: Arc<Mutex<Vec<Change>>>,
    refusals: Vec<Refusals>,
    spared: SparedRequests,
}

#[derive(Debug)]
struct KeyState {
    key: Key,
    breaker: Option<CircuitBreaker>,
    /// Counts; times are added by [`Lane::finish`].
    figures: Figures,
    /// The outages in which calls started.
    outages: Vec<u32>,
    busy_saved: u128,
}

impl Lane {
    pub(crate) fn new(settings: LaneSettings) -> Self {
        Self {
            settings,
            clock: ManualClock::new(),
            origin: None,
            now: 0,
            keys: Vec::new(),
            permits: Vec::new(),
            changes: Arc::default(),
            refusals: Vec::new(),
            spared: SparedRequests::default(),
        }
    }

    /// Adds breakers, in the order of their numbers.
    pub(crate) fn add_keys(&mut self, keys: &[Key]) {
        self.keys.extend(keys.iter().map(|key| KeyState {
            key: key.clone(),
            breaker: None,
            figures: Figures::default(),
            outages: Vec::new(),
            busy_saved: 0,
        }));
    }

    /// Replays one step. Returns `false` if a call was refused, or would not have been made.
    #[inline]
    pub(crate) fn apply(&mut self, step: &Step) -> bool {
        self.advance(step.at);
        match step.kind {
            Kind::Whole => match self.start(step) {
                Some(permit) => {
                    record(permit, step.fact.fates.under(self.settings.assumption));
                    true
                }
                None => false,
            },
            Kind::Start => {
                let permit = self.start(step);
                let is_admitted = permit.is_some();
                let slot = step.slot as usize;
                if slot >= self.permits.len() {
                    self.permits.resize_with(slot + 1, || None);
                }
                self.permits[slot] = permit;
                is_admitted
            }
            Kind::End => {
                if let Some(permit) = self.permits[step.slot as usize].take() {
                    record(permit, step.fact.fates.under(self.settings.assumption));
                }
                true
            }
        }
    }

    #[inline]
    fn advance(&mut self, at: u64) {
        if at != self.now || self.origin.is_none() {
            let origin = *self.origin.get_or_insert(at);
            let passed = at - self.now.max(origin);
            self.clock.advance(Duration::from_nanos(passed));
            self.now = at;
        }
    }

    #[inline]
    fn start(&mut self, step: &Step) -> Option<Permit> {
        let fact = &step.fact;
        if self.settings.spares_retries && self.spared.contains(fact.request, step.at) {
            self.keys[fact.key as usize].figures.retries_spared += 1;
            return None;
        }
        let fate = fact.fates.under(self.settings.assumption);
        let key = &mut self.keys[fact.key as usize];
        key.figures.calls += 1;
        if fact.outage != NO_OUTAGE {
            key.figures.outage_calls += 1;
            if key.outages.last() != Some(&fact.outage) {
                key.outages.push(fact.outage);
            }
        }
        let breaker = match &key.breaker {
            Some(breaker) => breaker,
            None => self.create(fact.key),
        };
        match breaker.try_acquire() {
            Ok(permit) => {
                self.keys[fact.key as usize].figures.bad_admitted += u64::from(fate.is_bad);
                Some(permit)
            }
            Err(_) => {
                self.refuse(step, fate);
                None
            }
        }
    }

    #[cold]
    fn create(&mut self, number: u32) -> &CircuitBreaker {
        let LaneSettings {
            candidate,
            scale,
            seed,
            ..
        } = &self.settings;
        let key = &mut self.keys[number as usize];
        let config = candidate.config(&key.key.name);
        let (changes, clock) = (self.changes.clone(), self.clock.clone());
        let settings = builder_of(&config, *scale, jitter_seed(*seed, number))
            .name(&key.key.name)
            .clock(self.clock.clone())
            .on_change(move |event| {
                if let Event::StateChanged {
                    from, to, cause, ..
                } = event
                {
                    let change = Change {
                        key: number,
                        at: u64::try_from(clock.now().as_nanos()).unwrap_or(u64::MAX),
                        from: *from,
                        to: *to,
                        trial_failed: matches!(cause, Cause::TrialFailed),
                    };
                    let mut changes = changes.lock().unwrap_or_else(PoisonError::into_inner);
                    changes.push(change);
                }
            });
        let breaker = settings
            .build()
            .expect("the settings of a breaker are valid");
        key.breaker.insert(breaker)
    }

    fn refuse(&mut self, step: &Step, fate: Fate) {
        let fact = &step.fact;
        let key = &mut self.keys[fact.key as usize];
        let figures = &mut key.figures;
        let is_good = fate.outcome == Outcome::Success && !fate.is_bad;
        match (fate.is_bad, is_good, fact.outage) {
            (true, ..) => {
                figures.bad_refused += 1;
                key.busy_saved += u128::from(fact.duration);
            }
            (_, true, NO_OUTAGE) => figures.good_refused_outside += 1,
            (_, true, _) => figures.good_refused_inside += 1,
            _ => figures.other_refused += 1,
        }
        if self.settings.spares_retries {
            self.spared.insert(fact.request, step.at);
        }
        let index = step.at / BIN;
        if self.refusals.last().is_none_or(|bin| bin.index != index) {
            self.refusals.push(Refusals {
                index,
                ..Refusals::default()
            });
        }
        if let Some(bin) = self.refusals.last_mut() {
            bin.bad += u32::from(fate.is_bad);
            bin.good += u32::from(is_good);
        }
    }

    /// Returns what the breakers did, given all outages of the replay.
    pub(crate) fn finish(self, outages: &[Outage]) -> LaneResults {
        let origin = self.origin.unwrap_or(0);
        let changes = {
            let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *changes)
        };
        let mut by_key = vec![Vec::new(); self.keys.len()];
        for change in changes {
            let at = change.at.saturating_add(origin);
            by_key[change.key as usize].push(Change { at, ..change });
        }
        let keys = self.keys.into_iter().zip(by_key).map(|(state, changes)| {
            let spans = spans_of(&state.key.name, outages);
            let mut figures = state.figures;
            figures.busy_saved = from_nanos(u64::try_from(state.busy_saved).unwrap_or(u64::MAX));
            add_changes(&mut figures, &changes, &spans, &state.outages);
            KeyResults {
                key: state.key,
                figures,
                changes,
            }
        });
        LaneResults {
            keys: keys.collect(),
            refusals: self.refusals,
        }
    }
}

#[inline]
fn record(permit: Permit, fate: Fate) {
    match fate.outcome {
        Outcome::Success => permit.success(),
        Outcome::Failure => permit.failure(),
        Outcome::Cancelled => drop(permit),
        Outcome::Ignored | Outcome::Refused => permit.record(breakerbox::Outcome::Ignored),
    }
}

/// What a lane found.
#[derive(Debug)]
pub(crate) struct LaneResults {
    pub(crate) keys: Vec<KeyResults>,
    pub(crate) refusals: Vec<Refusals>,
}

/// What a lane found about one breaker.
#[derive(Debug)]
pub(crate) struct KeyResults {
    pub(crate) key: Key,
    pub(crate) figures: Figures,
    /// The state changes; their times are nanoseconds since the epoch of the traffic.
    pub(crate) changes: Vec<Change>,
}

/// Adds the figures that follow from state changes. `seen` contains the outages in which the breaker
/// was called.
fn add_changes(figures: &mut Figures, changes: &[Change], spans: &[Span], seen: &[u32]) {
    let opens = |change: &&Change| change.from == State::Closed && change.to == State::Open;
    let is_inside = |span: &Span, at: u64| (span.start..span.end).contains(&at);
    for change in changes {
        figures.failed_trials += u64::from(change.trial_failed);
        if opens(&change) {
            figures.openings += 1;
            let is_outside = !spans.iter().any(|span| is_inside(span, change.at));
            figures.false_trips += u64::from(is_outside);
        }
    }
    for span in spans.iter().filter(|span| seen.contains(&span.number)) {
        let inside = |change: &&Change| is_inside(span, change.at);
        let openings = changes.iter().filter(opens).filter(inside).count();
        let reopened = u64::try_from(openings.saturating_sub(1)).unwrap_or(u64::MAX);
        figures.flaps += reopened;

        let was_open = state_at(changes, span.start) != State::Closed;
        let first = changes.iter().filter(opens).find(inside);
        let detected = match first {
            _ if was_open => Duration::ZERO,
            Some(change) => from_nanos(change.at - span.start),
            None => Duration::MAX,
        };
        figures.detected = figures.detected.max(detected);

        let recovered = if state_at(changes, span.end) == State::Closed {
            Duration::ZERO
        } else {
            let after = changes.iter().filter(|change| change.at > span.end);
            let closed = after.clone().find(|change| change.to == State::Closed);
            closed.map_or(Duration::MAX, |change| from_nanos(change.at - span.end))
        };
        figures.recovered = figures.recovered.max(recovered);
    }
}

/// Returns the state at the time `at`. A breaker in another mode counts as closed.
fn state_at(changes: &[Change], at: u64) -> State {
    let last = changes.iter().rfind(|change| change.at <= at);
    match last.map(|change| change.to) {
        Some(state @ (State::Open | State::HalfOpen)) => state,
        _ => State::Closed,
    }
}
