use super::count_window::CountWindow;
use super::time_window::TimeWindow;
use super::{RuleSnapshot, TripRule, WindowCounts, WindowKind};
use crate::clock::Moment;
use std::time::Duration;

/// The rules of a circuit, each with its window.
#[derive(Debug)]
pub(crate) struct RuleEvaluator {
    origin: Moment,
    /// A time within the present interval of the success buffer.
    interval: Moment,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    rule: TripRule,
    window: WindowState,
    /// Whether the rule was met when it was last evaluated, and has been reported in metrics-only
    /// mode.
    was_met: bool,
}

#[derive(Clone, Debug)]
enum WindowState {
    /// The rule has no window, because the state word counts consecutive failures.
    None,
    Calls(CountWindow),
    Time(TimeWindow),
}

/// The outcome of a call, as the rules evaluate it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) failed: bool,
    /// Only slow-call rules record an ignored call, and only a slow one.
    pub(crate) ignored: bool,
    pub(crate) elapsed: Option<Duration>,
    pub(crate) now: Moment,
}

impl Sample {
    /// Creates the sample of a success that was not slow, or whose duration is unknown.
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

    /// Returns `true` if the window of `rule` records the call.
    fn is_recorded_by(&self, rule: &TripRule) -> bool {
        !self.ignored || self.is_slow(rule)
    }

    /// Returns `true` if the call counts against `rule`. Only such a call can trip the rule.
    fn counts_against(&self, rule: &TripRule) -> bool {
        match rule.slower_than {
            Some(_) => self.is_slow(rule),
            None => self.failed,
        }
    }
}

/// Returns the snapshots of rules without windows, which need no [`RuleEvaluator`].
pub(crate) fn without_windows(
    rules: &[TripRule],
    consecutive: u32,
) -> impl Iterator<Item = RuleSnapshot> {
    let counts = WindowCounts::of_consecutive_failures(consecutive);
    rules
        .iter()
        .map(move |rule| RuleSnapshot::new(*rule, counts))
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

    /// Returns an evaluator of other `rules`. Windows of unchanged kind and size keep their calls.
    pub(crate) fn with_rules(&self, rules: &[TripRule]) -> Self {
        let carried = |rule: &TripRule| {
            let mut entry = Entry::new(*rule, self.origin);
            if let Some(same) = self.entries.iter().find(|other| other.has_window_of(rule)) {
                entry.window = same.window.clone();
            }
            entry.was_met = self
                .entries
                .iter()
                .any(|other| other.rule == *rule && other.was_met);
            entry
        };
        Self {
            origin: self.origin,
            interval: self.interval,
            entries: rules.iter().map(carried).collect(),
        }
    }

    /// Updates which rules are no longer met. A window of time changes even without a call.
    pub(crate) fn refresh(&mut self, now: Moment, consecutive: u32) {
        for entry in &mut self.entries {
            entry.was_met &= entry.is_met(now, consecutive);
        }
    }

    /// Records a call in the windows.
    #[inline]
    pub(crate) fn record(&mut self, sample: &Sample) {
        for Entry { rule, window, .. } in &mut self.entries {
            let slow = sample.is_slow(rule);
            if !sample.is_recorded_by(rule) {
                continue;
            }
            match window {
                WindowState::None => {}
                WindowState::Calls(window) => window.record(sample.failed, slow),
                WindowState::Time(window) => window.record(sample.now, sample.failed, slow),
            }
        }
    }

    /// Begins an interval of the success buffer at `now`, and returns its end: the earliest end of
    /// a bucket in any window of time. [`add_fast_successes`](Self::add_fast_successes) later adds
    /// the successes of the interval.
    pub(crate) fn align_bucket(&mut self, now: Moment) -> Moment {
        self.interval = self.interval.max(now);
        let ends = self.entries.iter().filter_map(|entry| match &entry.window {
            WindowState::Time(window) => Some(window.bucket_end(self.interval)),
            _ => None,
        });
        ends.min().unwrap_or(Moment::NEVER)
    }

    /// Adds successes of the [interval](Self::align_bucket) that are slow for no rule. If the call
    /// that was recorded last is given as `before`, the successes enter the windows before that
    /// call.
    #[inline]
    pub(crate) fn add_fast_successes(&mut self, successes: u64, before: Option<&Sample>) {
        let calls = WindowCounts {
            recorded: u32::try_from(successes).unwrap_or(u32::MAX),
            ..WindowCounts::default()
        };
        for Entry { rule, window, .. } in &mut self.entries {
            match window {
                WindowState::None => {}
                WindowState::Calls(window) => match before.filter(|last| last.is_recorded_by(rule))
                {
                    Some(last) => {
                        window.record_successes_before(successes, last.failed, last.is_slow(rule));
                    }
                    None => window.record_successes(successes),
                },
                WindowState::Time(window) => window.add(self.interval, calls),
            }
        }
    }

    /// Returns the number of successes that saturate all windows, if they are slow for no rule.
    /// `None` if a window cannot become saturated.
    pub(crate) fn saturation_count(&self) -> Option<u32> {
        self.entries
            .iter()
            .try_fold(0, |count, entry| match &entry.window {
                WindowState::None => Some(count),
                WindowState::Calls(_) if entry.rule.slower_than.is_some() => None,
                WindowState::Calls(window) => Some(count.max(window.capacity())),
                WindowState::Time(_) => None,
            })
    }

    /// Returns the maximum duration of a call that is slow for no rule.
    pub(crate) fn min_slow_threshold(&self) -> Duration {
        let limits = self
            .entries
            .iter()
            .filter_map(|entry| entry.rule.slower_than);
        limits.min().unwrap_or(Duration::MAX)
    }

    /// Returns the first rule that the call trips, given the consecutive failures.
    pub(crate) fn tripped(&self, sample: &Sample, consecutive: u32) -> Option<RuleSnapshot> {
        self.entries
            .iter()
            .filter(|entry| sample.counts_against(&entry.rule))
            .find(|entry| entry.is_met(sample.now, consecutive))
            .map(|entry| entry.snapshot(sample.now, consecutive))
    }

    /// Returns the rules that the call would trip, and that were not met before the call.
    pub(crate) fn newly_met(&mut self, sample: &Sample, consecutive: u32) -> Vec<RuleSnapshot> {
        let mut newly_met = Vec::new();
        for entry in &mut self.entries {
            if !entry.is_met(sample.now, consecutive) {
                entry.was_met = false;
            } else if !entry.was_met && sample.counts_against(&entry.rule) {
                entry.was_met = true;
                newly_met.push(entry.snapshot(sample.now, consecutive));
            }
        }
        newly_met
    }

    pub(crate) fn snapshots(&self, now: Moment, consecutive: u32) -> Vec<RuleSnapshot> {
        let snapshot = |entry: &Entry| entry.snapshot(now, consecutive);
        self.entries.iter().map(snapshot).collect()
    }

    /// Returns `true` if another success may change a window: the window is not saturated, or the
    /// success may be slow.
    #[inline]
    pub(crate) fn wants_successes(&self) -> bool {
        self.entries.iter().any(|entry| match &entry.window {
            WindowState::None => false,
            WindowState::Calls(window) => {
                entry.rule.slower_than.is_some() || !window.is_saturated()
            }
            WindowState::Time(_) => true,
        })
    }

    pub(crate) fn clear(&mut self) {
        for entry in &mut self.entries {
            entry.was_met = false;
            match &mut entry.window {
                WindowState::None => {}
                WindowState::Calls(window) => window.clear(),
                WindowState::Time(window) => window.clear(),
            }
        }
    }
}

impl Entry {
    /// Returns `true` if the window records the same calls as the window of `rule`.
    fn has_window_of(&self, rule: &TripRule) -> bool {
        let window = |rule: &TripRule| {
            rule.window
                .map(|window| (window.span, window.bucket_count()))
        };
        window(&self.rule) == window(rule) && self.rule.slower_than == rule.slower_than
    }

    fn new(rule: TripRule, origin: Moment) -> Self {
        let window = match rule
            .window
            .map(|window| (window.span, window.bucket_count()))
        {
            None => WindowState::None,
            Some((WindowKind::Calls(calls), _)) => {
                WindowState::Calls(CountWindow::new(calls, rule.slower_than.is_some()))
            }
            Some((WindowKind::Time(length), buckets)) => {
                WindowState::Time(TimeWindow::new(origin, length, buckets))
            }
        };
        Self {
            rule,
            window,
            was_met: false,
        }
    }

    fn counts(&self, now: Moment, consecutive: u32) -> WindowCounts {
        match &self.window {
            WindowState::None => WindowCounts::of_consecutive_failures(consecutive),
            WindowState::Calls(window) => window.counts(),
            WindowState::Time(window) => window.counts(now),
        }
    }

    fn is_met(&self, now: Moment, consecutive: u32) -> bool {
        self.rule.is_met(self.counts(now, consecutive))
    }

    fn snapshot(&self, now: Moment, consecutive: u32) -> RuleSnapshot {
        RuleSnapshot::new(self.rule, self.counts(now, consecutive))
    }
}
