//! Votes: whose count, and for how long.

use super::{SECOND, Setup};
use crate::fault::Fault;
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation};
use breakerbox::{Outcome as Call, State};
use breakerbox_fleet::protocol::Phase;

/// Circuits that open 20 s apart, for 30 s each, form a quorum.
pub fn vote_lives_while_its_circuit_is_open(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(4, Sharing::Quorum(2));
    (plan.circuits[0].first, plan.circuits[0].longest) = (30 * SECOND, 30 * SECOND);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(20 * SECOND).await;
        fleet.expect(fleet.phase().0 == Phase::Votes, "one trip is a vote");
        fleet.trip(1);
        fleet.run_for(SECOND).await;
        fleet.expect(
            fleet.phase().0 == Phase::Open,
            "the second trip opens the circuit",
        );
        fleet.expect(fleet.all_are(State::Open), "all nodes follow");
    })
}

/// A circuit that has closed votes no more.
pub fn closed_circuit_withdraws_its_vote(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(5 * SECOND + SECOND / 10).await;
        fleet.expect(
            fleet.call(0, Call::Success),
            "the circuit of a voter recovers locally",
        );
        fleet.run_ms(200).await;
        fleet.trip(1);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.phase().0 != Phase::Open, "the second trip is alone");
        fleet.expect(fleet.state(2) == State::Closed, "no other circuit opens");
    })
}

/// An opening uses up the votes that caused it.
pub fn opening_deletes_all_votes(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(4, Sharing::Quorum(2));
    plan.circuits[0].window = Some(30 * SECOND);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_ms(200).await;
        fleet.trip(1);
        fleet.run_for(SECOND).await;
        fleet.expect(
            fleet.phase().0 == Phase::Open,
            "the quorum opens the circuit",
        );
        fleet.run_for(6 * SECOND).await;
        // A command closes the circuit of one node, which trips again.
        fleet.breaker(2).reset();
        fleet.run_ms(200).await;
        fleet.trip(2);
        fleet.run_for(SECOND).await;
        let (phase, left) = fleet.phase();
        let is_opened = phase == Phase::Open && !left.is_zero();
        fleet.expect(!is_opened, "the trip of one node is a vote");
    })
}

/// The trip of one node opens no circuit of another.
pub fn one_bad_node_opens_no_other_circuit(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        for _ in 0..8 {
            fleet.trip(0);
            fleet.run_for(8 * SECOND).await;
            fleet.expect(fleet.state(1) == State::Closed, "the others stay closed");
            fleet.call(0, Call::Failure);
        }
    })
}

/// Two instances of one node are one fault domain, and hear of each other.
pub fn instances_of_one_node_have_one_vote(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(3, Sharing::Quorum(2));
    plan.one_label = true;
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.trip(1);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.phase().0 == Phase::Votes, "both have one vote");
        // Full pulls list the instances. The first one may come before the others have connected.
        fleet.run_for(65 * SECOND).await;
        let status = fleet.status(0);
        fleet.expect(!status.namesakes.is_empty(), "the status lists the others");
    })
}

/// Instances of one node follow each other.
pub fn instances_of_one_node_hear_of_each_other(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(3, Sharing::Always);
    plan.one_label = true;
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.all_are(State::Open), "all instances follow");
    })
}

/// Votes for names that are never called again leave the store.
pub fn votes_for_forgotten_names_leave_the_store(setup: Setup) -> Outcome {
    let plan = setup.quiet(2, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        for number in 0..200 {
            let breaker = fleet.registry(0).breaker(format!("tenant-{number}"));
            for _ in 0..5 {
                if let Ok(permit) = breaker.try_acquire() {
                    permit.failure();
                }
            }
        }
        fleet.run_for(2 * SECOND).await;
        fleet.expect(fleet.records() == 200, "each name has a record");
        fleet.inject(Fault::Crash(0)).await;
        fleet.run_for(120 * SECOND).await;
        fleet.expect(fleet.records() == 0, "no record is left");
    })
}
