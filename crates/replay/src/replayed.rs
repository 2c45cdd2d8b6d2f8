//! [`Replayed`]: the results of a replay.

use crate::counted::counted;
use crate::fate::Assumption;
use crate::figures::Figures;
use crate::instances::Instances;
use crate::lane::{Change, LaneResults, LaneSettings, Refusals};
use crate::nanos::from_nanos;
use crate::outage::Outage;
use crate::series::Series;
use crate::spread::Spread;
use crate::timeline::Key;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The results of a [`Replay`](crate::Replay).
///
/// Serialized, times are seconds, and a time that was never reached is null.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Replayed {
    /// The number of calls.
    pub calls: u64,
    /// The calls that never ran, and whose outcome is therefore imputed.
    pub imputed: u64,
    /// The calls that started before the call before them. They were replayed as if they had started
    /// at the same time.
    pub reordered: u64,
    /// The number of breakers: one for each name and instance.
    pub breakers: usize,
    /// The outages against which the figures were measured.
    pub outages: Vec<Outage>,
    /// The results of each candidate, in the order in which they were added.
    pub candidates: Vec<CandidateResults>,
    /// What must be known before the figures are believed, the most important first.
    pub caveats: Vec<String>,
    #[serde(skip)]
    pub(crate) wrong_refusal_costs: f64,
    #[serde(skip)]
    pub(crate) series: Series,
}

/// The results of one candidate.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CandidateResults {
    /// The label of the candidate.
    #[serde(serialize_with = "crate::serial::text")]
    pub label: Arc<str>,
    /// The figures of all breakers, for each shift.
    pub shifts: Vec<Figures>,
    /// The figures of each name, sorted by name, for the shift in the middle.
    pub names: BTreeMap<String, Figures>,
    /// The figures if all calls of unknown outcome had succeeded, and if all had failed. `None` if
    /// every outcome is known.
    pub bounds: Option<(Figures, Figures)>,
    #[serde(skip)]
    pub(crate) keys: Vec<Key>,
    #[serde(skip)]
    pub(crate) changes: Vec<Vec<Change>>,
    #[serde(skip)]
    pub(crate) refusals: Vec<Refusals>,
}

impl CandidateResults {
    /// Returns the figures of the shift in the middle, whose recovery times are those of the
    /// settings.
    pub fn figures(&self) -> Figures {
        self.shifts[self.shifts.len() / 2]
    }

    /// Returns the least, the middle and the greatest value of a figure over all shifts.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::CircuitBreaker;
    /// # use breakerbox_replay::{Candidate, Replay, Scenario, Survey};
    /// # let calls: Vec<_> = Scenario::steady(50.0).outage(60..180, 0.34).calls().collect();
    /// # let replayed = Replay::new(&Survey::of(&calls))
    /// #     .candidate(Candidate::new("default", CircuitBreaker::builder())?)
    /// #     .run(&calls);
    /// let net = replayed.candidates[0].spread(|figures| figures.net_percent(1.0));
    /// assert!(net.min <= net.median && net.median <= net.max);
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    #[allow(clippy::missing_panics_doc)] // a replay has at least one shift
    pub fn spread<T: Copy + PartialOrd>(&self, figure: impl Fn(&Figures) -> T) -> Spread<T> {
        let spread = Spread::of(self.shifts.iter().map(figure));
        spread.expect("a candidate has at least one shift")
    }
}

/// What a replay knows besides the results of its lanes.
pub(crate) struct Source {
    pub(crate) calls: u64,
    pub(crate) reordered: u64,
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) keys: Vec<Key>,
    pub(crate) instances: Instances,
    /// Whether retries of refused requests are made. `None` if calls have no requests.
    pub(crate) keeps_retries: Option<bool>,
    pub(crate) wrong_refusal_costs: f64,
    pub(crate) series: Series,
}

/// The share of imputed calls from which the first line says so.
const MUCH_IMPUTED: f64 = 0.05;

/// A caveat of traffic whose calls have requests.
pub(crate) const RETRIES_SPARED: &str =
    "retries vanish: a request makes no more calls for 60 s after one of them was refused";
const RETRIES_KEPT: &str =
    "retries are kept: a request calls again even if a call of it was refused";

impl Replayed {
    /// Collects the results of lanes, which are grouped by candidate.
    pub(crate) fn new(
        source: Source,
        outages: Vec<Outage>,
        lanes: impl Iterator<Item = (LaneSettings, LaneResults)>,
    ) -> Self {
        let mut candidates: Vec<Collected> = Vec::new();
        for (settings, results) in lanes {
            if settings.number == candidates.len() {
                candidates.push(Collected::new(settings.candidate.label().into()));
            }
            if let Some(candidate) = candidates.last_mut() {
                match settings.assumption {
                    Assumption::Imputed => candidate.shifts.push(results),
                    _ => candidate.extremes.push(total(&results)),
                }
            }
        }
        let caveats = caveats(&source, &outages);
        Self {
            calls: source.calls,
            imputed: source.series.unknown,
            reordered: source.reordered,
            breakers: source.keys.len(),
            outages,
            candidates: candidates.into_iter().map(Collected::finish).collect(),
            caveats,
            wrong_refusal_costs: source.wrong_refusal_costs,
            series: source.series,
        }
    }

    /// Returns the results of the candidate with this label.
    pub fn get(&self, label: &str) -> Option<&CandidateResults> {
        self.candidates
            .iter()
            .find(|candidate| &*candidate.label == label)
    }

    /// Returns the time of the first call, and the time of the last end.
    pub fn span(&self) -> (Duration, Duration) {
        let series = &self.series;
        (
            from_nanos(series.first.unwrap_or(0)),
            from_nanos(series.last),
        )
    }
}

/// The lanes of one candidate.
struct Collected {
    label: Arc<str>,
    shifts: Vec<LaneResults>,
    extremes: Vec<Figures>,
}

impl Collected {
    fn new(label: Arc<str>) -> Self {
        Self {
            label,
            shifts: Vec::new(),
            extremes: Vec::new(),
        }
    }

    fn finish(mut self) -> CandidateResults {
        let shifts: Vec<Figures> = self.shifts.iter().map(total).collect();
        let middle = self.shifts.swap_remove(self.shifts.len() / 2);
        let mut names = BTreeMap::new();
        let (mut keys, mut changes) = (Vec::new(), Vec::new());
        for result in middle.keys {
            let figures: &mut Figures = names.entry(result.key.name.to_string()).or_default();
            figures.add(&result.figures);
            keys.push(result.key);
            changes.push(result.changes);
        }
        let bounds = match self.extremes[..] {
            [succeed, fail] => Some((succeed, fail)),
            _ => None,
        };
        CandidateResults {
            label: self.label,
            shifts,
            names,
            bounds,
            keys,
            changes,
            refusals: middle.refusals,
        }
    }
}

fn total(results: &LaneResults) -> Figures {
    let mut total = Figures::default();
    for key in &results.keys {
        total.add(&key.figures);
    }
    total
}

/// Says that a share of the calls never ran.
pub(crate) fn never_ran(share: f64) -> String {
    let percent = 100.0 * share;
    let decimals = if share > MUCH_IMPUTED { 1 } else { 2 };
    format!(
        "{percent:.decimals$} % of the calls never ran, so their outcomes are imputed from the calls around them"
    )
}

#[allow(clippy::cast_precision_loss)] // shares
fn caveats(source: &Source, outages: &[Outage]) -> Vec<String> {
    let mut caveats = Vec::new();
    let imputed = source.series.unknown as f64 / source.calls.max(1) as f64;
    let bounds = || {
        let never_ran = never_ran(imputed);
        format!("{never_ran}; the bounds say what their true outcomes could change")
    };
    if imputed > MUCH_IMPUTED {
        caveats.push(bounds());
    }
    caveats.push(match source.instances {
        Instances::Dealt { count, .. } => {
            let instances = counted(count.into(), "instance");
            format!("calls are dealt to {instances} at random, which is an assumption")
        }
        Instances::OfTraffic if source.keys.len() == source.names.len() => {
            "one instance makes all calls of a name; with several, every figure is wrong".to_owned()
        }
        Instances::OfTraffic => {
            let names = counted(source.names.len() as u64, "name");
            format!("{} breakers for {names}", source.keys.len())
        }
    });
    caveats.push(
        "open loop: callers do not react to refusals, and the dependency does not recover sooner"
            .to_owned(),
    );
    caveats.extend(source.keeps_retries.map(|keeps| {
        let caveat = if keeps { RETRIES_KEPT } else { RETRIES_SPARED };
        caveat.to_owned()
    }));
    if imputed > 0.0 && imputed <= MUCH_IMPUTED {
        caveats.push(bounds());
    }
    if source.reordered > 0 {
        let calls = counted(source.reordered, "call");
        caveats.push(format!("{calls} out of order, moved to later starts"));
    }
    if outages.is_empty() {
        caveats.push("no outage was found: the figures show false trips only".to_owned());
    }
    caveats
}
