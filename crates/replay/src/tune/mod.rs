//! [`Tuner`]: finds settings for one name by trying candidates that follow from the traffic.
//!
//! * `grid`: the candidates
//! * `segment`: the calls on which they are tried
//! * `tried`: what they did
//! * `choice`: which of them are chosen
//! * `tuned`: the result

mod choice;
mod grid;
mod segment;
mod tried;
mod tuned;

pub use tuned::{LeftOut, TriedCandidate, Tuned};

use crate::call::Call;
use crate::counted::count;
use crate::figures::Figures;
use crate::instances::Instances;
use crate::outage::Outage;
use crate::replay::Replay;
use crate::replayed::{RETRIES_SPARED, never_ran};
use crate::survey::Survey;
use choice::Choice;
use grid::{Grid, Point};
use segment::{Limits, Segment, Segments};
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, iter};
use tried::{Tried, front};

/// Finds settings for the breaker of one name, by trying candidates that follow from its traffic.
///
/// Candidates are tried on the calls around each outage, and on a sample of quiet traffic. A few
/// runs of each candidate make a shortlist of those that cost least together with their neighbours,
/// so that a small difference in the traffic does not matter. The choice is the one of these that is
/// cheapest in the worst of 20 runs.
///
/// # Default
///
/// * `wrong_refusal_costs`: 1, as much as a bad call that is let through
/// * `detect_within`: no limit
/// * `outages`: those that the [`Survey`] found
/// * `instances`: those of the traffic
/// * `threads`: the available parallelism
/// * `on_progress`: no listener
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
    unknown_share: f64,
    calls: u64,
    progress: Progress,
}

/// The most calls that are tried.
const MOST_CALLS: usize = 2_000_000;
/// The number of shifts with which all candidates are tried, and with which the best are verified.
const SCREENED: u32 = 3;
const VERIFIED: u32 = 20;
/// The share of the work that trying all candidates is, roughly.
const SCREENING: f64 = 0.7;
/// The number of breakers that are replayed in one pass, roughly, because they are in memory.
const BREAKERS: usize = 4_000;

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
            unknown_share: survey.unknown_share(),
            calls: found.calls,
            progress: Progress::default(),
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

    /// Calls `listener` with the share of the work that is done, from 0.0 to 1.0.
    pub fn on_progress(mut self, listener: impl Fn(f64) + Send + Sync + 'static) -> Self {
        self.progress = Progress(Some(Arc::new(listener)));
        self
    }

    /// Tries all candidates on `calls`, which start in order, and chooses one.
    pub fn tune(self, calls: impl IntoIterator<Item = impl Borrow<Call>>) -> Tuned {
        let limits = Limits {
            bad_from: self.bad_from,
            has_requests: self.has_requests,
            most: MOST_CALLS,
            of: self.calls,
        };
        let segments = Segments::collect(&self.name, &self.outages, limits, calls);
        let points = self.grid.points();
        let screened = self.replay(&segments, &points, SCREENED, 0.0..SCREENING);
        let choice = Choice {
            points: &points,
            segments: segments.list(),
            cost: self.cost,
            detect_within: self.detect_within,
        };
        let all: Vec<usize> = (0..segments.list().len()).collect();
        let without = |number: usize| -> Vec<usize> {
            let others = all.iter().copied().filter(|other| *other != number);
            others.collect()
        };
        let outages = segments.list().iter().map(|segment| &segment.outage);
        let outages = outages.zip(0..);
        let outages: Vec<(&Outage, usize)> = outages
            .filter_map(|(outage, number)| Some((outage.as_ref()?, number)))
            .collect();

        let shortlist = choice.shortlist(&screened, &all);
        let others = outages
            .iter()
            .map(|(_, number)| choice.shortlist(&screened, &without(*number)).candidates);
        let others: Vec<Vec<usize>> = others.collect();
        let front = front(&screened);
        let finalists = iter::once(&shortlist.candidates).chain(&others);
        let finalists = finalists.flatten().chain(&front).copied();
        let verified = self.verify(&segments, &points, finalists.collect());
        let cheapest = |candidates: &[usize], of: &[usize]| {
            let cost = |at: &&usize| choice.cost(&verified[*at], of);
            let cheapest = candidates.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
            cheapest.copied().unwrap_or(0)
        };

        let chosen = cheapest(&shortlist.candidates, &all);
        let left_out = outages.iter().zip(&others).map(|((outage, number), list)| {
            let choice = cheapest(list, &without(*number));
            LeftOut {
                outage: (*outage).clone(),
                label: points[choice].to_string(),
                net_percent: verified[&choice].figures(*number).net_percent(self.cost),
            }
        });
        let mut left_out = left_out.collect();
        let mut caveats = Vec::new();
        if self.unknown_share > 0.0 {
            let never_ran = never_ran(self.unknown_share);
            caveats.push(format!(
                "{never_ran}; a recording with breakers in metrics-only mode has all outcomes"
            ));
        }
        caveats.extend(shortlist.caveats);
        if self.has_requests {
            caveats.push(RETRIES_SPARED.to_owned());
        }
        if segments.list().iter().any(|segment| segment.is_cut) {
            caveats.push(format!(
                "only {} calls around the outages were tried",
                count(MOST_CALLS as u64)
            ));
        }
        let fitted = tuned::fitted(&mut left_out);
        let summary = |at: &usize| verified[at].summary(points[*at].to_string(), self.cost);
        Tuned {
            toml: points[chosen].to_toml(&self.name, &fitted, points.len()),
            fitted,
            name: self.name.to_string(),
            tried: points.len(),
            chosen: summary(&chosen),
            front: front.iter().map(summary).collect(),
            left_out,
            caveats,
            settings: points[chosen].builder(),
        }
    }

    /// Tries the candidates at these positions again, with more shifts.
    fn verify(
        &self,
        segments: &Segments,
        points: &[Point],
        finalists: BTreeSet<usize>,
    ) -> BTreeMap<usize, Tried> {
        let their: Vec<Point> = finalists.iter().map(|at| points[*at]).collect();
        let verified = self.replay(segments, &their, VERIFIED, SCREENING..1.0);
        finalists.into_iter().zip(verified).collect()
    }

    /// Replays candidates on each segment. `share` is the share of all work that this is.
    #[allow(clippy::cast_precision_loss)] // a share
    fn replay(
        &self,
        segments: &Segments,
        points: &[Point],
        shifts: u32,
        share: Range<f64>,
    ) -> Vec<Tried> {
        let mut tried = vec![Tried::default(); points.len()];
        let instances = match self.instances {
            Instances::OfTraffic => segments.instances(),
            Instances::Dealt { count, .. } => count as usize,
        };
        let per_pass = BREAKERS / (instances.max(1) * shifts as usize);
        let per_pass = per_pass.max(1);
        let passes = points.len().div_ceil(per_pass);
        let calls = (segments.calls() * passes).max(1) as f64;
        let mut done = 0;
        for (tried, points) in tried.chunks_mut(per_pass).zip(points.chunks(per_pass)) {
            for segment in segments.list() {
                let report = |position: usize| {
                    let part = (done + position) as f64 / calls;
                    self.progress
                        .report(share.start + (share.end - share.start) * part);
                };
                let found = self.replay_segment(segments, segment, points, shifts, report);
                for (tried, shifts) in tried.iter_mut().zip(found) {
                    tried.push(shifts);
                }
                done += segment.len();
            }
        }
        self.progress.report(share.end);
        tried
    }

    /// Returns the figures of each candidate and shift. `report` gets the number of calls so far.
    fn replay_segment(
        &self,
        segments: &Segments,
        segment: &Segment,
        points: &[Point],
        shifts: u32,
        report: impl Fn(usize),
    ) -> Vec<Vec<Figures>> {
        const OFTEN: usize = 1 << 14;
        let mut survey = match self.bad_from {
            Some(limit) => Survey::new().bad_from(limit),
            None => Survey::new(),
        };
        survey.extend(segments.calls_of(segment));
        let mut replay = Replay::new(&survey);
        if let Some(threads) = self.threads {
            replay = replay.threads(threads);
        }
        let calls = segments.calls_of(segment).enumerate();
        let calls = calls.map(|(position, call)| {
            if position % OFTEN == 0 {
                report(position);
            }
            call
        });
        let replayed = replay
            .candidates(points.iter().map(Point::candidate))
            .outages(self.outages.clone())
            .instances(self.instances)
            .shifts(shifts)
            .run(calls);
        let candidates = replayed.candidates.into_iter();
        candidates.map(|results| results.shifts).collect()
    }
}

/// The listener that is told about progress.
#[derive(Clone, Default)]
struct Progress(Option<Arc<dyn Fn(f64) + Send + Sync>>);

impl Progress {
    fn report(&self, share: f64) {
        if let Some(listener) = &self.0 {
            listener(share);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}
