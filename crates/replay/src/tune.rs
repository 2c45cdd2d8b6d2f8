//! [`Tuner`]: finds settings for one name by trying candidates that follow from the traffic.

use crate::call::Call;
use crate::candidate::Candidate;
use crate::figures::Figures;
use crate::grid::{Grid, Point};
use crate::instances::Instances;
use crate::nanos::from_nanos;
use crate::outage::{Outage, spans_of};
use crate::replay::Replay;
use crate::replayed::RETRIES_SPARED;
use crate::survey::{Survey, is_bad};
use breakerbox::BreakerBuilder;
use serde::Serialize;
use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

/// Finds settings for the breaker of one name, by trying candidates that follow from its traffic.
///
/// Candidates are tried on the calls around each outage, and on a sample of quiet traffic. The
/// choice is the cheapest candidate whose neighbours are nearly as good, so that a small difference
/// in the traffic does not matter.
///
/// # Default
///
/// * `wrong_refusal_costs`: 1, as much as a bad call that is let through
/// * `detect_within`: no limit
/// * `outages`: those that the [`Survey`] found
/// * `instances`: those of the traffic
/// * `threads`: the available parallelism
///
/// # Examples
///
/// ```
/// use breakerbox::{BreakerRegistry, settings::Settings};
/// use breakerbox_replay::{Scenario, Survey, Tuner};
///
/// let log: Vec<_> = Scenario::steady(5.0).outage(120..240, 1.0).named("mail").calls().collect();
/// let survey = Survey::of(&log);
/// let tuned = Tuner::new(&survey, "mail").expect("the log contains mail").tune(&log);
/// assert_eq!(tuned.fitted, "fitted to 1 outage, not verified");
///
/// let settings: Settings = toml::from_str(&tuned.toml)?;
/// BreakerRegistry::new().apply(&settings)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a tuner does nothing until it tunes"]
pub struct Tuner {
    name: Arc<str>,
    grid: Grid,
    outages: Vec<Outage>,
    bad_from: Option<Duration>,
    cost: f64,
    detect_within: Option<Duration>,
    instances: Instances,
    threads: Option<usize>,
    has_requests: bool,
}

/// The settings that a [`Tuner`] chose, and how.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Tuned {
    /// What the settings were fitted to, and whether that was verified. The first line to show.
    pub fitted: String,
    /// The name of the breaker.
    pub name: String,
    /// A document that [`BreakerRegistry::apply`](breakerbox::BreakerRegistry::apply) takes.
    pub toml: String,
    /// The number of candidates that were tried.
    pub tried: usize,
    /// The choice.
    pub chosen: Trial,
    /// The candidates that no other one beats in both costs, by bad calls let through.
    pub front: Vec<Trial>,
    /// For each outage: what the choice without it would have done in it.
    pub left_out: Vec<LeftOut>,
    /// What must be known before the settings are believed.
    pub caveats: Vec<String>,
    #[serde(skip)]
    settings: BreakerBuilder,
}

/// A candidate, and what it did in all outages and in quiet traffic.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// The settings, in words.
    pub label: String,
    /// The bad calls that were let through.
    pub bad_admitted: u64,
    /// The good calls that were refused.
    pub good_refused: u64,
    /// The time to detect the outage that took longest.
    #[serde(serialize_with = "crate::serial::seconds")]
    pub detected: Duration,
}

/// An outage to which the settings were not fitted, and what they did in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// The outage.
    pub outage: Outage,
    /// The settings that the other outages would have chosen.
    pub label: String,
    /// The bad calls refused minus the cost of the good calls refused, in per cent of the calls in the
    /// outage. Zero is what no breaker achieves.
    pub net_percent: f64,
}

/// The most calls that are tried.
const MOST_CALLS: usize = 2_000_000;
/// The time before and after an outage that belongs to its traffic.
const BEFORE: Duration = Duration::from_secs(120);
const AFTER: Duration = Duration::from_secs(180);
/// The number of outages from which leaving one out says something.
const VERIFIABLE: usize = 3;
/// How much worse neighbours may be, as a share of what the outages cost without a breaker.
const CLIFF: f64 = 0.1;
/// The number of shifts of each candidate.
const SHIFTS: u32 = 3;

impl Tuner {
    /// Creates a tuner for the breaker called `name`. Returns `None` if the survey has no such calls.
    pub fn new(survey: &Survey, name: &str) -> Option<Self> {
        let found = survey
            .names()
            .into_iter()
            .find(|found| &*found.name == name)?;
        let of_name = |outage: &Outage| outage.name.as_deref().is_none_or(|other| other == name);
        Some(Self {
            name: found.name.clone(),
            grid: Grid::of(found, survey.limit()),
            outages: survey.outages().into_iter().filter(of_name).collect(),
            bad_from: survey.limit(),
            cost: 1.0,
            detect_within: None,
            instances: Instances::default(),
            threads: None,
            has_requests: survey.has_requests(),
        })
    }

    /// Sets what a wrong refusal costs, relative to a bad call that is let through. Default: 1.
    pub fn wrong_refusal_costs(mut self, cost: f64) -> Self {
        self.cost = cost.max(0.0);
        self
    }

    /// Requires that every outage in which most calls are bad is detected within `time`.
    pub fn detect_within(mut self, time: Duration) -> Self {
        self.detect_within = Some(time);
        self
    }

    /// Replaces the outages that the survey found.
    pub fn outages(mut self, outages: impl IntoIterator<Item = Outage>) -> Self {
        self.outages = outages.into_iter().collect();
        self
    }

    /// Sets which process made a call. Default: [`Call::instance`].
    pub fn instances(mut self, instances: Instances) -> Self {
        self.instances = instances;
        self.grid = self.grid.with_instances(instances);
        self
    }

    /// Sets the number of threads, at least 1. The results do not depend on the number.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Tries all candidates on `calls`, which start in order, and chooses one.
    pub fn tune(self, calls: impl IntoIterator<Item = impl Borrow<Call>>) -> Tuned {
        let segments = self.segments(calls);
        let points = self.grid.points();
        let tried = self.replay(&segments, &points);
        let all: Vec<usize> = (0..segments.len()).collect();
        let (chosen, mut caveats) = self.choose(&points, &tried, &segments, &all);

        let mut left_out = Vec::new();
        for (number, segment) in segments.iter().enumerate() {
            let others: Vec<usize> = all
                .iter()
                .copied()
                .filter(|other| *other != number)
                .collect();
            if let Some(outage) = &segment.outage {
                let (choice, _) = self.choose(&points, &tried, &segments, &others);
                left_out.push(LeftOut {
                    outage: outage.clone(),
                    label: points[choice].to_string(),
                    net_percent: tried[choice].figures[number].net_percent(self.cost),
                });
            }
        }
        if self.has_requests {
            caveats.push(RETRIES_SPARED.to_owned());
        }
        if segments.iter().any(|segment| segment.is_cut) {
            caveats.push(format!(
                "only {MOST_CALLS} calls around the outages were tried"
            ));
        }
        let fitted = fitted(&left_out);
        if left_out.len() < VERIFIABLE {
            left_out.clear();
        }
        let trials: Vec<Trial> = tried.iter().map(|tried| tried.trial(&all)).collect();
        Tuned {
            toml: points[chosen].to_toml(&self.name, &fitted, points.len()),
            fitted,
            name: self.name.to_string(),
            tried: points.len(),
            chosen: trials[chosen].clone(),
            front: front(&trials),
            left_out,
            caveats,
            settings: points[chosen].builder(),
        }
    }

    /// Collects the calls around each outage, and a sample of the others.
    fn segments(&self, calls: impl IntoIterator<Item = impl Borrow<Call>>) -> Vec<Segment> {
        let spans = spans_of(&self.name, &self.outages);
        // Two outages share the time between them: no call belongs to both.
        let middle = |end: u64, start: u64| from_nanos(end + (start - end) / 2);
        let mut segments: Vec<Segment> = Vec::new();
        for (at, span) in spans.iter().enumerate() {
            let (start, end) = (from_nanos(span.start), from_nanos(span.end));
            let earlier = at
                .checked_sub(1)
                .map(|at| middle(spans[at].end, span.start));
            let later = spans.get(at + 1).map(|next| middle(span.end, next.start));
            segments.push(Segment {
                from: start
                    .saturating_sub(BEFORE)
                    .max(earlier.unwrap_or_default()),
                until: end
                    .saturating_add(AFTER)
                    .min(later.unwrap_or(Duration::MAX)),
                outage: Some(Outage::new(start, end).of(self.name.clone())),
                ..Segment::default()
            });
        }
        let mut quiet = Segment::default();
        let most = MOST_CALLS / (segments.len() + 1);
        for call in calls {
            let call = call.borrow();
            if call.name != self.name {
                continue;
            }
            let is_bad = is_bad(call.outcome, call.duration, self.bad_from);
            let mut is_quiet = true;
            for segment in &mut segments {
                if (segment.from..segment.until).contains(&call.start) {
                    segment.add(call, is_bad, most);
                    is_quiet = false;
                }
            }
            if is_quiet && quiet.calls.len() < most {
                quiet.add(call, is_bad, most);
            }
        }
        segments.push(quiet);
        segments
    }

    /// Replays all candidates on each segment.
    fn replay(&self, segments: &[Segment], points: &[Point]) -> Vec<Tried> {
        let candidates: Vec<Candidate> = points.iter().map(Point::candidate).collect();
        let mut tried: Vec<Tried> = points.iter().map(Tried::new).collect();
        for segment in segments {
            let mut survey = match self.bad_from {
                Some(limit) => Survey::new().bad_from(limit),
                None => Survey::new(),
            };
            survey.extend(&segment.calls);
            let mut replay = Replay::new(&survey);
            if let Some(threads) = self.threads {
                replay = replay.threads(threads);
            }
            let replayed = replay
                .candidates(candidates.clone())
                .outages(self.outages.clone())
                .instances(self.instances)
                .shifts(SHIFTS)
                .run(&segment.calls);
            for (tried, results) in tried.iter_mut().zip(replayed.candidates) {
                tried.figures.push(results.figures());
                let costs = results.spread(|figures| self.cost_of(figures));
                tried.costs.push(costs.max);
            }
        }
        tried
    }

    #[allow(clippy::cast_precision_loss)] // at most two million calls
    fn cost_of(&self, figures: &Figures) -> f64 {
        figures.bad_admitted as f64 + self.cost * figures.good_refused() as f64
    }

    /// Chooses the cheapest candidate whose neighbours are nearly as good, given some of the segments.
    fn choose(
        &self,
        points: &[Point],
        tried: &[Tried],
        segments: &[Segment],
        of: &[usize],
    ) -> (usize, Vec<String>) {
        let mut caveats = Vec::new();
        let cost = |at: usize| {
            of.iter()
                .map(|segment| tried[at].costs[*segment])
                .sum::<f64>()
        };
        let without: u32 = of.iter().map(|segment| segments[*segment].bad_inside).sum();
        let slack = CLIFF * f64::from(without.max(10));
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by(|a, b| cost(*a).total_cmp(&cost(*b)).then(a.cmp(b)));
        let is_soon = |at: &usize| {
            let Some(limit) = self.detect_within else {
                return true;
            };
            let severe = of.iter().filter(|segment| segments[**segment].is_severe());
            severe
                .clone()
                .all(|segment| tried[*at].figures[*segment].detected <= limit)
        };
        let soon: Vec<usize> = order.iter().copied().filter(is_soon).collect();
        if soon.is_empty() {
            let limit = self.detect_within.unwrap_or_default();
            caveats.push(format!("no candidate detects all outages within {limit:?}"));
        } else {
            order = soon;
        }
        let has_cliff = |at: &usize| {
            let neighbours = points.iter().enumerate();
            let mut neighbours = neighbours.filter(|(_, other)| points[*at].is_next_to(other));
            neighbours.any(|(other, _)| cost(other) > cost(*at) + slack)
        };
        let skipped = order.iter().take_while(|at| has_cliff(at)).count();
        let chosen = order.get(skipped).or(order.first()).copied().unwrap_or(0);
        if skipped == order.len() {
            caveats.push("a slightly different setting would have been much worse".to_owned());
        } else if skipped > 0 {
            caveats.push(format!(
                "{} passed over, because {} much worse",
                if skipped == 1 {
                    "a cheaper candidate was".to_owned()
                } else {
                    format!("{skipped} cheaper candidates were")
                },
                if skipped == 1 {
                    "one of its neighbours is"
                } else {
                    "their neighbours are"
                },
            ));
        }
        (chosen, caveats)
    }
}

impl Tuned {
    /// Returns the chosen settings as a builder.
    pub fn settings(&self) -> BreakerBuilder {
        self.settings.clone()
    }
}

/// Calls on which candidates are tried: those around an outage, or a sample of the others.
#[derive(Debug, Default)]
struct Segment {
    from: Duration,
    until: Duration,
    outage: Option<Outage>,
    calls: Vec<Call>,
    /// The calls in the outage, and the bad ones among them.
    calls_inside: u32,
    bad_inside: u32,
    is_cut: bool,
}

impl Segment {
    fn add(&mut self, call: &Call, is_bad: bool, most: usize) {
        if self.calls.len() == most {
            self.is_cut = true;
            return;
        }
        let is_inside = |outage: &Outage| (outage.start..outage.end).contains(&call.start);
        if self.outage.as_ref().is_some_and(is_inside) {
            self.calls_inside += 1;
            self.bad_inside += u32::from(is_bad);
        }
        self.calls.push(call.clone());
    }

    /// Returns `true` if most calls of the outage failed.
    fn is_severe(&self) -> bool {
        self.calls_inside > 0 && 2 * self.bad_inside >= self.calls_inside
    }
}

/// What a candidate did in each segment.
#[derive(Debug)]
struct Tried {
    label: String,
    figures: Vec<Figures>,
    costs: Vec<f64>,
}

impl Tried {
    fn new(point: &Point) -> Self {
        Self {
            label: point.to_string(),
            figures: Vec::new(),
            costs: Vec::new(),
        }
    }

    fn trial(&self, segments: &[usize]) -> Trial {
        let mut total = Figures::default();
        for segment in segments {
            total.add(&self.figures[*segment]);
        }
        Trial {
            label: self.label.clone(),
            bad_admitted: total.bad_admitted,
            good_refused: total.good_refused(),
            detected: total.detected,
        }
    }
}

/// Returns the trials that no other one beats, by bad calls let through.
fn front(trials: &[Trial]) -> Vec<Trial> {
    let mut sorted: Vec<&Trial> = trials.iter().collect();
    sorted.sort_by_key(|trial| (trial.bad_admitted, trial.good_refused));
    let mut front: Vec<Trial> = Vec::new();
    for trial in sorted {
        if front
            .last()
            .is_none_or(|last| trial.good_refused < last.good_refused)
        {
            front.push(trial.clone());
        }
    }
    front
}

/// Says what the settings were fitted to.
fn fitted(left_out: &[LeftOut]) -> String {
    let count = left_out.len();
    let outages = if count == 1 { "outage" } else { "outages" };
    let nets = left_out.iter().map(|left| left.net_percent);
    let least = nets.clone().fold(f64::INFINITY, f64::min).round() + 0.0;
    let greatest = nets.fold(f64::NEG_INFINITY, f64::max).round() + 0.0;
    match count {
        0 => "fitted to quiet traffic only: there was no outage".to_owned(),
        _ if count < VERIFIABLE => format!("fitted to {count} {outages}, not verified"),
        _ => format!(
            "fitted to {count} {outages}; fitted to all but one, the settings would have saved {least} to \
             {greatest} % of the calls in the one left out"
        ),
    }
}
