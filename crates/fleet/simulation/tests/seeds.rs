//! Random runs of 12 nodes. `BREAKERBOX_SEED=7 cargo test --test seeds` repeats one of them.

use breakerbox_fleet_simulation::{Plan, run};
use std::path::Path;

/// Runs seeds, and fails with the trace of the first one that breaks an invariant.
fn run_seeds(seeds: impl Iterator<Item = u64>, nodes: usize) {
    let chosen = std::env::var("BREAKERBOX_SEED").ok();
    let chosen: Option<u64> = chosen.map(|seed| seed.parse().expect("BREAKERBOX_SEED is a number"));
    let seeds: Vec<u64> = chosen.map_or_else(|| seeds.collect(), |seed| vec![seed]);
    for seed in seeds {
        let mut plan = Plan::random(seed, nodes);
        let outcome = run(&plan);
        if outcome.violations.is_empty() {
            continue;
        }
        plan.is_traced = true;
        let trace = run(&plan).trace;
        let file =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seed-{seed}-{nodes}.trace"));
        std::fs::write(&file, &trace).expect("the target folder is writable");
        let violations: Vec<String> = outcome.violations.iter().map(ToString::to_string).collect();
        let violations = violations.join("\n");
        let tail: Vec<&str> = trace.lines().rev().take(40).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        panic!(
            "seed {seed} breaks invariants:\n{violations}\nend of the trace, which is in {}:\n{}\n\
             BREAKERBOX_SEED={seed} repeats the run",
            file.display(),
            tail.join("\n"),
        );
    }
}

#[test]
fn first_ten_seeds_keep_the_invariants() {
    run_seeds(0..10, 12);
}

#[test]
fn next_ten_seeds_keep_the_invariants() {
    run_seeds(10..20, 12);
}

#[test]
fn equal_seeds_have_equal_traces() {
    for seed in [3, 4] {
        let mut plan = Plan::random(seed, 5);
        plan.is_traced = true;
        let (first, second) = (run(&plan), run(&plan));
        assert!(first.events > 100);
        assert!(first.trace == second.trace, "seed {seed} has two traces");
    }
}
