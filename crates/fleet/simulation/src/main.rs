//! Runs seeds of the simulation, and prints figures.

use breakerbox_fleet_simulation::scenarios::{self, Setup};
use breakerbox_fleet_simulation::{Mutant, Plan, run};
use std::time::Instant;

fn find_mutants() {
    for mutant in Mutant::of_engine().chain(Mutant::of_store()) {
        print!("{}:", mutant.name);
        for (name, scenario) in scenarios::ALL {
            if name.starts_with("ten_thousand") || name.starts_with("lease_outlives") {
                continue;
            }
            let found = (0..4).filter(|seed| {
                let setup = Setup { seed: *seed, mutant: Some(mutant), is_traced: false };
                !scenario(setup).violations.is_empty()
            });
            let found = found.count();
            if found > 0 {
                print!(" {name} {found}");
            }
        }
        println!();
    }
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("mutants") {
        return find_mutants();
    }
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: u64| {
        let argument = arguments.next();
        argument.map_or(default, |argument| argument.parse().expect("a number"))
    };
    let (from, until, nodes) = (next(0), next(5), next(12));
    for seed in from..until {
        let mut plan = Plan::random(seed, usize::try_from(nodes).unwrap());
        if let Ok(name) = std::env::var("MUTANT") {
            let mut all = Mutant::of_engine().chain(Mutant::of_store());
            plan = all.find(|mutant| mutant.name == name).unwrap().apply(plan);
        }
        plan.is_traced = std::env::var("TRACE").is_ok();
        let start = Instant::now();
        let outcome = run(&plan);
        let took = start.elapsed();
        print!("{}", outcome.trace);
        println!(
            "{seed}: {took:?} ok {} failed {} refused {} not closed {} events {} {:?} {:?}",
            outcome.ok,
            outcome.failed,
            outcome.refused,
            outcome.not_closed,
            outcome.events,
            outcome.figures,
            outcome.counts
        );
        for violation in &outcome.violations {
            println!("  {violation}");
        }
    }
}
