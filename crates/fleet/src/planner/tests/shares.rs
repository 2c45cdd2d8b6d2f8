//! The setting `fleet` of breakers.

use super::support::*;
use crate::planner::Mutants;
use crate::protocol::{Op, Phase};
use crate::share::Share;
use breakerbox::{BreakerBuilder, CircuitBreaker, State};

fn shared(share: Share) -> BreakerBuilder {
    CircuitBreaker::builder().fleet(share)
}

/// A fleet with this policy, whose breakers have a setting of their own.
fn world(nodes: usize, fleet: Share, own: Share) -> World {
    World::with(nodes, fleet, Mutants::default(), |builder| {
        builder.preset_for("users", shared(own))
    })
}

fn configure(world: &mut World, node: usize, settings: BreakerBuilder) {
    world.nodes[node]
        .registry
        .configure(NAME, settings)
        .unwrap();
    world.turn();
}

#[test]
fn local_breaker_of_shared_fleet_sends_and_follows_nothing() {
    let mut world = world(2, Share::always(), Share::local());
    configure(&mut world, 1, shared(Share::always()));
    world.trip(0);
    world.run(secs(5));
    assert_eq!(world.count(|_| true), 0);
    assert_eq!(world.states(), [State::Open, State::Closed]);
    configure(&mut world, 0, CircuitBreaker::builder().inherit());
    world.nodes[0].breaker.reset();
    world.trip(1);
    world.run(secs(5));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.states(), [State::Closed, State::Open]);
    assert_eq!(world.nodes[0].planner.sizes(), (0, 0, 0));
}

#[test]
fn shared_breaker_of_local_fleet_opens_everywhere() {
    let mut world = world(3, Share::local(), Share::always());
    world.open_all();
}

#[test]
fn open_circuit_is_reported_when_it_becomes_shared() {
    let mut world = World::new(2, Share::local());
    for node in 0..2 {
        world.trip(node);
    }
    world.run(secs(1));
    assert_eq!(world.count(|_| true), 0);
    for node in 0..2 {
        configure(&mut world, node, shared(Share::quorum(2)));
    }
    world.run(ms(300));
    assert_eq!(world.phase(), Phase::Open);
}

#[test]
fn follower_that_becomes_local_half_opens_by_time() {
    let mut world = World::new(2, Share::always());
    world.open_all();
    let remaining = world.nodes[1].remaining();
    configure(&mut world, 1, shared(Share::local()));
    assert_eq!(world.nodes[1].remaining(), remaining);
    assert_eq!(world.nodes[1].planner.sizes(), (0, 0, 0));
    world.run(remaining + ms(10));
    assert_eq!(world.state(1), State::HalfOpen);
    assert!(world.nodes[1].succeed());
    world.run(secs(1));
    assert_eq!(world.state(1), State::Closed, "the trials are local");
    let is_of_follower = |(node, op): &&(usize, Op)| *node == 1 && !matches!(op, Op::Trip { .. });
    assert_eq!(world.log.iter().find(is_of_follower), None);
}

#[test]
fn vote_is_withdrawn_when_circuit_becomes_local() {
    let mut world = World::new(3, Share::quorum(2));
    world.trip(0);
    world.run(ms(300));
    assert_eq!(world.count(|op| matches!(op, Op::Trip { .. })), 1);
    configure(&mut world, 0, shared(Share::local()));
    world.run(ms(300));
    assert_eq!(world.count(|op| matches!(op, Op::Unvote { .. })), 1);
    world.trip(1);
    world.run(ms(300));
    assert_ne!(world.phase(), Phase::Open, "one vote is left");
    assert_eq!(world.nodes[0].planner.sizes(), (0, 0, 0));
}

#[test]
fn vote_is_sent_again_with_changed_quorum() {
    let mut world = World::new(3, Share::quorum(3));
    world.trip(0);
    world.run(ms(300));
    assert_ne!(world.phase(), Phase::Open);
    configure(&mut world, 0, shared(Share::always()));
    world.run(ms(300));
    assert_eq!(world.phase(), Phase::Open);
}

#[test]
fn lease_is_given_back_when_circuit_becomes_local() {
    let mut world = World::new(2, Share::always());
    world.open_all();
    let _ = world.nodes[0].breaker.try_acquire();
    world.run_until(secs(60), |world| {
        let _ = world.nodes[0].breaker.try_acquire().map(drop);
        world.nodes[0].planner.sizes().2 == 1
    });
    configure(&mut world, 0, shared(Share::local()));
    world.run(ms(300));
    assert_eq!(world.count(|op| matches!(op, Op::Yield { .. })), 1);
    assert_eq!(world.nodes[0].planner.sizes(), (0, 0, 0));
    assert_eq!(world.state(0), State::HalfOpen);
    assert!(world.nodes[0].succeed());
    world.run(ms(300));
    assert_eq!(world.state(0), State::Closed, "the trials are local");
    assert_eq!(world.state(1), State::Open);
}
