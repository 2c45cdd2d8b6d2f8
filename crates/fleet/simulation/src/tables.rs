//! The tables of figures: one bad node, a store that is lost, and propagation.

use crate::dependency::Manner;
use crate::fault::Fault;
use crate::plan::{CircuitPlan, Plan};
use crate::sharing::Sharing;
use crate::simulation::{Outcome, run};
use std::fmt::{self, Write};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A plan of 12 nodes with 0.3 to 25 calls per second each, and one circuit.
fn busy(seed: u64, nodes: usize, seconds: u64) -> Plan {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x5EED_0004);
    let mut plan = Plan::quiet(seed, nodes, seconds);
    let rates = (0..nodes).map(|_| 0.3 + rng.f64() * 24.7).collect();
    plan.circuits[0] = CircuitPlan::new("users", rates);
    plan
}

/// The policies of the table of one bad node, with their names.
pub const POLICIES: [(&str, Option<Sharing>); 4] = [
    ("always", Some(Sharing::Always)),
    ("with evidence of 1", Some(Sharing::Evidence(1))),
    ("quorum of 2", Some(Sharing::Quorum(2))),
    ("no fleet", None),
];

/// One node of 12 fails all of its calls, and the others 2 % of theirs. Returns the successful calls
/// of each policy.
pub fn one_bad_node(seeds: u64) -> Vec<(&'static str, u64)> {
    let runs = |share: Option<Sharing>| {
        let ok = (0..seeds).map(|seed| {
            let mut plan = busy(seed, 12, 120);
            plan.share = share;
            plan.circuits[0].dependency.bad_nodes = vec![3];
            plan.circuits[0].dependency.noise = 0.02;
            run(&plan).ok
        });
        ok.sum()
    };
    POLICIES
        .iter()
        .map(|(name, share)| (*name, runs(*share)))
        .collect()
}

/// What came of runs whose store was lost in the middle of an outage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lost {
    /// The runs in which some circuit never closed again.
    pub never_recover: u64,
    /// Successful calls.
    pub ok: u64,
    /// The longest time from the end of the outage until all circuits were closed.
    pub longest: Duration,
}

/// The store is lost in the middle of an outage, with or without the deadline of each circuit.
pub fn lost_store(seeds: u64, has_deadline: bool) -> Lost {
    let mut lost = Lost::default();
    for seed in 0..seeds {
        let mut plan = busy(seed, 12, 120);
        plan.circuits[0] = plan.circuits[0].clone().outage(10, 35, Manner::Fails);
        plan.faults.push((15 * SECOND, Fault::StoreAway));
        plan.engine_mutants.no_dead_mans_switch = !has_deadline;
        let outcome = run(&plan);
        lost.never_recover += u64::from(outcome.not_closed > 0);
        lost.ok += outcome.ok;
        lost.longest = lost
            .longest
            .max(outcome.reach.closed.into_iter().max().unwrap_or_default());
    }
    lost
}

/// Times at which all circuits had followed.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Returns a percentile.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut times = self.0.clone();
        times.sort();
        let last = times.len().saturating_sub(1);
        times.get(last * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (half, most) = (self.percentile(50), self.percentile(99));
        write!(f, "{:.2} / {:.2} s", half.as_secs_f64(), most.as_secs_f64())
    }
}

/// Opening and closing times of outages of 25 s and 8 s without other faults.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// From the start of an outage until all circuits with calls were open.
    pub opened: Times,
    /// From the end of an outage until all circuits were closed.
    pub closed: Times,
    /// Failed calls.
    pub failed: u64,
}

/// Measures how soon all circuits open and close.
pub fn propagation(seeds: u64, nodes: usize, share: Option<Sharing>) -> Spread {
    let mut spread = Spread::default();
    for seed in 0..seeds {
        let mut plan = busy(seed, nodes, 150);
        plan.share = share;
        let circuit = plan.circuits[0].clone();
        plan.circuits[0] = circuit
            .outage(10, 35, Manner::Fails)
            .outage(90, 98, Manner::Fails);
        let Outcome { reach, failed, .. } = run(&plan);
        spread.opened.0.extend(reach.opened);
        spread.closed.0.extend(reach.closed);
        spread.failed += failed;
    }
    spread
}

/// Returns all tables as text.
pub fn all(seeds: u64) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "one of 12 nodes always fails, the others in 2 %, {seeds} runs of 120 s:"
    );
    for (name, ok) in one_bad_node(seeds) {
        let _ = writeln!(text, "  {name:20} {ok:9} successful calls");
    }
    let _ = writeln!(
        text,
        "the store is lost in the middle of an outage, {seeds} runs of 120 s:"
    );
    for (name, has_deadline) in [("with deadlines", true), ("without deadlines", false)] {
        let Lost {
            never_recover,
            ok,
            longest,
        } = lost_store(seeds, has_deadline);
        let _ = writeln!(
            text,
            "  {name:20} {never_recover} never recover, {ok} successful calls, closed after {longest:?}"
        );
    }
    let _ = writeln!(
        text,
        "all circuits open / closed, p50 / p99 of {seeds} runs:"
    );
    for nodes in [12, 50] {
        for (name, share) in POLICIES {
            let Spread {
                opened,
                closed,
                failed,
            } = propagation(seeds, nodes, share);
            let _ = writeln!(
                text,
                "  {nodes} nodes, {name:20} open {opened}, closed {closed}, {failed} failed calls"
            );
        }
    }
    text
}
