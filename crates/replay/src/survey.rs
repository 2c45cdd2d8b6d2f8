//! [`Survey`]: what a first pass over the traffic finds, before any settings are tried.

use crate::call::{Call, Outcome};
use crate::names::Names;
use crate::nanos::{from_nanos, nanos};
use crate::outage::{self, BIN, Bin, Outage};
use std::borrow::Borrow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// What a first pass over the traffic finds: names, rates, latencies, and outages.
///
/// Outages are found once, before any settings are tried, and independently of them.
///
/// # Examples
///
/// ```
/// use breakerbox_replay::{Scenario, Survey};
///
/// let survey = Survey::of(Scenario::steady(50.0).outage(60..180, 0.5).calls());
/// let outages = survey.outages();
/// assert_eq!(outages.len(), 1);
/// assert_eq!(outages[0].start.as_secs(), 60);
/// assert_eq!(survey.unknown_share(), 0.0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Survey {
    bad_from: Option<Duration>,
    names: Names,
    found: Vec<NameSurvey>,
    span: Option<(u64, u64)>,
    unknown: u64,
    has_requests: bool,
}

/// What a [`Survey`] finds about one name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NameSurvey {
    /// The name of the breaker.
    pub name: Arc<str>,
    /// All calls, including those that never ran.
    pub calls: u64,
    /// The calls that failed, or took too long.
    pub bad: u64,
    bins: Vec<Bin>,
    instances: Names,
    /// For each instance, the position after that of its latest bin.
    latest_bins: Vec<usize>,
    latencies: Vec<u64>,
}

impl Survey {
    /// Creates a survey without calls.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts calls that take at least `latency` as bad, even if they succeed. Default: only
    /// failures are bad.
    #[must_use]
    pub fn bad_from(self, latency: Duration) -> Self {
        let bad_from = Some(latency);
        Self { bad_from, ..self }
    }

    /// Surveys `calls`.
    pub fn of(calls: impl IntoIterator<Item = impl Borrow<Call>>) -> Self {
        let mut survey = Self::new();
        survey.extend(calls);
        survey
    }

    /// Adds all `calls`.
    pub fn extend(&mut self, calls: impl IntoIterator<Item = impl Borrow<Call>>) {
        for call in calls {
            self.add(call.borrow());
        }
    }

    /// Adds one call.
    pub fn add(&mut self, call: &Call) {
        let number = self.names.number(&call.name) as usize;
        if number == self.found.len() {
            self.found.push(NameSurvey::new(call.name.clone()));
        }
        let start = nanos(call.start);
        let (first, last) = self.span.unwrap_or((start, start));
        self.span = Some((first.min(start), last.max(nanos(call.end()))));
        self.unknown += u64::from(call.outcome == Outcome::Refused);
        self.has_requests |= call.request.is_some();
        let is_bad = is_bad(call.outcome, call.duration, self.bad_from);
        self.found[number].add(start, call, is_bad);
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> u64 {
        self.found.iter().map(|name| name.calls).sum()
    }

    /// Returns the share of calls that never ran, and whose outcome is therefore unknown.
    #[allow(clippy::cast_precision_loss)] // a share
    pub fn unknown_share(&self) -> f64 {
        self.unknown as f64 / (self.calls().max(1)) as f64
    }

    /// Returns the time from the first start to the last end.
    pub fn span(&self) -> Range<Duration> {
        let (first, last) = self.span.unwrap_or_default();
        from_nanos(first)..from_nanos(last)
    }

    /// Returns what was found about each name, sorted by name.
    pub fn names(&self) -> Vec<&NameSurvey> {
        let mut names: Vec<_> = self.found.iter().collect();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        names
    }

    /// Returns the periods in which clearly more calls of a name were bad than usual, sorted.
    ///
    /// Change points are found in bins of ten seconds. An outage begins with its first bad call.
    pub fn outages(&self) -> Vec<Outage> {
        let of_name = |name: &NameSurvey| outage::find(&name.name, &name.bins);
        let mut outages: Vec<Outage> = self.found.iter().flat_map(of_name).collect();
        outages.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
        outages
    }

    /// Returns the latency from which a call is bad, if there is one.
    pub fn limit(&self) -> Option<Duration> {
        self.bad_from
    }

    /// Returns `true` if calls are assigned to requests.
    pub(crate) fn has_requests(&self) -> bool {
        self.has_requests
    }

    pub(crate) fn has_unknown(&self) -> bool {
        self.unknown > 0
    }
}

impl NameSurvey {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            calls: 0,
            bad: 0,
            bins: Vec::new(),
            instances: Names::default(),
            latest_bins: Vec::new(),
            latencies: vec![0; LATENCIES],
        }
    }

    fn add(&mut self, start: u64, call: &Call, is_bad: bool) {
        self.calls += 1;
        self.bad += u64::from(is_bad);
        if call.outcome == Outcome::Success {
            if let Some(latency) = call.duration {
                self.latencies[bucket(nanos(latency))] += 1;
            }
        }
        if !matches!(call.outcome, Outcome::Success | Outcome::Failure) {
            return;
        }
        let index = start / BIN;
        // A call that starts before its predecessor belongs to the bin of the predecessor.
        if self.bins.last().is_none_or(|bin| bin.index < index) {
            self.bins.push(Bin {
                index,
                calls: 0,
                bad: 0,
                instances: 0,
                bad_from: 0,
                bad_until: 0,
            });
        }
        let is_new = self.add_instance(call);
        let Some(bin) = self.bins.last_mut() else {
            return;
        };
        bin.calls += 1;
        bin.instances += u32::from(is_new);
        if is_bad {
            bin.bad_from = if bin.bad == 0 { start } else { bin.bad_from };
            bin.bad_until = start.max(bin.bad_until);
            bin.bad += 1;
        }
    }

    /// Returns `true` if the latest bin had no call of the same instance. Calls without an instance
    /// are those of a single one.
    fn add_instance(&mut self, call: &Call) -> bool {
        let number = match &call.instance {
            Some(instance) => self.instances.number(instance) as usize + 1,
            None => 0,
        };
        if number >= self.latest_bins.len() {
            self.latest_bins.resize(number + 1, 0);
        }
        let latest = &mut self.latest_bins[number];
        let is_new = *latest != self.bins.len();
        *latest = self.bins.len();
        is_new
    }

    /// Returns the share of bad calls on an ordinary day, from 0.1 % to 30 %.
    pub fn base_rate(&self) -> f64 {
        outage::base_rate(&self.bins)
    }

    /// Returns the calls per second, as the median of all bins of ten seconds that have calls.
    pub fn calls_per_second(&self) -> f64 {
        self.median_rate(|bin| f64::from(bin.calls))
    }

    /// Returns the calls per second of one instance, as the median of all bins of ten seconds that
    /// have calls.
    pub(crate) fn calls_per_second_of_instance(&self) -> f64 {
        self.median_rate(|bin| f64::from(bin.calls) / f64::from(bin.instances.max(1)))
    }

    fn median_rate(&self, calls: impl Fn(&Bin) -> f64) -> f64 {
        let mut counts: Vec<f64> = self.bins.iter().map(calls).collect();
        counts.sort_unstable_by(f64::total_cmp);
        let median = counts.get(counts.len() / 2).copied().unwrap_or(0.0);
        median * 1e9 / nanos_per_bin()
    }

    /// Returns the latency that the share `quantile` of the successes does not exceed, to within
    /// 13 %. `None` if the durations are not known.
    pub fn latency(&self, quantile: f64) -> Option<Duration> {
        let total: u64 = self.latencies.iter().sum();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let wanted = (total as f64 * quantile.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        let reached = |count: &u64| {
            seen += count;
            total > 0 && seen >= wanted.max(1)
        };
        let at = self.latencies.iter().position(reached)?;
        Some(from_nanos(bucket_end(at)))
    }
}

#[allow(clippy::cast_precision_loss)] // a constant
fn nanos_per_bin() -> f64 {
    BIN as f64
}

/// Returns `true` if a call with this outcome says that the dependency is unhealthy.
pub(crate) fn is_bad(
    outcome: Outcome,
    duration: Option<Duration>,
    bad_from: Option<Duration>,
) -> bool {
    let is_slow = || duration.is_some_and(|time| bad_from.is_some_and(|limit| time >= limit));
    match outcome {
        Outcome::Failure => true,
        Outcome::Success => is_slow(),
        Outcome::Ignored | Outcome::Cancelled | Outcome::Refused => false,
    }
}

/// The number of buckets: eight for each power of two.
const LATENCIES: usize = 64 * 8;

fn bucket(nanos: u64) -> usize {
    let nanos = nanos.max(8);
    let power = nanos.ilog2();
    let eighth = (nanos >> (power - 3)) & 7;
    power as usize * 8 + usize::try_from(eighth).unwrap_or(0)
}

/// Returns the greatest value of the bucket at `position`.
fn bucket_end(position: usize) -> u64 {
    let power = position / 8;
    let step = 1_u64 << power.saturating_sub(3);
    let from = u64::try_from(8 + position % 8).unwrap_or(0);
    step.saturating_mul(from + 1) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_exceeds_value_by_an_eighth_at_most() {
        for nanos in [8, 1_000, 999_999, 20_000_000, 7_000_000_000] {
            let end = bucket_end(bucket(nanos));
            assert!(nanos <= end && end <= nanos + nanos / 8, "{nanos} {end}");
        }
    }

    #[test]
    fn latency_is_that_of_quantile() {
        let mut survey = Survey::new();
        for at in 0..1_000 {
            let mut call = Call::new("a", Duration::from_secs(at), Outcome::Success);
            call.duration = Some(Duration::from_millis(if at < 990 { 10 } else { 500 }));
            survey.add(&call);
        }
        let name = survey.names()[0];
        let millis = |quantile| name.latency(quantile).unwrap().as_millis();
        assert!((10..=11).contains(&millis(0.5)), "{}", millis(0.5));
        assert!((500..=560).contains(&millis(0.999)), "{}", millis(0.999));
        assert!((0.9..=1.1).contains(&name.calls_per_second()));
    }

    #[test]
    fn slow_call_is_bad_from_limit_on() {
        let slow = Some(Duration::from_secs(2));
        assert!(!is_bad(Outcome::Success, slow, None));
        assert!(is_bad(Outcome::Success, slow, slow));
        assert!(!is_bad(Outcome::Cancelled, slow, slow));
    }

    #[test]
    fn rate_of_instance_is_that_of_running_instances() {
        let mut survey = Survey::new();
        // Three instances at a time make a call each second, and are replaced every minute.
        for at in 0..1_800 {
            let start = Duration::from_secs(at / 3);
            let mut call = Call::new("a", start, Outcome::Success);
            call.instance = Some(format!("{}-{}", at / 180, at % 3).into());
            survey.add(&call);
        }
        let name = survey.names()[0];
        assert!((2.9..=3.1).contains(&name.calls_per_second()));
        assert!((0.9..=1.1).contains(&name.calls_per_second_of_instance()));
    }
}
