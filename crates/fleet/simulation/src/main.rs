//! Runs seeds of the simulation, scenarios and tables.
//!
//! ```text
//! breakerbox-fleet-simulation gate                   the seeds of the gate
//! breakerbox-fleet-simulation seeds 0..1000 12       seeds of 12 nodes
//! breakerbox-fleet-simulation tables 8               the tables of figures, of 8 runs each
//! breakerbox-fleet-simulation mutants                how often each mutant is found
//! breakerbox-fleet-simulation scenario NAME [SEED] [MUTANT]    the trace of a scenario
//! ```
//!
//! `BREAKERBOX_SEED=7` replaces all seeds by one, and prints its trace.

use breakerbox_fleet_simulation::scenarios::{self, Setup};
use breakerbox_fleet_simulation::{Figures, Mutant, Plan, run, tables};
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_kept = match arguments[..] {
        ["gate"] => run_seeds(0..200, 12) & run_seeds(0..20, 50),
        ["seeds", seeds, nodes] => run_seeds(range(seeds), number(nodes)),
        ["tables", runs] => {
            print!("{}", tables::all(number(runs) as u64));
            true
        }
        ["mutants"] => find_mutants(),
        ["scenario", name, ref rest @ ..] => run_scenario(name, rest),
        _ => {
            eprintln!(
                "usage: gate | seeds FROM..UNTIL NODES | tables RUNS | mutants | scenario NAME [SEED] [MUTANT]"
            );
            false
        }
    };
    if is_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn number(text: &str) -> usize {
    text.parse()
        .unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

fn range(text: &str) -> Range<u64> {
    let (from, until) = text.split_once("..").unwrap_or(("0", text));
    number(from) as u64..number(until) as u64
}

/// Runs seeds. Returns `true` if all invariants were kept.
fn run_seeds(seeds: Range<u64>, nodes: usize) -> bool {
    let chosen = std::env::var("BREAKERBOX_SEED").ok();
    let seeds: Vec<u64> = match &chosen {
        Some(seed) => vec![number(seed) as u64],
        None => seeds.collect(),
    };
    let start = Instant::now();
    let (mut total, mut broken, mut calls) = (Figures::default(), 0, 0);
    for seed in &seeds {
        let mut plan = Plan::random(*seed, nodes);
        plan.is_traced = chosen.is_some();
        let mut outcome = run(&plan);
        total.add(&outcome.figures);
        calls += outcome.ok + outcome.failed + outcome.refused;
        print!("{}", outcome.trace);
        if outcome.violations.is_empty() {
            continue;
        }
        broken += 1;
        println!("seed {seed} of {nodes} nodes breaks invariants:");
        for violation in &outcome.violations {
            println!("  {violation}");
        }
        if chosen.is_none() {
            plan.is_traced = true;
            outcome = run(&plan);
            let file = std::env::temp_dir().join(format!("breakerbox-seed-{seed}-{nodes}.trace"));
            match std::fs::write(&file, &outcome.trace) {
                Ok(()) => println!("  its trace is in {}", file.display()),
                Err(error) => println!("  its trace could not be written: {error}"),
            }
        }
    }
    let Figures {
        opened,
        closed,
        stale,
        leases,
        restored,
        leased_trials,
        local_trials,
        adopted,
    } = total;
    println!(
        "{} seeds of {nodes} nodes in {:.1} s: {broken} broken; {calls} calls, {opened} openings, \
         {closed} closes, {adopted} adopted, {leases} leases, {leased_trials} trials with a lease and \
         {local_trials} without, {stale} stale trips, {restored} restored records",
        seeds.len(),
        start.elapsed().as_secs_f64(),
    );
    broken == 0
}

/// Runs ten seeds of the scenario of each mutant. Returns `true` if all mutants were found.
fn find_mutants() -> bool {
    let mut all_found = true;
    for mutant in Mutant::of_engine().chain(Mutant::of_store()) {
        let found = (0..10).filter(|seed| mutant.is_found(*seed)).count();
        println!("{:24} found in {found} of 10 seeds", mutant.name);
        all_found &= found > 0;
    }
    all_found
}

fn run_scenario(name: &str, rest: &[&str]) -> bool {
    let seed = rest.first().map_or(0, |seed| number(seed) as u64);
    let mut mutants = Mutant::of_engine().chain(Mutant::of_store());
    let mutant = rest.get(1).map(|wanted| {
        let found = mutants.find(|mutant| mutant.name == *wanted);
        found.unwrap_or_else(|| panic!("there is no mutant {wanted:?}"))
    });
    let found = scenarios::ALL.iter().find(|(known, _)| *known == name);
    let (_, scenario) = found.unwrap_or_else(|| panic!("there is no scenario {name:?}"));
    let outcome = scenario(Setup {
        seed,
        mutant,
        is_traced: true,
    });
    print!("{}", outcome.trace);
    for violation in &outcome.violations {
        println!("{violation}");
    }
    outcome.violations.is_empty()
}
