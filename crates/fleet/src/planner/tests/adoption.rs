//! Following the fleet, and local commands.

use super::support::*;
use crate::event::FleetEvent;
use crate::planner::Mutants;
use crate::protocol::{Message, Op, Phase, RecordView, Version};
use crate::share::Share;
use breakerbox::{Cause, Event, State};

fn opening(world: &World, version: u64, left: std::time::Duration) -> RecordView {
    RecordView {
        name: NAME.into(),
        version: Version(world.server_now().0 + version),
        phase: Phase::Open,
        left,
        attempt: 2,
        by: "stranger-1".into(),
        why: "rate".into(),
        wanted: false,
    }
}

fn message(previous: Version, record: RecordView) -> Message {
    Message {
        previous,
        version: record.version,
        instance: "stranger-1".into(),
        has_commands: false,
        records: vec![record],
    }
}

#[test]
fn closed_circuit_opens_for_the_rest_and_a_grace() {
    let mut world = World::new(1, Share::quorum(2));
    let now = world.now();
    let message = message(world.table.head(), opening(&world, 0, secs(20)));
    world.nodes[0].told(&message, now);
    assert_eq!(world.nodes[0].remaining(), secs(23));
    let snapshot = world.nodes[0].breaker.snapshot();
    assert_eq!(snapshot.state, State::Open);
    let events = world.nodes[0].planner.take_events();
    assert!(
        matches!(&events[..], [FleetEvent::Adopted { opened: true, by, .. }] if &**by == "stranger-1")
    );
}

#[test]
fn closed_circuit_never_follows_an_ended_opening() {
    for (adopt_ended, state) in [(false, State::Closed), (true, State::Open)] {
        let mutants = Mutants {
            adopt_ended,
            ..Mutants::default()
        };
        let mut world = World::with(1, Share::always(), mutants, |builder| builder);
        let now = world.now();
        let message = message(world.table.head(), opening(&world, 0, ms(0)));
        world.nodes[0].told(&message, now);
        assert_eq!(world.state(0), state);
    }
}

#[test]
fn late_joiner_follows_a_lease_for_the_rest_of_it() {
    let mut world = World::new(1, Share::always());
    let now = world.now();
    let leased = RecordView {
        phase: Phase::Leased,
        ..opening(&world, 0, ms(1_200))
    };
    world.nodes[0].told(&message(world.table.head(), leased), now);
    assert_eq!(world.state(0), State::Open);
    assert_eq!(world.nodes[0].remaining(), ms(4_200));
}

#[test]
fn older_record_is_ignored() {
    for (ignore_versions, state) in [(false, State::Closed), (true, State::Open)] {
        let mutants = Mutants {
            ignore_versions,
            ..Mutants::default()
        };
        let mut world = World::with(1, Share::always(), mutants, |builder| builder);
        world.run(secs(1));
        let now = world.now();
        let closed = RecordView {
            phase: Phase::Closed,
            ..opening(&world, 100, ms(0))
        };
        let late = opening(&world, 50, secs(20));
        let head = world.table.head();
        world.nodes[0].told(&message(head, closed.clone()), now);
        world.nodes[0].told(&message(closed.version, late), now);
        assert_eq!(world.state(0), state);
        let refused = world.nodes[0].planner.counters().refused_records;
        assert_eq!(refused, u64::from(!ignore_versions));
    }
}

#[test]
fn record_two_hours_ahead_is_ignored() {
    let mut world = World::new(1, Share::always());
    let now = world.now();
    let record = opening(&world, 7_200_000_000, secs(20));
    world.nodes[0].told(&message(world.table.head(), record), now);
    assert_eq!(world.state(0), State::Closed);
}

#[test]
fn opening_is_limited_to_the_longest_open_period() {
    let mut world = World::new(1, Share::always());
    let now = world.now();
    let record = opening(&world, 0, secs(1_000_000));
    world.nodes[0].told(&message(world.table.head(), record), now);
    assert_eq!(world.nodes[0].remaining(), secs(603));
}

#[test]
fn breaker_created_later_follows() {
    let mut world = World::new(2, Share::always());
    let users = world.nodes[0].registry.breaker("payments");
    for _ in 0..5 {
        users.try_acquire().unwrap().failure();
    }
    world.run(ms(100));
    let late = world.nodes[1].registry.breaker("payments");
    assert_eq!(late.state(), State::Closed);
    world.turn();
    assert_eq!(late.state(), State::Open);
}

#[test]
fn reset_is_not_undone_by_the_same_record() {
    for (override_commands, state) in [(false, State::Closed), (true, State::Open)] {
        let mutants = Mutants {
            override_commands,
            ..Mutants::default()
        };
        let mut world = World::with(2, Share::always(), mutants, |builder| builder);
        world.open_all();
        world.nodes[1].breaker.reset();
        // Longer than the time between full pulls would be; the record lasts 30 s.
        world.run(secs(20));
        assert_eq!(world.state(1), state);
        assert_eq!(world.state(0), State::Open);
    }
}

#[test]
fn reset_does_not_hold_against_a_newer_record() {
    let mut world = World::new(3, Share::always());
    world.open_all();
    world.nodes[1].breaker.reset();
    world.run(secs(31));
    assert_eq!(world.state(1), State::Closed);
    world.nodes[0].succeed();
    world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
    world.nodes[0].breaker.try_acquire().unwrap().failure();
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Open);
    assert_eq!(world.state(1), State::Open);
}

#[test]
fn commands_stay_local() {
    let mut world = World::new(2, Share::always());
    world.nodes[0].breaker.trip_for(secs(3_600));
    world.run(ms(100));
    assert_eq!(world.count(|_| true), 0);
    assert_eq!(world.states(), [State::Open, State::Closed]);
    // The fleet opens and closes. The command holds.
    world.trip(1);
    world.run(secs(31));
    world.nodes[1].succeed();
    world.run_until(secs(2), |world| world.state(1) == State::HalfOpen);
    world.nodes[1].succeed();
    world.run(secs(1));
    assert_eq!(world.states(), [State::Open, State::Closed]);
    assert!(world.nodes[0].remaining() > secs(3_500));
}

#[test]
fn special_states_are_left_alone() {
    let mut world = World::new(4, Share::always());
    world.nodes[1].breaker.force_open();
    world.nodes[2].breaker.disable();
    world.nodes[3].breaker.metrics_only();
    let mut would_trip = 0;
    let mut stream = world.nodes[3].breaker.subscribe_changes();
    world.trip(0);
    world.run(secs(1));
    let special = [
        State::Open,
        State::ForcedOpen,
        State::Disabled,
        State::MetricsOnly,
    ];
    assert_eq!(world.states(), special);
    while let Some(event) = stream.try_next() {
        if let Event::WouldTrip {
            cause: Cause::Fleet { .. },
            ..
        } = event
        {
            would_trip += 1;
        }
    }
    assert_eq!(would_trip, 1);
    world.run(secs(31));
    world.nodes[0].succeed();
    world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
    world.nodes[0].succeed();
    world.run(secs(1));
    assert_eq!(world.states()[1..], special[1..]);
}

#[test]
fn close_is_spread_and_follows_only_openings_of_the_fleet() {
    let mut world = World::new(12, Share::always());
    world.open_all();
    world.run(secs(31));
    world.nodes[0].succeed();
    world.run_until(secs(2), |world| world.state(0) == State::HalfOpen);
    world.nodes[0].succeed();
    world.turn();
    let closed = |world: &World| {
        let states = world.states();
        states
            .iter()
            .filter(|state| **state == State::Closed)
            .count()
    };
    assert!(closed(&world) < 12);
    world.run(ms(150));
    let half_way = closed(&world);
    assert!((2..12).contains(&half_way), "{half_way}");
    // The batch of the verdict may wait for 50 ms.
    world.run(ms(210));
    assert_eq!(closed(&world), 12);
}

#[test]
fn lost_message_is_found_by_a_pull() {
    let mut world = World::new(2, Share::always());
    world.drops_messages = true;
    world.trip(0);
    world.run(secs(6));
    assert_eq!(world.states(), [State::Open; 2]);
}

#[test]
fn gap_in_the_chain_is_pulled_at_once() {
    let mut world = World::new(2, Share::always());
    world.drops_messages = true;
    world.trip(0);
    world.run(ms(60));
    assert_eq!(world.state(1), State::Closed);
    world.drops_messages = false;
    let other = world.nodes[0].registry.breaker("other");
    for _ in 0..5 {
        other.try_acquire().unwrap().failure();
    }
    world.run(ms(200));
    assert_eq!(world.state(1), State::Open);
    assert_eq!(world.nodes[1].planner.counters().gaps, 1);
}

#[test]
fn foreign_names_are_bounded() {
    let mut world = World::new(1, Share::always());
    let now = world.now();
    let mut previous = world.table.head();
    for batch in 0..110_u64 {
        let mut records = Vec::new();
        for index in 0..100 {
            records.push(RecordView {
                name: format!("tenant-{batch}-{index}"),
                ..opening(&world, batch * 100 + index, secs(20))
            });
        }
        let version = records[99].version;
        let message = Message {
            previous,
            version,
            instance: "stranger-1".into(),
            has_commands: false,
            records,
        };
        previous = version;
        world.nodes[0].told(&message, now + ms(batch));
    }
    let (known, _, _) = world.nodes[0].planner.sizes();
    assert!(known <= 10_001, "{known}");
    assert_eq!(world.nodes[0].planner.counters().forgotten, 1_000);
    let kept = world.nodes[0].registry.breaker("tenant-109-99");
    let forgotten = world.nodes[0].registry.breaker("tenant-0-0");
    world.turn();
    assert_eq!(
        (kept.state(), forgotten.state()),
        (State::Open, State::Closed)
    );
}

#[test]
fn removed_breaker_withdraws_its_vote() {
    let mut world = World::new(2, Share::quorum(2));
    world.trip(0);
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Votes);
    assert!(world.nodes[0].registry.remove(NAME).is_some());
    world.run(ms(100));
    assert_eq!(world.phase(), Phase::Absent);
    assert_eq!(world.count(|op| matches!(op, Op::Unvote { .. })), 1);
}

#[test]
fn circuit_that_was_reset_long_ago_follows() {
    let mut world = World::new(2, Share::always());
    world.nodes[1].breaker.because("a test").reset();
    world.run(secs(1));
    world.open_all();
}
