use super::count_window::CountWindow;
use super::time_window::TimeWindow;
use super::{RuleSnapshot, TripRule, WindowCounts, WindowKind};
use crate::clock::Moment;
use std::time::Duration;

/// The rules of a breaker with what their windows hold.
///
/// Pure: whoever owns it serializes access and says what time it is. What a failure does is inlined there:
/// the lock is given back when all writes are out, and those of a function's prologue are among them.
#[derive(Debug)]
pub(crate) struct RuleEvaluator {
    origin: Moment,
    /// Some moment of the interval that quick successes are counted for.
    interval: Moment,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    rule: TripRule,
    data: Data,
    /// The rule held when it was last asked; what a watching breaker has told already.
    held: bool,
}

#[derive(Clone, Debug)]
enum Data {
    /// Consecutive failures, which the state word counts.
    None,
    Calls(CountWindow),
    Time(TimeWindow),
}

/// A call as the rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) failed: bool,
    /// Only slow-call rules hear of it.
    pub(crate) ignored: bool,
    pub(crate) elapsed: Option<Duration>,
    pub(crate) now: Moment,
}

impl Sample {
    /// One that was not slow, or that nobody timed.
    pub(crate) fn success(now: Moment) -> Self {
        Self {
            failed: false,
            ignored: false,
            elapsed: None,
            now,
        }
    }

    fn is_slow(&self, rule: &TripRule) -> bool {
        self.elapsed
            .zip(rule.slower_than)
            .is_some_and(|(took, limit)| took > limit)
    }

    /// Whether a window of `rule` records the call: of those that were ignored, only slow ones.
    fn is_seen_by(&self, rule: &TripRule) -> bool {
        !self.ignored || self.is_slow(rule)
    }

    /// Only a call that itself counts against a rule may trip it.
    fn counts_against(&self, rule: &TripRule) -> bool {
        match rule.slower_than {
            Some(_) => self.is_slow(rule),
            None => self.failed,
        }
    }
}

/// What a ledger of `rules` says while none of them has a window, and so none needs one.
pub(crate) fn without_windows(
    rules: &[TripRule],
    consecutive: u32,
) -> impl Iterator<Item = RuleSnapshot> {
    let figures = WindowCounts::consecutive_failures(consecutive);
    rules
        .iter()
        .map(move |rule| RuleSnapshot::new(*rule, figures))
}

impl RuleEvaluator {
    pub(crate) fn new(rules: &[TripRule], origin: Moment) -> Self {
        let entries = rules.iter().map(|rule| Entry::new(*rule, origin)).collect();
        Self {
            origin,
            interval: origin,
            entries,
        }
    }

    /// The ledger of new rules; windows of unchanged kind and size keep their data.
    pub(crate) fn with_rules(&self, rules: &[TripRule]) -> Self {
        let carried = |rule: &TripRule| {
            let mut entry = Entry::new(*rule, self.origin);
            if let Some(alike) = self.entries.iter().find(|other| other.looks_like(rule)) {
                entry.data = alike.data.clone();
            }
            entry.held = self
                .entries
                .iter()
                .any(|other| other.rule == *rule && other.held);
            entry
        };
        Self {
            origin: self.origin,
            interval: self.interval,
            entries: rules.iter().map(carried).collect(),
        }
    }

    /// Finds the rules that have turned false since they were last asked, as those over a window of
    /// time do by themselves.
    pub(crate) fn refresh(&mut self, now: Moment, consecutive: u32) {
        for entry in &mut self.entries {
            entry.held &= entry.holds(now, consecutive);
        }
    }

    #[allow(clippy::inline_always)] // see above
    #[inline(always)]
    pub(crate) fn record(&mut self, sample: &Sample) {
        for Entry { rule, data, .. } in &mut self.entries {
            let slow = sample.is_slow(rule);
            if !sample.is_seen_by(rule) {
                continue;
            }
            match data {
                Data::None => {}
                Data::Calls(window) => window.record(sample.failed, slow),
                Data::Time(window) => window.record(sample.now, sample.failed, slow),
            }
        }
    }

    /// Begins an interval at `now` in which quick successes may be counted elsewhere, to be
    /// [added](Self::add_fast_successes) later: none of its moments is in another bucket of a window. Tells when
    /// it ends.
    pub(crate) fn align_bucket(&mut self, now: Moment) -> Moment {
        self.interval = self.interval.max(now);
        let edges = self.entries.iter().filter_map(|entry| match &entry.data {
            Data::Time(window) => Some(window.bucket_end(self.interval)),
            _ => None,
        });
        edges.min().unwrap_or(Moment::NEVER)
    }

    /// Adds successes that no rule found slow, buffered in the [interval](Self::align_bucket). They came
    /// before the call that was recorded last, if it is given.
    #[allow(clippy::inline_always)] // see above
    #[inline(always)]
    pub(crate) fn add_fast_successes(&mut self, successes: u64, before: Option<&Sample>) {
        let calls = WindowCounts {
            recorded: u32::try_from(successes).unwrap_or(u32::MAX),
            ..WindowCounts::default()
        };
        for Entry { rule, data, .. } in &mut self.entries {
            match data {
                Data::None => {}
                Data::Calls(window) => match before.filter(|last| last.is_seen_by(rule)) {
                    Some(last) => {
                        window.record_successes_before(successes, last.failed, last.is_slow(rule));
                    }
                    None => window.record_successes(successes),
                },
                Data::Time(window) => window.add(self.interval, calls),
            }
        }
    }

    /// How many quick successes are enough to learn that more of them would change nothing: `None` if
    /// they always do.
    pub(crate) fn fill(&self) -> Option<u32> {
        self.entries
            .iter()
            .try_fold(0, |most, entry| match &entry.data {
                Data::None => Some(most),
                Data::Calls(_) if entry.rule.slower_than.is_some() => None,
                Data::Calls(window) => Some(most.max(window.capacity())),
                Data::Time(_) => None,
            })
    }

    /// The longest a call may take that no rule finds slow.
    pub(crate) fn min_slow_threshold(&self) -> Duration {
        let limits = self
            .entries
            .iter()
            .filter_map(|entry| entry.rule.slower_than);
        limits.min().unwrap_or(Duration::MAX)
    }

    /// The first rule that this call has tripped, with `consecutive` failures in a row.
    pub(crate) fn tripped(&self, sample: &Sample, consecutive: u32) -> Option<RuleSnapshot> {
        self.entries
            .iter()
            .filter(|entry| sample.counts_against(&entry.rule))
            .find(|entry| entry.holds(sample.now, consecutive))
            .map(|entry| entry.snapshot(sample.now, consecutive))
    }

    /// The rules that this call would trip, each only when it had not held before.
    pub(crate) fn newly_met(&mut self, sample: &Sample, consecutive: u32) -> Vec<RuleSnapshot> {
        let mut news = Vec::new();
        for entry in &mut self.entries {
            if !entry.holds(sample.now, consecutive) {
                entry.held = false;
            } else if !entry.held && sample.counts_against(&entry.rule) {
                entry.held = true;
                news.push(entry.snapshot(sample.now, consecutive));
            }
        }
        news
    }

    pub(crate) fn snapshots(&self, now: Moment, consecutive: u32) -> Vec<RuleSnapshot> {
        let snapshot = |entry: &Entry| entry.snapshot(now, consecutive);
        self.entries.iter().map(snapshot).collect()
    }

    /// Whether a quick success, one more, changes anything, or whether a success is a quick one has to be
    /// found out first.
    #[allow(clippy::inline_always)] // see above
    #[inline(always)]
    pub(crate) fn wants_successes(&self) -> bool {
        self.entries.iter().any(|entry| match &entry.data {
            Data::None => false,
            Data::Calls(window) => entry.rule.slower_than.is_some() || !window.is_saturated(),
            Data::Time(_) => true,
        })
    }

    pub(crate) fn clear(&mut self) {
        for entry in &mut self.entries {
            entry.held = false;
            match &mut entry.data {
                Data::None => {}
                Data::Calls(window) => window.clear(),
                Data::Time(window) => window.clear(),
            }
        }
    }
}

impl Entry {
    /// Whether its window holds what a new one of `rule` would.
    fn looks_like(&self, rule: &TripRule) -> bool {
        let window = |rule: &TripRule| rule.window.map(|window| (window.span, window.steps()));
        window(&self.rule) == window(rule) && self.rule.slower_than == rule.slower_than
    }

    fn new(rule: TripRule, origin: Moment) -> Self {
        let data = match rule.window.map(|window| (window.span, window.steps())) {
            None => Data::None,
            Some((WindowKind::Calls(calls), _)) => {
                Data::Calls(CountWindow::new(calls, rule.slower_than.is_some()))
            }
            Some((WindowKind::Time(length), steps)) => {
                Data::Time(TimeWindow::new(origin, length, steps))
            }
        };
        Self {
            rule,
            data,
            held: false,
        }
    }

    fn figures(&self, now: Moment, consecutive: u32) -> WindowCounts {
        match &self.data {
            Data::None => WindowCounts::consecutive_failures(consecutive),
            Data::Calls(window) => window.figures(),
            Data::Time(window) => window.figures(now),
        }
    }

    fn holds(&self, now: Moment, consecutive: u32) -> bool {
        self.rule.holds(self.figures(now, consecutive))
    }

    fn snapshot(&self, now: Moment, consecutive: u32) -> RuleSnapshot {
        RuleSnapshot::new(self.rule, self.figures(now, consecutive))
    }
}
