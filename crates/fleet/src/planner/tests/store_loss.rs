//! Stores that lose their memory, fail over, or go away.

use super::support::*;
use crate::planner::Mutants;
use crate::protocol::{Op, Phase};
use crate::share::Share;
use crate::store::Table;
use breakerbox::State;

#[test]
fn lost_opening_is_restored() {
    let mut world = World::new(3, Share::quorum(2));
    world.trip(0);
    world.trip(1);
    world.run(secs(5));
    let left = world.record().left;
    world.table = Table::default();
    world.run(secs(8));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.states(), [State::Open; 3]);
    // What is left, and not the full duration.
    let restored = world.record().left;
    assert!(restored + secs(7) <= left, "{restored:?} of {left:?}");
    assert_eq!(world.record().why, "consecutive");
}

#[test]
fn opening_of_a_crashed_owner_is_restored_by_another_node() {
    let mut world = World::new(3, Share::quorum(2));
    world.trip(0);
    world.trip(1);
    world.run(ms(100));
    let owner = usize::from(world.record().by == "node-1-1");
    world.nodes.remove(owner);
    world.table = Table::default();
    world.run(secs(8));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.count(|op| matches!(op, Op::Restore { .. })), 1);
}

#[test]
fn recovery_without_the_store_closes_the_fleet_later() {
    let mut world = World::new(4, Share::always());
    world.open_all();
    world.available = false;
    world.run(secs(34));
    assert!(world.nodes[0].succeed() && world.nodes[1].succeed());
    world.available = true;
    world.run(ms(20));
    assert_eq!(world.states()[2..], [State::Open; 2]);
    world.run(secs(1));
    assert_eq!(world.phase(), Phase::Closed);
    assert_eq!(world.states(), [State::Closed; 4]);
}

#[test]
fn recovery_without_the_store_does_not_overrule_a_new_opening() {
    let mut world = World::new(2, Share::always());
    world.open_all();
    world.available = false;
    world.run(secs(34));
    assert!(world.nodes[0].succeed());
    // Meanwhile, the circuit opens again elsewhere.
    let now = world.server_now();
    let version = now.0;
    let until = now.after(secs(20));
    let text = format!("{version} o {until} 20000000 1 node-9-1 rate - 0 0 0 0 -");
    world
        .table
        .put(NAME, &text, crate::protocol::Version(version));
    world.table.set_head(crate::protocol::Version(version));
    world.available = true;
    world.run(secs(2));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.states(), [State::Open; 2]);
}

#[test]
fn idle_circuit_of_a_lost_record_half_opens_by_time() {
    let mut world = World::new(2, Share::always());
    world.open_all();
    world.run(secs(60));
    assert_eq!(world.states(), [State::Open; 2]);
    world.table = Table::default();
    world.run(secs(20));
    assert_eq!(world.states(), [State::HalfOpen; 2]);
    assert!(world.nodes[1].succeed());
    world.run(secs(6));
    assert_eq!(world.states(), [State::HalfOpen, State::Closed]);
}

#[test]
fn absent_record_closes_nothing() {
    for (close_on_absent, state) in [(false, State::Open), (true, State::Closed)] {
        let mutants = Mutants {
            close_on_absent,
            ..Mutants::default()
        };
        let mut world = World::with(1, Share::always(), mutants, |builder| builder);
        world.trip(0);
        world.run(ms(100));
        world.table = Table::default();
        world.run(secs(7));
        assert_eq!(world.state(0), state);
    }
}

#[test]
fn lease_survives_a_lost_record() {
    let mut world = World::new(2, Share::always());
    world.open_all();
    world.run(secs(31));
    world.nodes[0].succeed();
    world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
    let trial = world.nodes[0].breaker.try_acquire().unwrap();
    world.table = Table::default();
    world.run(secs(6));
    assert_eq!(world.phase(), Phase::Leased);
    assert_eq!(world.states(), [State::HalfOpen, State::Open]);
    trial.success();
    world.run(secs(1));
    assert_eq!(world.states(), [State::Closed; 2]);
}

#[test]
fn votes_are_sent_again_to_a_store_without_memory() {
    let mut world = World::new(3, Share::quorum(2));
    world.trip(0);
    world.run(ms(100));
    world.table = Table::default();
    // Another circuit moves the head of the new store. Nothing else shows that it is new.
    world.available = false;
    world.run(ms(50));
    world.available = true;
    world.run(ms(100));
    world.trip(1);
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.state(2), State::Open);
}

#[test]
fn failover_to_an_older_snapshot_is_believed() {
    let mut world = World::new(2, Share::always());
    world.run(secs(1));
    let snapshot = world.table.clone();
    world.open_all();
    world.table = snapshot;
    world.available = false;
    world.run(ms(50));
    world.available = true;
    world.run(secs(3));
    // The owner restores the opening that the snapshot lacks.
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.states(), [State::Open; 2]);
}

#[test]
fn store_away_is_as_no_fleet() {
    let mut world = World::new(2, Share::quorum(2));
    world.available = false;
    world.run(ms(50));
    let alone = World::new(1, Share::local());
    let mut alone = alone;
    alone.run(ms(50));
    world.trip(0);
    alone.trip(0);
    for _ in 0..400 {
        world.run(ms(250));
        alone.run(ms(250));
        assert_eq!(world.state(0), alone.state(0));
        if world.state(0) == State::HalfOpen {
            world.nodes[0].succeed();
            alone.nodes[0].succeed();
        }
    }
    assert_eq!(world.states(), [State::Closed; 2]);
}

#[test]
fn store_lost_in_an_outage_strands_no_circuit() {
    for (no_dead_mans_switch, recovers) in [(false, true), (true, false)] {
        let mutants = Mutants {
            no_dead_mans_switch,
            ..Mutants::default()
        };
        let mut world = World::with(4, Share::always(), mutants, |builder| builder);
        world.open_all();
        world.available = false;
        for _ in 0..80 {
            world.run(ms(500));
            for node in &world.nodes {
                node.succeed();
            }
        }
        let all_closed = world.states().iter().all(|state| *state == State::Closed);
        assert_eq!(all_closed, recovers);
    }
}

#[test]
fn fleet_agrees_after_a_partition() {
    let mut world = World::new(3, Share::always());
    world.open_all();
    world.run(secs(31));
    world.nodes[0].succeed();
    world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
    // The others miss the close.
    world.drops_messages = true;
    world.nodes[0].succeed();
    world.run(secs(6));
    assert_eq!(world.states(), [State::Closed; 3]);
}
