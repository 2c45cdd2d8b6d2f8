//! [`Replay`]: sends traffic through the breakers of several candidates at once, in virtual time.

use crate::call::Call;
use crate::candidate::Candidate;
use crate::fate::Assumption;
use crate::instances::Instances;
use crate::judge::Judge;
use crate::lane::{Lane, LaneResults, LaneSettings};
use crate::outage::Outage;
use crate::replayed::{Replayed, Source};
use crate::series::Series;
use crate::survey::Survey;
use crate::timeline::{Key, Step, Timeline};
use std::borrow::Borrow;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use std::{mem, panic, thread};

/// Sends traffic through real breakers in virtual time, for several candidates at once.
///
/// Each candidate is replayed several times with recovery times that are shorter or longer by up to
/// 5 %, because which call becomes a trial is chance. All of them are replayed in one pass. Only calls in
/// flight are in memory.
///
/// The model is open loop: the traffic does not react to refusals, and the dependency does not
/// recover sooner because it gets fewer calls. See [`ClosedLoop`](crate::ClosedLoop).
///
/// # Default
///
/// * `outages`: those that the [`Survey`] found
/// * `shifts`: 20
/// * `instances`: those of the traffic
/// * `impute_within`: 10 s
/// * `keep_retries`: off
/// * `wrong_refusal_costs`: 1
/// * `threads`: the available parallelism
/// * `seed`: 0
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, Preset, presets::Balanced};
/// use breakerbox_replay::{Candidate, Replay, Scenario, Survey};
///
/// let calls: Vec<_> = Scenario::steady(50.0).outage(60..180, 0.34).calls().collect();
/// let survey = Survey::of(&calls);
/// let replayed = Replay::new(&survey)
///     .candidate(Candidate::new("default", CircuitBreaker::builder())?)
///     .candidate(Candidate::new("balanced", Balanced::preset())?)
///     .run(&calls);
/// let good_refused = |label| replayed.get(label).unwrap().figures().good_refused();
/// assert!(good_refused("balanced") < good_refused("default"));
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a replay does nothing until it is run"]
pub struct Replay {
    candidates: Vec<Candidate>,
    outages: Vec<Outage>,
    bad_from: Option<Duration>,
    has_unknown: bool,
    has_requests: bool,
    keeps_retries: bool,
    wrong_refusal_costs: f64,
    shifts: u32,
    instances: Instances,
    within: Duration,
    threads: usize,
    seed: u64,
}

/// The number of shifts by default.
const SHIFTS: u32 = 20;

/// The number of steps that threads pass to each other at once.
const CHUNK: usize = 4_096;

impl Replay {
    /// Creates a replay of the traffic that `survey` has seen.
    pub fn new(survey: &Survey) -> Self {
        Self {
            candidates: Vec::new(),
            outages: survey.outages(),
            bad_from: survey.limit(),
            has_unknown: survey.has_unknown(),
            has_requests: survey.has_requests(),
            keeps_retries: false,
            wrong_refusal_costs: 1.0,
            shifts: SHIFTS,
            instances: Instances::default(),
            within: Duration::from_secs(10),
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            seed: 0,
        }
    }

    /// Adds a candidate.
    pub fn candidate(mut self, candidate: Candidate) -> Self {
        self.candidates.push(candidate);
        self
    }

    /// Adds several candidates.
    pub fn candidates(mut self, candidates: impl IntoIterator<Item = Candidate>) -> Self {
        self.candidates.extend(candidates);
        self
    }

    /// Replaces the outages that the survey found.
    pub fn outages(mut self, outages: impl IntoIterator<Item = Outage>) -> Self {
        self.outages = outages.into_iter().collect();
        self
    }

    /// Sets how often each candidate is replayed, at least once. Default: 20.
    ///
    /// Shift `i` of 20 multiplies each recovery time by `0.95 + 0.005 × i`. A single shift leaves
    /// recovery times as they are.
    pub fn shifts(mut self, shifts: u32) -> Self {
        self.shifts = shifts.max(1);
        self
    }

    /// Sets which process made a call. Default: [`Call::instance`].
    pub fn instances(mut self, instances: Instances) -> Self {
        self.instances = instances;
        self
    }

    /// Sets from which calls the outcome of a call that never ran is imputed: the nearest eight of the
    /// same name that started at most `time` earlier or later. Default: 10 s.
    pub fn impute_within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// Makes the later calls of a request even if an earlier one was refused. By default they vanish,
    /// because most callers do not retry a refusal.
    pub fn keep_retries(mut self) -> Self {
        self.keeps_retries = true;
        self
    }

    /// Sets what a wrong refusal costs in a report, relative to a bad call that is let through.
    /// Default: 1.
    pub fn wrong_refusal_costs(mut self, cost: f64) -> Self {
        self.wrong_refusal_costs = cost.max(0.0);
        self
    }

    /// Sets the number of threads, at least 1. The results do not depend on the number.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Sets the seed of jitter and of imputed outcomes. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Replays `calls`, which start in order.
    pub fn run(self, calls: impl IntoIterator<Item = impl Borrow<Call>>) -> Replayed {
        let settings = self.lane_settings();
        let lanes = settings.iter().cloned().map(Lane::new).collect();
        let judge = Judge::new(self.bad_from, self.within, self.has_unknown, self.seed);
        let mut timeline = Timeline::new(&self.outages, self.instances, judge);
        let mut series = Series::default();
        let feed = |emit: &mut dyn FnMut(&mut Chunk)| {
            read_all(calls, &mut timeline, &mut series, emit);
        };
        let results = if self.threads == 1 || settings.len() < 2 {
            run_inline(lanes, feed, &self.outages)
        } else {
            run_threads(lanes, self.threads, feed, &self.outages)
        };
        let source = Source {
            calls: timeline.lines(),
            reordered: timeline.reordered(),
            names: timeline.names().to_vec(),
            keys: timeline.keys().to_vec(),
            instances: self.instances,
            keeps_retries: self.has_requests.then_some(self.keeps_retries),
            wrong_refusal_costs: self.wrong_refusal_costs,
            series,
        };
        Replayed::new(source, self.outages, settings.into_iter().zip(results))
    }

    /// Returns the settings of all lanes: for each candidate its shifts, and then the extremes for
    /// calls of unknown outcome.
    fn lane_settings(&self) -> Vec<LaneSettings> {
        let mut lanes = Vec::new();
        for (number, candidate) in self.candidates.iter().enumerate() {
            let mut add = |scale, assumption| {
                lanes.push(LaneSettings {
                    candidate: candidate.clone(),
                    number,
                    scale,
                    assumption,
                    seed: self.seed,
                    spares_retries: self.has_requests && !self.keeps_retries,
                });
            };
            for shift in 0..self.shifts {
                add(scale(shift, self.shifts), Assumption::Imputed);
            }
            if self.has_unknown {
                add(1.0, Assumption::AllSucceed);
                add(1.0, Assumption::AllFail);
            }
        }
        lanes
    }
}

/// Returns by which factor the recovery times of a shift are longer: from 0.95 up to, but not
/// including, 1.05. The shift in the middle is exactly 1.
pub(crate) fn scale(shift: u32, shifts: u32) -> f64 {
    let middle = f64::from(shifts / 2);
    1.0 + 0.1 * (f64::from(shift) - middle) / f64::from(shifts)
}

/// Some steps, and the breakers that are new in them.
#[derive(Debug, Default)]
struct Chunk {
    steps: Vec<Step>,
    keys: Vec<Key>,
}

fn read_all(
    calls: impl IntoIterator<Item = impl Borrow<Call>>,
    timeline: &mut Timeline<'_>,
    series: &mut Series,
    emit: &mut dyn FnMut(&mut Chunk),
) {
    let mut chunk = Chunk {
        steps: Vec::with_capacity(CHUNK + CHUNK / 2),
        keys: Vec::new(),
    };
    let mut known = 0;
    let mut send = |chunk: &mut Chunk, timeline: &Timeline<'_>| {
        for step in &chunk.steps {
            series.add(step);
        }
        let keys = timeline.keys();
        chunk.keys.extend_from_slice(&keys[known..]);
        known = keys.len();
        emit(chunk);
        chunk.steps.clear();
        chunk.keys.clear();
    };
    for call in calls {
        timeline.read(call.borrow(), &mut |step| chunk.steps.push(step));
        if chunk.steps.len() >= CHUNK {
            send(&mut chunk, timeline);
        }
    }
    timeline.finish(&mut |step| chunk.steps.push(step));
    send(&mut chunk, timeline);
}

fn apply(lanes: &mut [Lane], chunk: &Chunk) {
    for lane in lanes {
        lane.add_keys(&chunk.keys);
        for step in &chunk.steps {
            lane.apply(step);
        }
    }
}

fn run_inline(
    mut lanes: Vec<Lane>,
    feed: impl FnOnce(&mut dyn FnMut(&mut Chunk)),
    outages: &[Outage],
) -> Vec<LaneResults> {
    feed(&mut |chunk| apply(&mut lanes, chunk));
    lanes.into_iter().map(|lane| lane.finish(outages)).collect()
}

/// Runs the lanes on `threads` threads, each of which gets all steps. A lane runs on one thread, so its
/// results do not depend on their number.
fn run_threads(
    lanes: Vec<Lane>,
    threads: usize,
    feed: impl FnOnce(&mut dyn FnMut(&mut Chunk)),
    outages: &[Outage],
) -> Vec<LaneResults> {
    let each = lanes.len().div_ceil(threads);
    let mut lanes = lanes.into_iter();
    let mut groups: Vec<Vec<Lane>> = Vec::new();
    while lanes.len() > 0 {
        groups.push(lanes.by_ref().take(each).collect());
    }
    thread::scope(|scope| {
        let mut senders: Vec<SyncSender<Arc<Chunk>>> = Vec::new();
        let mut workers = Vec::new();
        for group in groups {
            let (sender, receiver) = sync_channel(4);
            senders.push(sender);
            workers.push(scope.spawn(move || work(group, &receiver, outages)));
        }
        feed(&mut |chunk| {
            let shared = Arc::new(mem::take(chunk));
            for sender in &senders {
                // A worker that is gone has panicked, which is found below.
                let _ = sender.send(shared.clone());
            }
        });
        drop(senders);
        let join = |worker: thread::ScopedJoinHandle<'_, _>| match worker.join() {
            Ok(results) => results,
            Err(payload) => panic::resume_unwind(payload),
        };
        workers.into_iter().flat_map(join).collect()
    })
}

fn work(
    mut lanes: Vec<Lane>,
    chunks: &Receiver<Arc<Chunk>>,
    outages: &[Outage],
) -> Vec<LaneResults> {
    for chunk in chunks {
        apply(&mut lanes, &chunk);
    }
    lanes.into_iter().map(|lane| lane.finish(outages)).collect()
}
