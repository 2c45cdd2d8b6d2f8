//! [`Plan`]: everything that a run depends on, made from a seed.

use crate::dependency::{Dependency, Manner, Outage};
use crate::fault::Fault;
use crate::sharing::Sharing;
use crate::store::StoreMutant;
use breakerbox::{Backoff, BreakerBuilder, CircuitBreaker, TripRule, Window};
use breakerbox_fleet::Mutants;
use breakerbox_fleet::protocol::Verb;
use std::time::Duration;

/// Everything that a run depends on. Two runs of equal plans are equal.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed of all random numbers.
    pub seed: u64,
    /// The number of nodes.
    pub nodes: usize,
    /// How long the run lasts.
    pub length: Duration,
    /// The circuits that every node has.
    pub circuits: Vec<CircuitPlan>,
    /// How the nodes share. `None` for nodes without a fleet.
    pub share: Option<Sharing>,
    /// What goes wrong, in the order of the times.
    pub faults: Vec<(Duration, Fault)>,
    /// A fault of the store that the invariants must find.
    pub store_mutant: Option<StoreMutant>,
    /// Faults of the engine that the invariants must find.
    pub engine_mutants: Mutants,
    /// Whether all nodes have the same label, and so are one fault domain.
    pub one_label: bool,
    /// The longest open period that the fleet believes.
    pub max_open: Duration,
    /// Whether the breakers exist from the start. Otherwise, the scenario makes them.
    pub has_breakers: bool,
    /// Whether a trace is kept.
    pub is_traced: bool,
}

/// A circuit, its dependency and its traffic.
#[derive(Clone, Debug)]
pub struct CircuitPlan {
    /// The name.
    pub name: String,
    /// The dependency.
    pub dependency: Dependency,
    /// The calls per second at each node. A node with zero calls is silent.
    pub rates: Vec<f64>,
    /// Consecutive failures that open the circuit.
    pub failures: u32,
    /// The first open period.
    pub first: Duration,
    /// The longest open period.
    pub longest: Duration,
    /// The trials of a half-open period.
    pub half_open_calls: u32,
    /// The successful trials that close the circuit.
    pub success_threshold: u32,
    /// The share of callers that wait for an admission.
    pub waiting: f64,
    /// The length of a window for a rule in place of consecutive failures.
    pub window: Option<Duration>,
}

/// Which faults a random run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// None.
    Fair,
    /// Faults of the network, and crashes.
    Network,
    /// Faults of the network and of the store, crashes and pauses.
    Storm,
}

const SECOND: Duration = Duration::from_secs(1);
/// When the faults begin and end.
const FAULTS: (u64, u64) = (5, 70);
/// When a last outage begins, without faults.
const LAST_OUTAGE: u64 = 120;

impl CircuitPlan {
    /// A circuit with the given rates and no outages.
    pub fn new(name: &str, rates: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            dependency: Dependency::default(),
            rates,
            failures: 5,
            first: 5 * SECOND,
            longest: 20 * SECOND,
            half_open_calls: 1,
            success_threshold: 1,
            waiting: 0.0,
            window: None,
        }
    }

    /// Adds an outage.
    #[must_use]
    pub fn outage(mut self, from: u64, until: u64, manner: Manner) -> Self {
        let (from, until) = (Duration::from_secs(from), Duration::from_secs(until));
        self.dependency.outages.push(Outage {
            from,
            until,
            manner,
        });
        self
    }

    /// Returns the settings of its breakers.
    pub fn preset(&self) -> BreakerBuilder {
        // Without jitter, so that the random numbers of an engine change nothing without a store.
        let builder = CircuitBreaker::builder();
        let builder = match self.window {
            None => builder.failure_threshold(self.failures),
            Some(window) => {
                builder.trip_when(TripRule::failures(self.failures).over(Window::time(window)))
            }
        };
        builder
            .recovery_backoff(Backoff::exponential(self.first).max(self.longest))
            .half_open_calls(self.half_open_calls)
            .success_threshold(self.success_threshold)
    }

    /// Returns since when the dependency has worked without faults of the fleet, or `None` if it fails.
    pub fn healthy_since(&self, now: Duration, last_fault: Duration) -> Option<Duration> {
        let outages = &self.dependency.outages;
        let is_on = outages
            .iter()
            .any(|outage| outage.from <= now && now < outage.until);
        let ended = outages
            .iter()
            .map(|outage| outage.until)
            .filter(|until| *until <= now);
        let since = ended.max().unwrap_or_default().max(last_fault);
        (!is_on).then_some(since)
    }
}

impl Plan {
    /// A quiet run of one circuit.
    pub fn quiet(seed: u64, nodes: usize, seconds: u64) -> Self {
        Self {
            seed,
            nodes,
            length: Duration::from_secs(seconds),
            circuits: vec![CircuitPlan::new("users", vec![5.0; nodes])],
            share: Some(Sharing::Quorum(2)),
            faults: Vec::new(),
            store_mutant: None,
            engine_mutants: Mutants::default(),
            one_label: false,
            max_open: Duration::from_secs(600),
            has_breakers: true,
            is_traced: false,
        }
    }

    /// A run of two circuits whose traffic, outages and faults are random.
    ///
    /// Faults end after 70 s and outages after 85 s. A last outage without faults begins at 120 s, so
    /// that the agreement of nodes without calls shows.
    pub fn random(seed: u64, nodes: usize) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5EED_0001);
        let weather = match rng.u32(0..10) {
            0 => Weather::Fair,
            1..=4 => Weather::Network,
            _ => Weather::Storm,
        };
        let share = match rng.u32(0..10) {
            0..=5 => Sharing::Quorum(2),
            6 => Sharing::Quorum(3),
            7 => Sharing::Evidence(1),
            _ => Sharing::Always,
        };
        let circuits = vec![
            circuit(&mut rng, "users", nodes, (10, 35)),
            circuit(&mut rng, "pay", nodes, (40, 48)),
        ];
        let mut plan = Self {
            circuits,
            share: Some(share),
            ..Self::quiet(seed, nodes, 180)
        };
        plan.add_faults(&mut rng, weather);
        plan.add_commands();
        plan.add_closes();
        plan
    }

    /// Adds commands that close circuits to half of the seeds.
    fn add_closes(&mut self) {
        let mut rng = fastrand::Rng::with_seed(self.seed ^ 0x5EED_0005);
        if rng.bool() {
            return;
        }
        for _ in 0..rng.u32(1..=4) {
            let at = rng.u64(FAULTS.0 * 1_000..FAULTS.1 * 1_000);
            let node = rng.usize(0..self.nodes);
            let circuit = rng.bool().then(|| rng.usize(0..self.circuits.len()));
            self.fault(at, Fault::Close { node, circuit });
        }
        self.faults.sort_by_key(|(at, _)| *at);
    }

    /// Adds commands of operators to half of the seeds. All of them have ended when the faults end.
    fn add_commands(&mut self) {
        let mut rng = fastrand::Rng::with_seed(self.seed ^ 0x5EED_0004);
        if rng.bool() {
            return;
        }
        for _ in 0..rng.u32(1..=4) {
            let at = rng.u64(FAULTS.0..FAULTS.1 - 20);
            let lasts = rng.u64(3..=FAULTS.1 - at);
            let circuit = (rng.u32(0..3) > 0).then(|| rng.usize(0..self.circuits.len()));
            let verb = if rng.bool() {
                Verb::ForceOpen
            } else {
                Verb::Disable
            };
            let seconds = u32::try_from(lasts).unwrap_or(u32::MAX);
            let command = |node: usize, verb: Verb| Fault::Command {
                node,
                circuit,
                verb,
                seconds,
            };
            self.fault(at * 1_000, command(rng.usize(0..self.nodes), verb));
            if rng.bool() {
                let end = at * 1_000 + rng.u64(0..lasts * 1_000);
                self.fault(end, command(rng.usize(0..self.nodes), Verb::Release));
            }
        }
        // In fair weather, nodes have to agree only when the commands have ended.
        self.fault(FAULTS.1 * 1_000, Fault::StoreBack);
        self.faults.sort_by_key(|(at, _)| *at);
    }

    fn add_faults(&mut self, rng: &mut fastrand::Rng, weather: Weather) {
        if weather == Weather::Fair {
            return;
        }
        for node in 0..self.nodes {
            if rng.f64() < 0.5 {
                let path = Fault::Path {
                    node,
                    loss: rng.f64() * 0.1,
                    duplicate: rng.f64() * 0.1,
                    delay_ms: rng.u64(3..150),
                    reorder: rng.bool(),
                };
                self.fault(FAULTS.0 * 1_000, path);
                self.fault(FAULTS.1 * 1_000, Fault::Mend(node));
            }
        }
        let count = rng.usize(self.nodes / 2..=self.nodes * 2);
        for _ in 0..count {
            self.add_node_fault(rng, weather);
        }
        if weather == Weather::Storm {
            let mut at = FAULTS.0 * 1_000 + rng.u64(0..10_000);
            while at < (FAULTS.1 - 20) * 1_000 {
                at = self.add_store_fault(rng, at) + rng.u64(500..15_000);
            }
        }
        // Whatever a pair of faults left undone ends with the faults.
        self.fault(FAULTS.1 * 1_000, Fault::StoreBack);
        for node in 0..self.nodes {
            self.fault(FAULTS.1 * 1_000, Fault::Resume(node));
            self.fault(FAULTS.1 * 1_000, Fault::Start(node));
        }
        self.faults.sort_by_key(|(at, _)| *at);
    }

    fn fault(&mut self, at_ms: u64, fault: Fault) {
        self.faults.push((Duration::from_millis(at_ms), fault));
    }

    fn add_node_fault(&mut self, rng: &mut fastrand::Rng, weather: Weather) {
        let node = rng.usize(0..self.nodes);
        let circuit = rng.usize(0..self.circuits.len());
        let at = rng.u64(FAULTS.0 * 1_000..(FAULTS.1 - 15) * 1_000);
        let length = rng.u64(200..15_000);
        let choices = if weather == Weather::Storm { 9 } else { 5 };
        match rng.u32(0..choices) {
            0 => {
                self.fault(at, Fault::Cut(node));
                self.fault(at + length, Fault::Mend(node));
            }
            1 | 2 => self.fault(at, Fault::Kill(node)),
            3 => {
                self.fault(at, Fault::Crash(node));
                self.fault(at + length, Fault::Start(node));
            }
            4 => self.fault(at, Fault::Overflow(node)),
            5 | 6 => {
                self.fault(at, Fault::Pause(node));
                self.fault(at + length, Fault::Resume(node));
            }
            7 => self.fault(at, Fault::Redeploy(node)),
            _ => {
                let command = if rng.bool() {
                    Fault::ForceOpen { node, circuit }
                } else {
                    Fault::Disable { node, circuit }
                };
                self.fault(at, command);
                self.fault(at + length, Fault::Reset { node, circuit });
            }
        }
    }

    /// Adds one fault of the store, and returns when it ends.
    fn add_store_fault(&mut self, rng: &mut fastrand::Rng, at: u64) -> u64 {
        let end = at + rng.u64(300..12_000);
        match rng.u32(0..6) {
            0 => {
                self.fault(at, Fault::StoreAway);
                self.fault(end, Fault::StoreBack);
            }
            1 => {
                self.fault(at, Fault::StoreHangs);
                self.fault(end, Fault::StoreBack);
            }
            2 => {
                self.fault(at, Fault::StoreReadOnly);
                self.fault(end, Fault::StoreBack);
            }
            3 => self.fault(at, Fault::Flush),
            4 => self.fault(at, Fault::KillAll),
            _ => {
                let skew_ms = rng.i64(-2_000..=2_000);
                self.fault(at, Fault::Snapshot);
                self.fault(end.min(at + 4_000), Fault::FailOver { skew_ms });
            }
        }
        end
    }

    /// Returns when the last fault has happened.
    pub fn last_fault(&self) -> Duration {
        self.faults.last().map_or(Duration::ZERO, |(at, _)| *at)
    }
}

fn circuit(
    rng: &mut fastrand::Rng,
    name: &str,
    nodes: usize,
    (from, until): (u64, u64),
) -> CircuitPlan {
    let rates = (0..nodes)
        .map(|_| match rng.u32(0..10) {
            0 | 1 => 0.0,
            2 | 3 => 0.3 + rng.f64(),
            _ => 0.3 + rng.f64() * rng.f64() * 24.7,
        })
        .collect();
    let manner = match rng.u32(0..6) {
        0 => Manner::Asks(Duration::from_secs(rng.u64(1..15))),
        1 => Manner::Hangs,
        2 => Manner::Flaps(Duration::from_secs(rng.u64(2..6))),
        _ => Manner::Fails,
    };
    let mut plan = CircuitPlan::new(name, rates).outage(from, until, manner);
    if rng.bool() {
        let again = until + rng.u64(4..30);
        plan = plan.outage(again, again + rng.u64(2..10), Manner::Fails);
    }
    plan = plan.outage(LAST_OUTAGE, LAST_OUTAGE + 20, Manner::Fails);
    plan.failures = rng.u32(3..7);
    plan.half_open_calls = rng.u32(1..4);
    plan.success_threshold = rng.u32(1..=plan.half_open_calls);
    plan.waiting = if rng.u32(0..4) == 0 { 0.1 } else { 0.0 };
    plan
}
