//! Faults of the store and of the engine, which the scenarios must find.

use breakerbox_fleet_simulation::Mutant;

/// Runs the scenario of each mutant with up to ten seeds. Returns the mutants that were never found.
fn survivors(mutants: impl Iterator<Item = Mutant>) -> Vec<&'static str> {
    mutants
        .filter(|mutant| !(0..10).any(|seed| mutant.is_found(seed)))
        .map(|mutant| mutant.name)
        .collect()
}

#[test]
fn every_mutant_of_the_engine_is_found() {
    assert_eq!(survivors(Mutant::of_engine()), [""; 0]);
}

#[test]
fn every_mutant_of_the_store_is_found() {
    assert_eq!(survivors(Mutant::of_store()), [""; 0]);
}
