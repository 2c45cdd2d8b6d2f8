//! Without a store, a fleet changes nothing.

use breakerbox_fleet_simulation::{Fault, Plan, run};
use std::time::Duration;

/// Returns the transitions and the trials of a run.
fn circuits(plan: &Plan) -> Vec<String> {
    let trace = run(plan).trace;
    let is_circuit = |line: &&str| line.contains(" -> ") || line.ends_with(" trial");
    trace
        .lines()
        .filter(is_circuit)
        .map(str::to_owned)
        .collect()
}

/// A random run without faults of its own.
fn plan(seed: u64) -> Plan {
    let mut plan = Plan::random(seed, 12);
    plan.faults.clear();
    plan.is_traced = true;
    // A waiting caller draws random numbers, as the engine does.
    for circuit in &mut plan.circuits {
        circuit.waiting = 0.0;
    }
    plan
}

#[test]
fn store_that_never_comes_is_like_no_fleet() {
    for seed in 0..2 {
        let mut away = plan(seed);
        away.faults = vec![(Duration::ZERO, Fault::StoreAway)];
        let mut without = plan(seed);
        without.share = None;
        let (away, without) = (circuits(&away), circuits(&without));
        assert!(without.len() > 100);
        assert!(away == without, "seed {seed} differs");
    }
}

#[test]
fn read_only_store_without_records_is_like_no_fleet() {
    for seed in 0..2 {
        let mut read_only = plan(seed);
        read_only.faults = vec![(Duration::ZERO, Fault::StoreReadOnly)];
        let mut without = plan(seed);
        without.share = None;
        assert!(
            circuits(&read_only) == circuits(&without),
            "seed {seed} differs"
        );
    }
}
