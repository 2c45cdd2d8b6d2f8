//! Openings and votes.

use super::support::*;
use crate::planner::Mutants;
use crate::protocol::{Op, Phase, Why};
use crate::share::Share;
use breakerbox::{CircuitBreaker, Outcome, State, TripRule, Window};

fn is_trip(op: &Op) -> bool {
    matches!(op, Op::Trip { .. })
}

#[test]
fn quorum_of_two_needs_two_nodes() {
    let mut world = World::new(3, Share::quorum(2));
    world.trip(0);
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Votes);
    assert_eq!(world.states(), [State::Open, State::Closed, State::Closed]);
    world.trip(1);
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.states(), [State::Open; 3]);
    assert_eq!(world.record().why, Why::Consecutive.code());
}

#[test]
fn circuit_below_quorum_keeps_its_own_deadline() {
    let mut world = World::new(2, Share::quorum(2));
    world.trip(0);
    world.run(ms(100));
    let left = world.nodes[0].remaining();
    assert!(left > ms(29_890) && left <= ms(29_900), "{left:?}");
    world.run(secs(30));
    assert_eq!(world.state(0), State::HalfOpen);
    assert!(world.nodes[0].succeed());
    world.run(ms(100));
    assert_eq!(world.state(0), State::Closed);
    // The vote was withdrawn, and no lease was needed.
    assert_eq!(world.phase(), Phase::Absent);
    assert_eq!(world.count(|op| matches!(op, Op::Lease { .. })), 0);
}

#[test]
fn votes_of_nodes_that_trip_apart_reach_a_quorum() {
    let mut world = World::new(3, Share::quorum(2));
    world.trip(0);
    // Longer than the shortest life of a vote. The circuit of the voter is still open.
    world.run(secs(20));
    world.trip(1);
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.state(2), State::Open);
}

#[test]
fn vote_of_closed_circuit_does_not_count() {
    for (no_unvote, third) in [(false, State::Closed), (true, State::Open)] {
        let mutants = Mutants {
            no_unvote,
            ..Mutants::default()
        };
        let mut world = World::with(3, Share::quorum(2), mutants, |builder| builder);
        world.trip(0);
        world.run(ms(100));
        world.nodes[0].breaker.reset();
        world.run(ms(100));
        world.trip(1);
        world.run(ms(100));
        assert_eq!(world.state(2), third);
    }
}

#[test]
fn only_node_of_a_minute_needs_no_quorum() {
    let mut world = World::new(1, Share::quorum(2));
    world.run(secs(50));
    world.trip(0);
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Votes);
    world.nodes[0].breaker.reset();
    world.run(secs(20));
    world.trip(0);
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Open);
}

#[test]
fn linked_opening_lasts_a_grace_longer_than_the_fleet() {
    let mut world = World::new(1, Share::always());
    world.trip(0);
    world.run(ms(50));
    let left = world.nodes[0].remaining();
    assert!(left > secs(32), "{left:?}");
}

#[test]
fn opening_without_store_is_not_extended() {
    let mut world = World::new(1, Share::always());
    world.available = false;
    world.run(ms(50));
    world.trip(0);
    world.run(secs(10));
    let left = world.nodes[0].remaining();
    assert_eq!(left, ms(20_000));
    world.run(secs(20));
    assert_eq!(world.state(0), State::HalfOpen);
}

#[test]
fn opening_without_store_is_reported_later() {
    let mut world = World::new(2, Share::always());
    world.available = false;
    world.trip(0);
    world.run(secs(5));
    world.available = true;
    world.run(ms(200));
    assert_eq!(world.states(), [State::Open; 2]);
    let left = world.record().left;
    assert!(left <= secs(25) && left > secs(24), "{left:?}");
}

/// Opens node 0 just before the fleet closes, as the store sees it.
fn trip_before_close(world: &mut World) {
    let version = world.table.head();
    world.nodes[0].fail();
    world.advance(ms(20));
    let closed_at = world.server_now().before(ms(10));
    let text = format!("{version} c 0 0 0 node-1-1 succeeded - 0 0 {closed_at} 0 -");
    world.table.put(NAME, &text, version);
    world.turn();
    world.run(ms(100));
}

#[test]
fn stale_trip_closes_circuit_once_per_close() {
    for (always_close_on_stale, second) in [(false, State::Open), (true, State::Closed)] {
        let mutants = Mutants {
            always_close_on_stale,
            ..Mutants::default()
        };
        let mut world = World::with(1, Share::always(), mutants, |builder| builder);
        world.run(ms(100));
        let other = world.nodes[0].registry.breaker("other");
        for _ in 0..5 {
            other.try_acquire().unwrap().failure();
        }
        world.run(ms(100));
        trip_before_close(&mut world);
        assert_eq!(world.state(0), State::Closed);
        trip_before_close(&mut world);
        assert_eq!(world.state(0), second);
        assert_eq!(world.nodes[0].planner.counters().stale, 2);
        world.run(secs(5));
        assert_eq!(world.state(0), second);
    }
}

#[test]
fn close_in_the_future_rejects_no_trip() {
    let mut world = World::new(1, Share::always());
    let version = world.table.head();
    let text = format!(
        "{} c 0 0 0 node-1-1 succeeded - 0 0 9007199254740991 0 -",
        version.0 + 1
    );
    world.table.put(NAME, &text, version);
    world.trip(0);
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.state(0), State::Open);
}

#[test]
fn hint_of_another_node_lengthens_only_its_own_deadline() {
    let mut world = World::new(2, Share::always());
    let late = world.nodes[1].breaker.try_acquire().unwrap();
    world.open_all();
    late.record(Outcome::TripFor(secs(300)));
    world.run(ms(100));
    assert!(world.record().left < secs(31));
    assert!(world.nodes[1].remaining() > secs(290));
    // A close of the fleet does not end what the hint asked for.
    world.run(secs(31));
    world.nodes[0].succeed();
    world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
    world.nodes[0].succeed();
    world.run(secs(1));
    assert_eq!(world.states(), [State::Closed, State::Open]);
}

#[test]
fn hint_of_the_opener_lengthens_the_fleet() {
    let mut world = World::new(2, Share::always());
    let late = world.nodes[0].breaker.try_acquire().unwrap();
    world.open_all();
    late.record(Outcome::TripFor(secs(120)));
    world.run(ms(100));
    let left = world.record().left;
    assert!(left > secs(115), "{left:?}");
    assert!(world.nodes[1].remaining() > secs(118));
}

#[test]
fn owner_stays_open_beyond_the_longest_record() {
    let mut world = World::with(2, Share::quorum(2), Mutants::default(), |builder| {
        let long = CircuitBreaker::builder().recovery_timeout(secs(900));
        builder.default_preset(long)
    });
    world.trip(0);
    world.trip(1);
    world.run(ms(100));
    let left = world.record().left;
    assert!(left <= secs(600), "{left:?}");
    let owner = usize::from(world.record().by == "node-1-1");
    world.run(secs(601));
    // Announced again as a vote. The owner asks for no lease, and the other node tries.
    assert_eq!(world.state(owner), State::Open);
    assert!(!world.nodes[owner].succeed());
    world.run(secs(2));
    assert!(
        !world
            .log
            .iter()
            .any(|(node, op)| *node == owner && matches!(op, Op::Lease { .. }))
    );
    let trips = world
        .log
        .iter()
        .filter(|(node, op)| *node == owner && is_trip(op));
    assert!(trips.count() >= 2);
    assert!(world.nodes[owner].remaining() > secs(290));
}

#[test]
fn adopted_opening_is_never_reported() {
    for republish_adopted in [false, true] {
        let mutants = Mutants {
            republish_adopted,
            ..Mutants::default()
        };
        let mut world = World::with(3, Share::always(), mutants, |builder| builder);
        world.open_all();
        world.run(secs(40));
        let by_others = world
            .log
            .iter()
            .filter(|(node, op)| *node != 0 && is_trip(op));
        assert_eq!(by_others.count() > 0, republish_adopted);
    }
}

#[test]
fn trip_of_a_paused_node_does_not_reopen_the_fleet() {
    for (trip_at_sending, phase) in [(false, Phase::Closed), (true, Phase::Open)] {
        let mutants = Mutants {
            trip_at_sending,
            ..Mutants::default()
        };
        let mut world = World::with(2, Share::always(), mutants, |builder| builder);
        world.run(secs(6));
        // The node opens, and is paused before its task runs. Its monotonic clock stands still.
        world.nodes[1].fail();
        world.nodes[1].frozen = true;
        world.drops_messages = true;
        world.trip(0);
        world.run(secs(31));
        world.nodes[0].succeed();
        world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
        world.nodes[0].succeed();
        world.run(secs(1));
        assert_eq!(world.phase(), Phase::Closed);
        world.nodes[1].frozen = false;
        world.drops_messages = false;
        world.turn();
        assert_eq!(world.phase(), phase);
        assert_eq!(world.count(is_trip), 2);
        world.run(secs(1));
        let state = if trip_at_sending {
            State::Open
        } else {
            State::Closed
        };
        assert_eq!(world.states(), [state; 2]);
    }
}

#[test]
fn observer_reports_but_follows_nothing() {
    let mut world = World::new(3, Share::observe());
    world.trip(0);
    world.trip(1);
    world.run(ms(100));
    // Two observers reach the quorum of their reports. The third one reports what it ignored.
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.states(), [State::Open, State::Open, State::Closed]);
    assert_eq!(world.nodes[2].planner.counters().ignored, 1);
    let left = world.nodes[0].remaining();
    assert!(left <= secs(30), "{left:?}");
    world.run(secs(30));
    assert_eq!(world.state(0), State::HalfOpen);
    assert_eq!(world.count(|op| matches!(op, Op::Lease { .. })), 0);
}

#[test]
fn local_circuit_sends_and_follows_nothing() {
    let mut world = World::new(2, Share::local());
    world.trip(0);
    world.run(secs(5));
    assert_eq!(world.count(|_| true), 0);
    assert_eq!(world.states(), [State::Open, State::Closed]);
}

#[test]
fn circuit_with_evidence_follows() {
    let rule = || {
        let window = Window::calls(10);
        CircuitBreaker::builder().trip_when(TripRule::failures(5).over(window))
    };
    let mut world = World::with(2, Share::with_evidence(2), Mutants::default(), |builder| {
        builder.default_preset(rule())
    });
    world.trip(0);
    world.run(ms(300));
    assert_eq!(world.states(), [State::Open, State::Closed]);
    for _ in 0..2 {
        world.nodes[1].breaker.try_acquire().unwrap().failure();
    }
    world.run(ms(300));
    assert_eq!(world.states(), [State::Open; 2]);
}
