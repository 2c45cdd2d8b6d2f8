//! Trials for the fleet.

use super::support::*;
use crate::event::FleetEvent;
use crate::planner::Mutants;
use crate::protocol::{Op, Phase};
use crate::share::Share;
use breakerbox::{CircuitBreaker, State};

fn is_lease(op: &Op) -> bool {
    matches!(op, Op::Lease { .. })
}

/// Opens everywhere, and waits until one node that has calls tries.
fn trying(nodes: usize) -> World {
    trying_with(nodes, Mutants::default())
}

fn trying_with(nodes: usize, mutants: Mutants) -> World {
    let mut world = World::with(nodes, Share::always(), mutants, |builder| builder);
    world.open_all();
    world.run(secs(31));
    assert!(!world.nodes[0].succeed());
    world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
    world
}

#[test]
fn one_node_tries_for_the_fleet() {
    let mut world = World::new(12, Share::always());
    world.open_all();
    for _ in 0..29 {
        for node in &world.nodes {
            assert!(!node.succeed());
        }
        world.run(secs(1));
    }
    world.run_until(secs(3), |world| world.phase() == Phase::Leased);
    let is_half_open = |state: &&State| **state == State::HalfOpen;
    for _ in 0..20 {
        assert_eq!(world.states().iter().filter(is_half_open).count(), 1);
        world.run(ms(100));
    }
    for node in &world.nodes {
        node.succeed();
    }
    world.run(secs(1));
    assert_eq!(world.states(), [State::Closed; 12]);
    let granted: u64 = world
        .nodes
        .iter()
        .map(|node| node.planner.counters().leases_granted)
        .sum();
    assert_eq!(granted, 1);
}

#[test]
fn no_node_asks_before_the_end() {
    for greedy_lease in [false, true] {
        let mutants = Mutants {
            greedy_lease,
            ..Mutants::default()
        };
        let mut world = World::with(3, Share::always(), mutants, |builder| builder);
        world.open_all();
        for _ in 0..290 {
            world.nodes.iter().for_each(|node| {
                node.succeed();
            });
            world.run(ms(100));
        }
        assert_eq!(world.count(is_lease) > 0, greedy_lease);
    }
}

#[test]
fn node_without_calls_never_asks() {
    let mut world = World::new(3, Share::always());
    world.open_all();
    world.run(secs(120));
    assert_eq!(world.count(is_lease), 0);
    assert_eq!(world.states(), [State::Open; 3]);
    // The first call is refused once. Then a trial follows.
    assert!(!world.nodes[2].succeed());
    world.run(secs(3));
    assert_eq!(world.state(2), State::HalfOpen);
    assert!(world.nodes[2].succeed());
    world.run(secs(1));
    assert_eq!(world.states(), [State::Closed; 3]);
}

#[test]
fn many_idle_circuits_cost_only_pulls() {
    let mut world = World::with(1, Share::always(), Mutants::default(), |builder| {
        builder.capacity(20_000)
    });
    let registry = world.nodes[0].registry.clone();
    for index in 0..500 {
        let breaker = registry.breaker(format!("tenant-{index}"));
        for _ in 0..5 {
            breaker.try_acquire().unwrap().failure();
        }
    }
    world.run(secs(60));
    let before = world.log.len();
    world.run(secs(30));
    assert_eq!(world.log.len(), before);
    assert_eq!(registry.breaker("tenant-17").state(), State::Open);
}

#[test]
fn linked_node_never_half_opens_without_a_lease() {
    let mut world = World::new(3, Share::always());
    world.open_all();
    for _ in 0..2_000 {
        world.nodes.iter().for_each(|node| {
            if node.breaker.state() == State::HalfOpen {
                node.fail();
            } else {
                node.succeed();
            }
        });
        world.run(ms(50));
        for (index, node) in world.nodes.iter().enumerate() {
            let (_, _, leases) = node.planner.sizes();
            assert!(world.state(index) != State::HalfOpen || leases == 1);
        }
    }
    assert!(world.count(is_lease) > 2);
}

#[test]
fn node_whose_trial_failed_waits_longer() {
    let mut world = trying(2);
    world.nodes[0].breaker.try_acquire().unwrap().failure();
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.states(), [State::Open; 2]);
    let left = world.record().left;
    // Calls arrive at both nodes.
    world.run(left.saturating_sub(ms(100)));
    assert!(!world.nodes[0].succeed() && !world.nodes[1].succeed());
    world.run_until(secs(1), |world| world.phase() == Phase::Leased);
    assert_eq!(world.record().by, "node-1-1");
}

#[test]
fn failed_trial_reopens_the_fleet_with_the_next_attempt() {
    let mut world = World::with(2, Share::always(), Mutants::default(), |builder| {
        let backoff = CircuitBreaker::builder().recovery_timeout(secs(5));
        builder.default_preset(backoff)
    });
    world.open_all();
    assert_eq!(world.record().attempt, 0);
    world.run(secs(6));
    world.nodes[0].succeed();
    world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
    world.nodes[0].breaker.try_acquire().unwrap().failure();
    world.run(ms(100));
    assert_eq!(world.record().attempt, 1);
    assert_eq!(world.record().why, "trial");
    assert_eq!(world.states(), [State::Open; 2]);
    let trips = world.count(|op| matches!(op, Op::Trip { .. }));
    assert_eq!(trips, 1, "a holder sends its verdict, and no trip");
}

#[test]
fn lease_is_renewed_while_a_trial_runs() {
    let mut world = trying(2);
    let trial = world.nodes[0].breaker.try_acquire().unwrap();
    world.run(secs(20));
    assert_eq!(world.phase(), Phase::Leased);
    assert_eq!(world.states(), [State::HalfOpen, State::Open]);
    trial.success();
    world.run(secs(1));
    assert_eq!(world.states(), [State::Closed; 2]);
}

#[test]
fn lease_counts_from_the_time_of_sending() {
    let mut world = trying(1);
    let trial = world.nodes[0].breaker.try_acquire().unwrap();
    let asked = world.now();
    world.available = false;
    world.run_until(secs(4), |world| world.state(0) == State::Open);
    // Unrenewed at 80 % of the lease.
    assert!(world.now().saturating_sub(asked) <= ms(2_405));
    trial.success();
    let lost = |event: &FleetEvent| matches!(event, FleetEvent::LeaseLost { .. });
    assert!(world.nodes[0].events.iter().any(lost));
    // Without the store, time alone half-opens the circuit after the grace.
    world.run(secs(3));
    assert_eq!(world.state(0), State::HalfOpen);
}

#[test]
fn idle_holder_hands_the_lease_over() {
    let mut world = trying(2);
    // The calls at node 0 have stopped; node 1 has some.
    assert!(!world.nodes[1].succeed());
    world.run_until(secs(6), |world| world.state(1) == State::HalfOpen);
    assert_eq!(world.state(0), State::Open);
    assert_eq!(world.record().by, "node-1-1");
    let lost: u64 = world
        .nodes
        .iter()
        .map(|node| node.planner.counters().leases_lost)
        .sum();
    assert_eq!(lost, 0);
}

#[test]
fn idle_holder_without_rival_yields_at_last() {
    let mut world = trying(2);
    world.run(secs(9));
    assert_eq!(world.phase(), Phase::Leased);
    world.run(secs(3));
    assert_eq!(world.phase(), Phase::Open);
    let before = world.count(is_lease);
    world.run(secs(60));
    assert_eq!(world.count(is_lease), before);
}

#[test]
fn slow_trials_keep_the_lease() {
    let mut world = World::with(2, Share::always(), Mutants::default(), |builder| {
        let settings = CircuitBreaker::builder()
            .half_open_calls(3)
            .success_threshold(3);
        builder.default_preset(settings)
    });
    world.open_all();
    world.run(secs(31));
    world.nodes[0].succeed();
    world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
    for _ in 0..3 {
        world.run(secs(6));
        assert!(world.nodes[0].succeed());
    }
    world.run(secs(1));
    assert_eq!(world.states(), [State::Closed; 2]);
    let granted = world.nodes[0].planner.counters().leases_granted;
    assert_eq!(granted, 1);
}

#[test]
fn fenced_verdict_is_not_the_fleets() {
    let mut world = trying(2);
    let trial = world.nodes[0].breaker.try_acquire().unwrap();
    // Another primary answers, on which node 1 has the lease.
    let now = world.server_now();
    let text = world
        .table
        .records()
        .find(|(name, _)| *name == NAME)
        .unwrap()
        .1
        .to_owned();
    let fields: Vec<_> = text.split(' ').collect();
    let stolen = text
        .replace(fields[7], "another-token")
        .replace("node-0-1", "node-1-1");
    let version = world.table.head();
    world.table.put(NAME, &stolen, version);
    trial.success();
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Leased);
    assert!(world.record().left > ms(0) && now.0 > 0);
    let lost = |event: &FleetEvent| matches!(event, FleetEvent::LeaseLost { .. });
    assert!(world.nodes[0].events.iter().any(lost));
}

#[test]
fn half_open_circuit_follows_an_opening_of_the_fleet() {
    let mut world = World::new(3, Share::quorum(2));
    world.trip(0);
    world.run(secs(30));
    assert_eq!(world.state(0), State::HalfOpen);
    world.trip(1);
    world.trip(2);
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.states(), [State::Open; 3]);
}

#[test]
fn circuit_stops_trials_without_lease_when_store_returns() {
    let mut world = World::new(2, Share::always());
    world.open_all();
    world.available = false;
    world.run(secs(34));
    assert_eq!(world.states(), [State::HalfOpen; 2]);
    world.available = true;
    world.run(ms(20));
    assert_eq!(world.states(), [State::Open; 2]);
    assert!(!world.nodes[1].succeed());
    world.run_until(secs(2), |world| world.state(1) == State::HalfOpen);
    assert!(world.nodes[1].succeed());
    world.run(secs(1));
    assert_eq!(world.states(), [State::Closed; 2]);
}

#[test]
fn shutdown_hands_the_lease_over() {
    let mut world = trying(2);
    world.nodes[0].planner.leave();
    let (names, now) = (world.nodes[0].planner.names(), world.now());
    for name in names {
        let node = &mut world.nodes[0];
        node.planner.look(&name, &node.port, now);
    }
    world.run(ms(60));
    assert!(world.nodes[0].planner.is_flushed());
    assert_eq!(world.phase(), Phase::Open);
    assert!(!world.nodes[1].succeed());
    world.run_until(secs(1), |world| world.state(1) == State::HalfOpen);
}

#[test]
fn store_that_fails_each_lease_does_not_keep_circuits_open() {
    let mut world = World::new(1, Share::always());
    world.open_all();
    world.run(secs(25));
    world.fails = true;
    world.run(secs(6));
    assert_eq!(world.state(0), State::Open);
    for _ in 0..20 {
        world.nodes[0].succeed();
        world.run(ms(500));
    }
    assert_eq!(world.state(0), State::Closed);
    assert!(world.nodes[0].planner.counters().failed_operations > 0);
}

#[test]
fn slow_answer_does_not_lengthen_the_lease() {
    for (lease_from_receipt, latest) in [(false, ms(2_450)), (true, ms(3_500))] {
        let mutants = Mutants {
            lease_from_receipt,
            ..Mutants::default()
        };
        let mut world = World::with(1, Share::always(), mutants, |builder| builder);
        world.open_all();
        world.run(secs(31));
        world.delay = ms(950);
        world.rng = fastrand::Rng::with_seed(2);
        world.nodes[0].succeed();
        world.run_until(secs(4), |world| world.phase() == Phase::Leased);
        let granted = world.now();
        world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
        let _trial = world.nodes[0].breaker.try_acquire().unwrap();
        world.available = false;
        world.run_until(secs(4), |world| world.state(0) == State::Open);
        let held = world.now().saturating_sub(granted);
        assert!(held <= latest, "{held:?}");
        assert_eq!(held > ms(2_450), lease_from_receipt, "{held:?}");
    }
}

#[test]
fn two_nodes_never_try_at_once() {
    for no_fencing in [false, true] {
        let mutants = Mutants {
            no_fencing,
            ..Mutants::default()
        };
        let mut world = trying_with(2, mutants);
        let _trial = world.nodes[0].breaker.try_acquire().unwrap();
        world.nodes[0].cut = true;
        let mut overlaps = false;
        for _ in 0..100 {
            world.nodes[1].breaker.try_acquire().map(drop).ok();
            world.run(ms(50));
            overlaps |= world.states() == [State::HalfOpen; 2];
            if world.state(1) == State::HalfOpen {
                break;
            }
        }
        assert_eq!(world.state(1), State::HalfOpen);
        assert_eq!(overlaps, no_fencing);
        // The node returns. The lease is another node's.
        world.nodes[0].cut = false;
        let _other = world.nodes[1].breaker.try_acquire().unwrap();
        world.run(secs(2));
        assert_eq!(world.state(0) == State::HalfOpen, no_fencing);
    }
}
