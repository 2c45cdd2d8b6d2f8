//! [`Simulation`]: runs a plan, or obeys a scenario.

use crate::dependency::Outage;
use crate::fault::Fault;
use crate::invariants::agreement::{Observed, disagreement};
use crate::invariants::bounds::excess;
use crate::invariants::commands;
use crate::invariants::{Audit, Figures, Reach, Violation};
use crate::node::Node;
use crate::plan::{CircuitPlan, Plan};
use crate::sharing::Sharing;
use crate::store::Condition;
use crate::trace::Trace;
use crate::traffic::Tally;
use crate::world::{Counts, Path, State as WorldState, World};
use breakerbox::{Cause, CircuitBreaker, State};
use breakerbox_fleet::protocol::{NodeId, Phase, Record};
use breakerbox_fleet::store::{Hello, Table};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

const GRACE: Duration = Duration::from_secs(3);
const LEASE: Duration = Duration::from_secs(3);
const SECOND: Duration = Duration::from_secs(1);
/// How long nodes may take to agree after the last fault.
const SETTLING: Duration = Duration::from_secs(30);
/// How long a record must have stood for all nodes to act on it.
const SPREAD: Duration = Duration::from_millis(1_500);

/// A fleet in virtual time.
pub struct Simulation {
    pub(crate) plan: Plan,
    start: Instant,
    pub(crate) world: Arc<World>,
    pub(crate) nodes: Vec<Node>,
    tallies: Vec<Arc<Tally>>,
    snapshot: Option<Table>,
    rng: fastrand::Rng,
    hello: Hello,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The broken invariants, in the order of their times.
    pub violations: Vec<Violation>,
    /// What the checker counted.
    pub figures: Figures,
    /// What the store was asked to do.
    pub counts: Counts,
    /// How long outages took to open and close all circuits.
    pub reach: Reach,
    /// Successful calls.
    pub ok: u64,
    /// Failed calls.
    pub failed: u64,
    /// Refused calls.
    pub refused: u64,
    /// The circuits that were not closed at the end.
    pub not_closed: usize,
    /// The number of events.
    pub events: u64,
    /// The events, if the plan keeps a trace.
    pub trace: String,
}

/// Runs a plan to its end.
pub fn run(plan: &Plan) -> Outcome {
    simulate(plan, async |simulation: &mut Simulation| {
        simulation.run_plan().await;
    })
}

/// Starts the nodes of a plan, runs a scenario, and returns what came of it.
///
/// # Panics
///
/// Panics if the settings of the plan are invalid.
pub fn simulate(plan: &Plan, scenario: impl AsyncFnOnce(&mut Simulation)) -> Outcome {
    // The engines and the breakers draw from the generator of the thread.
    fastrand::seed(plan.seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O");
    runtime.block_on(async {
        let mut simulation = Simulation::new(plan);
        let deliveries = tokio::spawn(Arc::clone(&simulation.world).deliver());
        simulation.start_all();
        scenario(&mut simulation).await;
        deliveries.abort();
        simulation.outcome()
    })
}

impl std::fmt::Debug for Simulation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("now", &self.now())
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl Simulation {
    fn new(plan: &Plan) -> Self {
        let start = Instant::now();
        let trace = if plan.is_traced {
            Trace::kept()
        } else {
            Trace::default()
        };
        let calls = plan.circuits.iter().map(|circuit| circuit.half_open_calls);
        let mut audit = Audit::new(plan.nodes, GRACE, LEASE, calls.max().unwrap_or(1));
        let adopts = plan.share.is_some_and(Sharing::adopts);
        (0..plan.nodes).for_each(|node| audit.set_adopts(node, adopts));
        let rng = fastrand::Rng::with_seed(plan.seed ^ 0x5EED_0002);
        let world = World::new(start, plan.nodes, rng, plan.store_mutant, trace, audit);
        let node = NodeId::new("checker", "checker").expect("a valid label");
        Self {
            plan: plan.clone(),
            start,
            world,
            nodes: (0..plan.nodes).map(Node::new).collect(),
            tallies: (0..plan.nodes).map(|_| Arc::default()).collect(),
            snapshot: None,
            rng: fastrand::Rng::with_seed(plan.seed ^ 0x5EED_0003),
            hello: Hello::new("simulation", node, Duration::from_secs(600))
                .expect("a valid namespace"),
        }
    }

    fn start_all(&mut self) {
        for node in &mut self.nodes {
            let tally = &self.tallies[node.index()];
            node.start(&self.plan, self.start, &self.world, tally);
        }
    }

    /// Returns the time since the start.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Lets the fleet run for some time.
    pub async fn run_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Lets the fleet run for some milliseconds.
    pub async fn run_ms(&self, millis: u64) {
        self.run_for(Duration::from_millis(millis)).await;
    }

    /// Runs the faults of the plan, and checks the agreement of the nodes meanwhile.
    pub(crate) async fn run_plan(&mut self) {
        let faults = self.plan.faults.clone();
        let mut faults = faults.into_iter().peekable();
        let mut outages = self.outage_changes().into_iter().peekable();
        let mut tick = SECOND;
        while tick <= self.plan.length {
            let next = faults.peek().map_or(tick, |(at, _)| *at).min(tick);
            let next = outages.peek().map_or(next, |(at, _)| *at).min(next);
            tokio::time::sleep_until(self.start + next).await;
            while let Some((_, outage)) = outages.next_if(|(at, _)| *at <= next) {
                self.note_outage(outage);
            }
            while let Some((_, fault)) = faults.next_if(|(at, _)| *at <= next) {
                self.inject(fault).await;
            }
            if next == tick {
                self.check();
                tick += SECOND;
            }
        }
    }

    /// The beginnings and ends of all outages.
    fn outage_changes(&self) -> Vec<(Duration, (usize, bool))> {
        let mut changes = Vec::new();
        for (index, circuit) in self.plan.circuits.iter().enumerate() {
            for Outage { from, until, .. } in &circuit.dependency.outages {
                changes.push((*from, (index, true)));
                changes.push((*until, (index, false)));
            }
        }
        changes.sort();
        changes
    }

    fn note_outage(&self, (circuit, begins): (usize, bool)) {
        let circuit = &self.plan.circuits[circuit];
        let bad = &circuit.dependency.bad_nodes;
        let is_called = |(node, rate): &(usize, &f64)| **rate > 0.0 && !bad.contains(node);
        let called = circuit.rates.iter().enumerate().filter(is_called).count();
        self.world.change(|state, now| {
            let what = if begins { "fails" } else { "works" };
            state
                .trace
                .line(now, format_args!("-- {} {what}", circuit.name));
            if begins {
                state.audit.reach.begin(now, &circuit.name, called);
            } else {
                state.audit.reach.end(now, &circuit.name);
            }
        });
    }

    /// Makes one fault happen now.
    pub async fn inject(&mut self, fault: Fault) {
        self.world.note(format_args!("{fault}"));
        let world = Arc::clone(&self.world);
        match fault {
            Fault::Path {
                node,
                loss,
                duplicate,
                delay_ms,
                reorder,
            } => world.change(|state, _| {
                state.paths[node] = Path {
                    delay_ms: (1, delay_ms.max(1)),
                    reply_ms: 0,
                    loss,
                    duplicate,
                    reorder,
                    is_cut: state.paths[node].is_cut,
                };
            }),
            Fault::SlowReplies { node, reply_ms } => {
                world.change(|state, _| state.paths[node].reply_ms = reply_ms);
            }
            Fault::Cut(node) => world.change(|state, _| state.paths[node].is_cut = true),
            Fault::Mend(node) => world.change(|state, _| state.paths[node] = Path::default()),
            Fault::Kill(node) => world.change(|state, _| state.kill_links(Some(node))),
            Fault::KillAll => world.change(|state, _| state.kill_links(None)),
            Fault::Overflow(node) => world.change(|state, _| state.overflow(node)),
            Fault::StoreAway => world.change(|state, _| {
                state.store.condition = Condition::Away;
                state.kill_links(None);
            }),
            Fault::StoreHangs => {
                world.change(|state, _| state.store.condition = Condition::Hung);
            }
            Fault::StoreReadOnly => {
                world.change(|state, _| state.store.condition = Condition::ReadOnly);
            }
            Fault::StoreBack => world.change(WorldState::resume_store),
            Fault::Flush => world.change(|state, now| {
                state.store.flush();
                state.audit.epoch_began(now, state.store.epoch);
            }),
            Fault::Snapshot => {
                self.snapshot = Some(world.change(|state, _| state.store.table.clone()));
            }
            Fault::FailOver { skew_ms } => {
                let snapshot = self.snapshot.take().unwrap_or_default();
                world.change(|state, now| {
                    state.store.fail_over(snapshot, skew_ms);
                    state.audit.epoch_began(now, state.store.epoch);
                    state.kill_links(None);
                });
            }
            Fault::Crash(node) => self.crash(node),
            Fault::Start(node) => self.start_node(node),
            Fault::Redeploy(node) => {
                self.nodes[node].shut_down(&self.world).await;
                self.crash(node);
                self.start_node(node);
            }
            Fault::Pause(node) => self.nodes[node].switch.pause(),
            Fault::Resume(node) => {
                if self.nodes[node].switch.is_paused() {
                    world.change(|state, now| state.audit.resumed(now, node));
                    self.nodes[node].switch.resume(&mut self.rng);
                }
            }
            Fault::Command {
                node,
                circuit,
                verb,
                seconds,
            } => {
                let circuit = circuit.map(|circuit| self.plan.circuits[circuit].name.as_str());
                if let Some(member) = self.nodes[node].member() {
                    tokio::spawn(member.command(circuit.unwrap_or("*"), verb, seconds));
                }
            }
            Fault::Close { node, circuit } => {
                let circuit = circuit.map(|circuit| self.plan.circuits[circuit].name.as_str());
                if let Some(closing) = self.closing(node, circuit.unwrap_or("*")) {
                    tokio::spawn(closing);
                }
            }
            Fault::ForceOpen { node, circuit } => {
                self.command(node, circuit, CircuitBreaker::force_open);
            }
            Fault::Disable { node, circuit } => {
                self.command(node, circuit, CircuitBreaker::disable);
            }
            Fault::Reset { node, circuit } => self.command(node, circuit, CircuitBreaker::reset),
        }
    }

    fn crash(&mut self, node: usize) {
        self.nodes[node].crash(&self.world);
        self.world.change(|state, _| state.audit.reach.ended(node));
    }

    fn start_node(&mut self, node: usize) {
        let tally = &self.tallies[node];
        self.nodes[node].start(&self.plan, self.start, &self.world, tally);
    }

    fn command(&self, node: usize, circuit: usize, command: impl FnOnce(&CircuitBreaker)) {
        if let Some(breaker) = self.nodes[node].breaker(circuit) {
            command(breaker);
        }
    }

    pub(crate) fn checker_record(&self, name: &str) -> (Record, Duration) {
        self.world.change(|state, now| {
            let store_now = state.store.now(now);
            let record = state.store.table.record(name, &self.hello, store_now);
            let left = record.left(store_now);
            (record, left)
        })
    }

    /// Checks that all nodes act as the store says, and that all recover.
    fn check(&self) {
        let now = self.now();
        self.check_bounds();
        if now < self.plan.last_fault() + SETTLING {
            return;
        }
        self.check_commands();
        for (index, circuit) in self.plan.circuits.iter().enumerate() {
            self.check_agreement(now, index, circuit);
            self.check_recovery(now, index, circuit);
            self.check_shared(now, circuit);
        }
    }

    /// Checks that the store and all nodes know the commands that one of them knows.
    pub fn check_commands(&self) {
        let running = self.nodes.iter().filter(|node| node.is_running());
        let running: Vec<_> = running.map(Node::index).collect();
        self.world.change(|state, now| {
            let stored = state.store.commands(now);
            commands::survive(&mut state.audit, now, &running, &stored);
        });
    }

    fn check_bounds(&self) {
        let circuits = self.plan.circuits.len();
        for node in &self.nodes {
            let status = node.member().map(|member| member.status());
            if let Some(excess) = status.and_then(|status| excess(&status, circuits)) {
                self.report("bounds", format!("n{}: {excess}", node.index()));
            }
        }
    }

    fn check_agreement(&self, now: Duration, index: usize, circuit: &CircuitPlan) {
        let name = &circuit.name;
        if !self.plan.share.is_some_and(Sharing::adopts) {
            return;
        }
        let (record, left) = self.checker_record(name);
        let (_, since) = self.world.change(|state, _| state.audit.record_since(name));
        if since + SPREAD > now {
            return;
        }
        for (node, observed) in self.observe(index) {
            let has_command = self
                .world
                .change(|state, _| state.audit.has_command(node, name));
            if has_command {
                continue;
            }
            if let Some(what) = disagreement(name, record.phase, left, &observed) {
                self.report("agreement", what);
            }
        }
    }

    fn observe(&self, circuit: usize) -> Vec<(usize, Observed)> {
        let running = self.nodes.iter().filter(|node| node.is_running());
        running
            .filter_map(|node| {
                let breaker = node.breaker(circuit)?;
                let snapshot = breaker.snapshot();
                let observed = Observed {
                    node: node.index(),
                    state: breaker.state(),
                    is_by_fleet: matches!(snapshot.cause, Some(Cause::Fleet { .. })),
                    is_called: self.plan.circuits[circuit].rates[node.index()] >= 1.0,
                };
                Some((node.index(), observed))
            })
            .collect()
    }

    /// A dependency that works closes all circuits.
    fn check_recovery(&self, now: Duration, index: usize, circuit: &CircuitPlan) {
        let waits = LEASE + GRACE + 7 * SECOND;
        let bound = circuit.longest + waits;
        let healthy = circuit.healthy_since(now, self.plan.last_fault());
        if healthy.is_none_or(|healthy| now < healthy + bound) {
            return;
        }
        for (node, observed) in self.observe(index) {
            let rate = circuit.rates[node];
            let is_bad = circuit.dependency.bad_nodes.contains(&node);
            // A circuit without calls stays open until the fleet closes it: see the agreement.
            let has_calls = rate >= 1.0;
            if observed.state != State::Closed && has_calls && !is_bad {
                let what = format!("{}: n{node} is still {}", circuit.name, observed.state);
                self.report("recovery", what);
            }
        }
    }

    /// An outage that many nodes see opens the circuit of the fleet.
    fn check_shared(&self, now: Duration, circuit: &CircuitPlan) {
        let Some(share) = self.plan.share else { return };
        let busy = circuit.rates.iter().filter(|rate| **rate >= 2.0).count();
        let outages = &circuit.dependency.outages;
        let lasts = outages.iter().any(|outage| {
            let is_plain = matches!(outage.manner, crate::dependency::Manner::Fails);
            is_plain && outage.from + 15 * SECOND == now && now < outage.until
        });
        let is_shared = !matches!(share, Sharing::Local);
        if !lasts || busy < share.quorum() || !is_shared {
            return;
        }
        let (record, _) = self.checker_record(&circuit.name);
        if record.phase.is_unknown() || record.phase == Phase::Closed {
            let what = format!(
                "{}: the outage opened no circuit of the fleet",
                circuit.name
            );
            self.report("agreement", what);
        }
    }

    pub(crate) fn report(&self, invariant: &'static str, what: String) {
        self.world.change(|state, now| {
            state
                .trace
                .line(now, format_args!("!! {invariant}: {what}"));
            state.audit.report(now, invariant, what);
        });
    }

    fn outcome(self) -> Outcome {
        let sum = |field: fn(&Tally) -> u64| self.tallies.iter().map(|tally| field(tally)).sum();
        let is_closed = |breaker: &CircuitBreaker| breaker.state() == State::Closed;
        let circuits = 0..self.plan.circuits.len();
        let not_closed = circuits
            .flat_map(|circuit| {
                self.nodes
                    .iter()
                    .filter_map(move |node| node.breaker(circuit))
            })
            .filter(|breaker| !is_closed(breaker))
            .count();
        let (ok, failed, refused) = (
            sum(|tally| tally.ok.load(Ordering::Relaxed)),
            sum(|tally| tally.failed.load(Ordering::Relaxed)),
            sum(|tally| tally.refused.load(Ordering::Relaxed)),
        );
        self.world.change(|state, _| Outcome {
            violations: state.audit.violations.clone(),
            figures: state.audit.figures,
            counts: state.counts,
            reach: state.audit.reach.clone(),
            ok,
            failed,
            refused,
            not_closed,
            events: state.trace.lines(),
            trace: state.trace.text().to_owned(),
        })
    }
}
