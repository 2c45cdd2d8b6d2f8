//! Random histories of fleets on real servers, in real time.
//!
//! The plans, the dependencies, the faults and the account of the invariants are those of the simulation. The
//! nodes are real engines with real connections. `MONITOR` shows what the server did, and a reference that does
//! the same must come to the same records.
//!
//! | fault of the plan | here |
//! |---|---|
//! | the connection of a node is cut, killed, or overflows | `CLIENT KILL USER` |
//! | all connections end | `CLIENT KILL TYPE pubsub` |
//! | the store is away | `kill -9`, and a start without data |
//! | the store hangs | `kill -STOP`, `kill -CONT` |
//! | the store is read-only | `REPLICAOF` |
//! | a failover | `kill -9`, and a start without data at once |
//! | a snapshot | `SCRIPT FLUSH` |
//! | lost, late and doubled messages | none: a TCP connection has none |

mod keeper;
mod ledger;
mod monitor;
mod node;
mod request;
mod tap;

use crate::figures::{print_head, print_row};
use breakerbox::{Cause, State};
use breakerbox_fleet::protocol::{Micros, NodeId};
use breakerbox_fleet::store::Hello;
use breakerbox_fleet_simulation::parts::{Audit, Observed, disagreement};
use breakerbox_fleet_simulation::{CircuitPlan, Fault, Figures, Mutant, Plan, Sharing, Violation};
use keeper::Keeper;
use ledger::{Counts, Ledger};
use node::{Node, Site};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
/// The defaults of a fleet.
const GRACE: Duration = Duration::from_secs(3);
const LEASE: Duration = Duration::from_secs(3);
/// How long nodes may take to agree after the last fault.
const SETTLING: Duration = Duration::from_secs(30);
/// How long a record must have stood for all nodes to act on it, with the delay of the account.
const SPREAD: Duration = Duration::from_millis(2_500);
/// The histories that run at the same time.
const PARALLEL: u64 = 3;
/// A node that gets no processor for this time is one that was paused.
const LATE: Duration = Duration::from_millis(40);

/// A fault that the checks must find.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Broken {
    /// A fault of the engine.
    Engine(Mutant),
    /// The engine takes a lease that the store refused.
    Lies,
    /// Another program writes a lease into a record.
    Forged,
}

impl Broken {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "lies" => Some(Self::Lies),
            "forged" => Some(Self::Forged),
            _ => Mutant::of_engine()
                .find(|mutant| mutant.name == name)
                .map(Self::Engine),
        }
    }
}

/// How the calls of a history ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    ok: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
}

impl Tally {
    // Ordering: `Relaxed`, because the counters guard no data.
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What came of histories.
#[derive(Default)]
struct Outcome {
    histories: u64,
    figures: Figures,
    counts: Counts,
    faults: u64,
    /// The longest time for which a history got no processor.
    late: Duration,
    calls: [u64; 3],
    violations: Vec<(u64, Violation)>,
}

/// Runs histories for some minutes, and prints what came of them. Returns `true` if all invariants were kept.
pub(crate) fn print(minutes: u64, nodes: usize, seed: u64, broken: Option<Broken>) -> bool {
    println!(
        "Histories of {nodes} nodes, {PARALLEL} at a time, for {minutes} minutes, from seed {seed}."
    );
    if let Some(broken) = broken {
        println!("With a fault that must be found: {broken:?}.");
    }
    println!();
    let started = Instant::now();
    let end = started + Duration::from_secs(60 * minutes);
    let mut total = Outcome::default();
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let run = |lane: u64| {
            scope.spawn(move || {
                let mut outcome = Outcome::default();
                let mut number = lane;
                while Instant::now() < end {
                    outcome.add(run(seed.wrapping_add(number), nodes, broken, end));
                    number += PARALLEL;
                }
                outcome
            })
        };
        let lanes: Vec<_> = (0..PARALLEL).map(run).collect();
        let joined = lanes.into_iter().map(ScopedJoinHandle::join);
        joined.map(|outcome| outcome.expect("a history")).collect()
    });
    for outcome in outcomes {
        total.add(outcome);
    }
    total.print(started.elapsed());
    total.violations.is_empty()
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.figures.add(&other.figures);
        self.counts.operations += other.counts.operations;
        self.counts.pulls += other.counts.pulls;
        self.counts.refused += other.counts.refused;
        self.counts.losses += other.counts.losses;
        self.faults += other.faults;
        self.late = self.late.max(other.late);
        for (sum, calls) in self.calls.iter_mut().zip(other.calls) {
            *sum += calls;
        }
        self.violations.extend(other.violations);
    }

    fn print(&self, time: Duration) {
        let (figures, counts) = (&self.figures, &self.counts);
        let late = u64::try_from(self.late.as_millis()).unwrap_or(u64::MAX);
        let rows = [
            ("seconds", time.as_secs()),
            ("longest pause of the machine, in milliseconds", late),
            ("histories", self.histories),
            ("faults", self.faults),
            ("losses of all data", counts.losses),
            (
                "operations, each compared with the reference",
                counts.operations,
            ),
            ("pulls", counts.pulls),
            ("script calls that could not write", counts.refused),
            ("openings of the fleet", figures.opened),
            ("closes of the fleet", figures.closed),
            ("stale trips", figures.stale),
            ("restored records", figures.restored),
            ("leases", figures.leases),
            ("trials with a lease", figures.leased_trials),
            ("trials without a lease", figures.local_trials),
            ("circuits that a node opened for the fleet", figures.adopted),
            ("successful calls", self.calls[0]),
            ("failed calls", self.calls[1]),
            ("refused calls", self.calls[2]),
            ("broken invariants", self.violations.len() as u64),
        ];
        print_head(&["what", "count"]);
        for (what, count) in rows {
            print_row(&[what.to_owned(), count.to_string()]);
        }
        for (seed, violation) in &self.violations {
            println!("\nseed {seed}: {violation}");
        }
    }
}

/// Runs one history, on one thread for all nodes.
fn run(seed: u64, nodes: usize, broken: Option<Broken>, end: Instant) -> Outcome {
    let mut plan = Plan::random(seed, nodes);
    if let Some(Broken::Engine(mutant)) = broken {
        plan = mutant.apply(plan);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(async { History::start(plan, broken).run(end).await });
    runtime.shutdown_background();
    outcome
}

struct History {
    site: Site,
    nodes: Vec<Node>,
    keeper: Keeper,
    broken: Option<Broken>,
    faults: u64,
    /// When the machine last had no time for this history, and the longest such time.
    late: (Duration, Duration),
    hello: Hello,
    rng: fastrand::Rng,
}

impl History {
    fn start(plan: Plan, broken: Option<Broken>) -> Self {
        let calls = plan.circuits.iter().map(|circuit| circuit.half_open_calls);
        let mut audit = Audit::new(plan.nodes, GRACE, LEASE, calls.max().unwrap_or(1));
        let adopts = plan.share.is_some_and(Sharing::adopts);
        (0..plan.nodes).for_each(|node| audit.set_adopts(node, adopts));
        let ledger = Arc::new(Ledger::new(audit));
        let namespace = format!("seed-{}", plan.seed);
        let (keeper, port) = Keeper::start(&ledger, &namespace, plan.nodes);
        let checker = NodeId::new("checker", "checker").expect("a valid label");
        let hello = Hello::new(&namespace, checker, plan.max_open);
        let mut nodes: Vec<_> = (0..plan.nodes).map(Node::new).collect();
        let rng = fastrand::Rng::with_seed(plan.seed);
        let site = Site {
            plan,
            ledger,
            tally: Arc::default(),
            port,
            namespace,
            lies: matches!(broken, Some(Broken::Lies)),
        };
        for node in &mut nodes {
            node.start(&site);
        }
        Self {
            site,
            nodes,
            keeper,
            broken,
            faults: 0,
            late: Default::default(),
            hello: hello.expect("a valid namespace"),
            rng,
        }
    }

    /// Runs the plan, unless the time is over before.
    async fn run(mut self, end: Instant) -> Outcome {
        let faults = self.site.plan.faults.clone();
        let mut faults = faults.into_iter().peekable();
        let mut tick = Duration::ZERO;
        let length = self.site.plan.length;
        while self.site.ledger.now() < length && Instant::now() < end {
            let (before, step) = (Instant::now(), Duration::from_millis(10));
            tokio::time::sleep(step).await;
            let now = self.site.ledger.now();
            let late = before.elapsed().saturating_sub(step);
            if late > LATE {
                self.all_were_late(now, late);
            }
            while let Some((_, fault)) = faults.next_if(|(at, _)| *at <= now) {
                self.faults += 1;
                self.inject(fault).await;
            }
            self.site.ledger.settle();
            if now >= tick {
                tick += SECOND;
                self.check(now);
                let is_forging = matches!(self.broken, Some(Broken::Forged));
                if is_forging && now >= 20 * SECOND && now < 21 * SECOND {
                    self.keeper.forge();
                }
            }
        }
        self.outcome()
    }

    /// The machine had no time for this history, which is like a pause of all nodes.
    fn all_were_late(&mut self, now: Duration, late: Duration) {
        self.late = (now, self.late.1.max(late));
        let nodes = self.site.plan.nodes;
        self.site.ledger.note(move |audit, now| {
            (0..nodes).for_each(|node| audit.resumed(now, node));
        });
    }

    async fn inject(&mut self, fault: Fault) {
        match fault {
            Fault::Crash(node) => self.nodes[node].crash(),
            Fault::Start(node) => self.nodes[node].start(&self.site),
            Fault::Redeploy(node) => {
                self.nodes[node].shut_down().await;
                self.nodes[node].start(&self.site);
            }
            Fault::Pause(node) => self.nodes[node].switch.pause(),
            Fault::Resume(node) => {
                if self.nodes[node].switch.is_paused() {
                    self.site
                        .ledger
                        .note(move |audit, now| audit.resumed(now, node));
                    self.nodes[node].switch.resume(&mut self.rng);
                }
            }
            Fault::ForceOpen { node, circuit } => {
                self.command(node, circuit, breakerbox::CircuitBreaker::force_open);
            }
            Fault::Disable { node, circuit } => {
                self.command(node, circuit, breakerbox::CircuitBreaker::disable);
            }
            Fault::Reset { node, circuit } => {
                self.command(node, circuit, breakerbox::CircuitBreaker::reset);
            }
            fault => self.keeper.inject(fault),
        }
    }

    fn command(
        &self,
        node: usize,
        circuit: usize,
        command: impl FnOnce(&breakerbox::CircuitBreaker),
    ) {
        if let Some(breaker) = self.nodes[node].breaker(circuit) {
            command(breaker);
        }
    }

    /// Checks that all nodes act as the store says, and that all recover.
    fn check(&self, now: Duration) {
        let plan = &self.site.plan;
        if now < plan.last_fault() + SETTLING {
            return;
        }
        for (index, circuit) in plan.circuits.iter().enumerate() {
            self.check_agreement(now, index, circuit);
            self.check_recovery(now, index, circuit);
        }
    }

    fn check_agreement(&self, now: Duration, index: usize, circuit: &CircuitPlan) {
        if !self.site.plan.share.is_some_and(Sharing::adopts) {
            return;
        }
        let ledger = &self.site.ledger;
        let server_now = ledger.server_now();
        let observed = self.observe(index);
        let mut state = ledger.lock();
        let (_, since) = state.audit.record_since(&circuit.name);
        let table = &state.reference.table;
        let record = table.record(&circuit.name, &self.hello, server_now);
        // The account is behind the records. A version is the instant of its change.
        let changed = ledger.time_of(Micros(record.version.0));
        if since.max(changed).max(self.late.0) + SPREAD > now {
            return;
        }
        for observed in observed {
            if state.audit.has_command(observed.node, &circuit.name) {
                continue;
            }
            let left = record.left(server_now);
            if let Some(what) = disagreement(&circuit.name, record.phase, left, &observed) {
                state.audit.report(now, "agreement", what);
            }
        }
    }

    fn observe(&self, circuit: usize) -> Vec<Observed> {
        let running = self.nodes.iter().filter(|node| node.is_running());
        let observed = running.filter_map(|node| {
            let breaker = node.breaker(circuit)?;
            Some(Observed {
                node: node.index,
                state: breaker.state(),
                is_by_fleet: matches!(breaker.snapshot().cause, Some(Cause::Fleet { .. })),
                is_called: self.site.plan.circuits[circuit].rates[node.index] >= 1.0,
            })
        });
        observed.collect()
    }

    /// A dependency that works closes all circuits.
    fn check_recovery(&self, now: Duration, index: usize, circuit: &CircuitPlan) {
        let bound = circuit.longest + LEASE + GRACE + 7 * SECOND;
        let healthy = circuit.healthy_since(now, self.site.plan.last_fault());
        if healthy.is_none_or(|healthy| now < healthy + bound) {
            return;
        }
        for observed in self.observe(index) {
            if observed.state != State::Closed && observed.is_called {
                let Observed { node, state, .. } = observed;
                let what = format!("{}: n{node} is still {state}", circuit.name);
                self.site.ledger.report("recovery", what);
            }
        }
    }

    fn outcome(self) -> Outcome {
        let Self {
            site,
            nodes,
            keeper,
            faults,
            late,
            ..
        } = self;
        // The server first: what it still reports belongs to the account.
        drop(keeper);
        drop(nodes);
        let violations = site.ledger.close();
        let state = site.ledger.lock();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &site.tally;
        Outcome {
            histories: 1,
            figures: state.audit.figures,
            counts: state.counts,
            faults,
            late: late.1,
            calls: [&tally.ok, &tally.failed, &tally.refused].map(count),
            violations: violations
                .into_iter()
                .map(|violation| (site.plan.seed, violation))
                .collect(),
        }
    }
}
