//! The figures that the documentation of the fleet states.

use breakerbox_fleet_simulation::tables;

#[test]
fn one_bad_node_costs_a_quorum_no_calls() {
    let ok: Vec<u64> = tables::one_bad_node(2)
        .into_iter()
        .map(|(_, ok)| ok)
        .collect();
    let [always, _, quorum, none] = ok[..] else {
        panic!()
    };
    assert!(quorum * 100 >= none * 99, "{quorum} of {none}");
    assert!(always * 2 < none, "{always} of {none}");
}

#[test]
fn every_circuit_recovers_from_a_lost_store() {
    let lost = tables::lost_store(2, true);
    assert_eq!(lost.never_recover, 0);
    assert!(lost.longest.as_secs() < 30, "{lost:?}");
    assert_eq!(tables::lost_store(2, false).never_recover, 2);
}
