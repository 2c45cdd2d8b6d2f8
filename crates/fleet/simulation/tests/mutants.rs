//! Faults of the store and of the engine, which the scenarios must find.

use breakerbox_fleet_simulation::Mutant;
use breakerbox_fleet_simulation::scenarios::Setup;

/// Runs the scenario of each mutant with ten seeds, and returns the mutants that were never found.
fn survivors(mutants: impl Iterator<Item = Mutant>) -> Vec<&'static str> {
    let mut survivors = Vec::new();
    for mutant in mutants {
        let is_found = |seed: &u64| {
            let setup = Setup {
                seed: *seed,
                mutant: Some(mutant),
                is_traced: false,
            };
            !(mutant.scenario)(setup).violations.is_empty()
        };
        let found = (0..10).filter(is_found).count();
        println!("{}: found in {found} of 10 seeds", mutant.name);
        if found == 0 {
            survivors.push(mutant.name);
        }
    }
    survivors
}

#[test]
fn every_mutant_of_the_engine_is_found() {
    assert!(survivors(Mutant::of_engine()).is_empty());
}

#[test]
fn every_mutant_of_the_store_is_found() {
    assert!(survivors(Mutant::of_store()).is_empty());
}
