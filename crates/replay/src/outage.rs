//! [`Outage`]: a period in which a dependency failed, and how such periods are found with hindsight.

use crate::nanos::{from_nanos, nanos};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// A period in which a dependency failed.
///
/// # Examples
///
/// ```
/// use breakerbox_replay::Outage;
/// use std::time::Duration;
///
/// let everything = Outage::new(Duration::from_secs(60), Duration::from_secs(180));
/// let users = everything.clone().of("users-api");
/// assert_eq!(users.name.as_deref(), Some("users-api"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Outage {
    /// The name of the breaker, or `None` for all names.
    #[serde(serialize_with = "crate::serial::optional_text")]
    pub name: Option<Arc<str>>,
    /// The beginning, since the epoch of the traffic.
    #[serde(serialize_with = "crate::serial::seconds")]
    pub start: Duration,
    /// The first moment after the outage, since the epoch of the traffic.
    #[serde(serialize_with = "crate::serial::seconds")]
    pub end: Duration,
}

impl Outage {
    /// Creates an outage of all names.
    pub const fn new(start: Duration, end: Duration) -> Self {
        let name = None;
        Self { name, start, end }
    }

    /// Restricts the outage to the breaker called `name`.
    #[must_use]
    pub fn of(self, name: impl Into<Arc<str>>) -> Self {
        let name = Some(name.into());
        Self { name, ..self }
    }
}

/// An outage of one name, in nanoseconds since the epoch of the traffic. The number is its position
/// among all outages of the replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) number: u32,
}

/// Returns the outages of `name`, sorted by their start. Outages that overlap are joined.
pub(crate) fn spans_of(name: &str, outages: &[Outage]) -> Vec<Span> {
    let of_name = outages.iter().zip(0..).filter(|(outage, _)| {
        let applies = outage.name.as_deref().is_none_or(|other| other == name);
        applies && outage.start < outage.end
    });
    let mut spans: Vec<Span> = of_name
        .map(|(outage, number)| Span {
            start: nanos(outage.start),
            end: nanos(outage.end),
            number,
        })
        .collect();
    spans.sort_by_key(|span| (span.start, span.number));
    spans.dedup_by(|next, span| {
        let overlaps = next.start <= span.end;
        if overlaps {
            span.end = span.end.max(next.end);
        }
        overlaps
    });
    spans
}

/// The length of the bins in which outages are looked for, in nanoseconds.
pub(crate) const BIN: u64 = 10_000_000_000;

/// The calls of one name in ten seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bin {
    /// The start of the bin, divided by [`BIN`].
    pub(crate) index: u64,
    pub(crate) calls: u32,
    pub(crate) bad: u32,
    /// The number of instances that made calls.
    pub(crate) instances: u32,
    /// The start of the first bad call, and the start of the last one.
    pub(crate) bad_from: u64,
    pub(crate) bad_until: u64,
}

impl Bin {
    fn share(&self) -> f64 {
        f64::from(self.bad) / f64::from(self.calls.max(1))
    }
}

/// The logarithm of how much likelier the calls of an outage must be in an outage than otherwise.
const EVIDENCE: f64 = 10.0;

/// How often the share of an ordinary day is corrected by what is found with it.
const CORRECTIONS: usize = 4;

/// Returns the share of calls that fail on an ordinary day.
///
/// The share is at least 0.1 %, and at most 30 %. It begins as the median of all bins, which is too
/// low where calls are rare: most bins then have no failure at all. It is therefore raised to the share
/// outside the outages that it finds.
pub(crate) fn base_rate(bins: &[Bin]) -> f64 {
    let mut shares: Vec<f64> = bins.iter().map(Bin::share).collect();
    shares.sort_by(f64::total_cmp);
    let median = shares.get(shares.len() / 2).copied().unwrap_or(0.0);
    let mut base = ordinary(median);
    for _ in 0..CORRECTIONS {
        let (mut calls, mut bad, mut begin) = (0_u64, 0_u64, 0);
        let end = (bins.len(), bins.len());
        for (first, last) in runs_above(base, bins).into_iter().chain([end]) {
            for bin in &bins[begin..first] {
                calls += u64::from(bin.calls);
                bad += u64::from(bin.bad);
            }
            begin = last + 1;
        }
        #[allow(clippy::cast_precision_loss)] // a share
        let outside = ordinary(bad as f64 / calls.max(1) as f64);
        if outside <= base {
            break;
        }
        base = outside;
    }
    base
}

fn ordinary(share: f64) -> f64 {
    share.clamp(0.001, 0.3)
}

/// Finds the periods in which clearly more calls failed than usual.
///
/// An outage begins with its first bad call and ends after its last.
pub(crate) fn find(name: &Arc<str>, bins: &[Bin]) -> Vec<Outage> {
    let mut outages = Vec::new();
    for (first, last) in runs_above(base_rate(bins), bins) {
        let run = &bins[first..=last];
        let from = run.iter().find(|bin| bin.bad > 0).map(|bin| bin.bad_from);
        let until = run.iter().rfind(|bin| bin.bad > 0);
        if let (Some(from), Some(until)) = (from, until.map(|bin| bin.bad_until)) {
            let end = until.saturating_add(1);
            outages.push(Outage::new(from_nanos(from), from_nanos(end)).of(name.clone()));
        }
    }
    outages
}

/// Returns the first and the last position of each run of bins in which clearly more calls fail than
/// the share `base`.
///
/// Each bin scores the logarithm of how much likelier its calls are at a rate of ten points above
/// the base than at the base.
fn runs_above(base: f64, bins: &[Bin]) -> Vec<(usize, usize)> {
    let raised = base + 0.1;
    let (bad, good) = ((raised / base).ln(), ((1.0 - raised) / (1.0 - base)).ln());
    let score = |bin: &Bin| f64::from(bin.bad) * bad + f64::from(bin.calls - bin.bad) * good;
    best_runs(&bins.iter().map(score).collect::<Vec<_>>())
}

/// Returns the first and the last position of each run, in order.
///
/// The runs have the greatest sum of scores, less [`EVIDENCE`] for each run. Two runs are therefore
/// joined only if the scores between them say little.
fn best_runs(scores: &[f64]) -> Vec<(usize, usize)> {
    /// The greatest sums up to a position, outside a run and inside one.
    #[derive(Clone, Copy)]
    struct Sums {
        outside: f64,
        inside: f64,
    }
    let mut sums = Sums {
        outside: 0.0,
        inside: f64::NEG_INFINITY,
    };
    // For each position: whether the best path to it outside, and inside, comes from a run.
    let mut from_inside = Vec::with_capacity(scores.len());
    for score in scores {
        let begins = sums.outside - EVIDENCE;
        from_inside.push((sums.inside > sums.outside, sums.inside >= begins));
        sums = Sums {
            outside: sums.outside.max(sums.inside),
            inside: sums.inside.max(begins) + score,
        };
    }
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut is_inside = sums.inside > sums.outside;
    for (position, (ended, continued)) in from_inside.into_iter().enumerate().rev() {
        if !is_inside {
            is_inside = ended;
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.0 == position + 1 => run.0 = position,
            _ => runs.push((position, position)),
        }
        is_inside = continued;
    }
    runs.reverse();
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn bins(bad: &[u32]) -> Vec<Bin> {
        let bins = bad.iter().zip(0..).map(|(bad, index)| Bin {
            index,
            calls: 100,
            bad: *bad,
            instances: 1,
            bad_from: index * BIN + 1,
            bad_until: index * BIN + 9,
        });
        bins.collect()
    }

    fn found(bad: &[u32]) -> Vec<(u64, u64)> {
        let outages = find(&"a".into(), &bins(bad));
        let positions = outages
            .iter()
            .map(|outage| (nanos(outage.start) / BIN, nanos(outage.end) / BIN));
        positions.collect()
    }

    #[test]
    fn quiet_traffic_has_no_outage() {
        assert_eq!(found(&[0; 50]), []);
        assert_eq!(found(&[2, 1, 3, 2, 0, 1, 2, 3, 2, 4, 2]), []);
        assert_eq!(found(&[]), []);
    }

    #[test]
    fn outages_are_found_one_by_one() {
        let mut bad = [0; 60];
        bad[10..20].fill(34);
        bad[40..42].fill(100);
        assert_eq!(found(&bad), [(10, 19), (40, 41)]);
    }

    #[test]
    fn short_pause_does_not_split_outage() {
        let mut bad = [1; 60];
        bad[10..20].fill(90);
        bad[14] = 1;
        assert_eq!(found(&bad), [(10, 19)]);
    }

    #[test]
    fn raised_base_rate_is_no_outage() {
        assert_eq!(found(&[20; 60]), []);
        let mut bad = [20; 60];
        bad[30..36].fill(60);
        assert_eq!(found(&bad), [(30, 35)]);
    }

    #[test]
    fn rare_failures_of_rare_calls_are_no_outage() {
        // 1.2 % of the calls fail, but most bins have no failure.
        let mut random = Random::new(3);
        let mut quiet = bins(&[0; 240]);
        for bin in &mut quiet {
            bin.calls = 50;
            bin.bad = (0..50).map(|_| u32::from(random.unit() < 0.012)).sum();
        }
        assert_eq!(find(&"a".into(), &quiet), []);
        let base = base_rate(&quiet);
        assert!((0.009..0.015).contains(&base), "{base}");
        // The failures of an outage do not count as ordinary ones.
        for bin in &mut quiet[100..112] {
            bin.bad = 25;
        }
        let raised = base_rate(&quiet);
        assert!((base - raised).abs() < 0.002, "{base} {raised}");
        assert_eq!(find(&"a".into(), &quiet).len(), 1);
    }

    #[test]
    fn overlapping_outages_are_joined() {
        let outage = |start, end| Outage::new(Duration::from_secs(start), Duration::from_secs(end));
        let outages = [
            outage(5, 9),
            outage(1, 3),
            outage(8, 12).of("a"),
            outage(2, 4).of("b"),
        ];
        let spans = spans_of("a", &outages);
        let times = spans
            .iter()
            .map(|span| (span.start / 1_000_000_000, span.end / 1_000_000_000));
        assert_eq!(times.collect::<Vec<_>>(), [(1, 3), (5, 12)]);
        assert_eq!(spans_of("b", &outages)[0].end, 4_000_000_000);
    }
}
