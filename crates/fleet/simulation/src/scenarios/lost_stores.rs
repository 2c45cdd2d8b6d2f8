//! Stores that have lost their memory, or are away.

use super::{SECOND, Setup};
use crate::dependency::Manner;
use crate::fault::Fault;
use crate::plan::Plan;
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation};
use breakerbox::{Outcome as Call, State};
use breakerbox_fleet::protocol::Phase;

/// A flushed store gets its open records back, with the time that is left.
pub fn flushed_store_closes_no_circuit(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(6, Sharing::Quorum(2));
    (plan.circuits[0].first, plan.circuits[0].longest) = (100 * SECOND, 100 * SECOND);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.trip(1);
        fleet.run_for(2 * SECOND).await;
        fleet.expect(fleet.all_are(State::Open), "all circuits are open");
        fleet.inject(Fault::Flush).await;
        // A new connection pulls everything, and finds the loss at once.
        fleet.inject(Fault::KillAll).await;
        fleet.run_for(8 * SECOND).await;
        let (phase, left) = fleet.phase();
        fleet.expect(phase == Phase::Open, "the record is open again");
        fleet.expect(
            left > 85 * SECOND && left < 92 * SECOND,
            "the record has the time that is left",
        );
        fleet.expect(fleet.all_are(State::Open), "no circuit has closed");
        fleet.run_for(70 * SECOND).await;
        fleet.expect(fleet.all_are(State::Open), "no full pull closes a circuit");
    })
}

/// The owner of a lost record is gone. The nodes that followed it return the record.
pub fn followers_restore_the_record_of_a_dead_owner(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(4, Sharing::Always);
    (plan.circuits[0].first, plan.circuits[0].longest) = (100 * SECOND, 100 * SECOND);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.inject(Fault::Crash(0)).await;
        fleet.inject(Fault::Flush).await;
        fleet.inject(Fault::KillAll).await;
        fleet.run_for(8 * SECOND).await;
        fleet.expect(
            fleet.phase().0 == Phase::Open,
            "a follower has returned the record",
        );
        fleet.inject(Fault::Start(0)).await;
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.all_are(State::Open), "a late joiner follows");
    })
}

/// The record is lost after its open period: the first call gets the lease, and its verdict counts.
pub fn lease_and_verdict_on_lost_record_count(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.trip(1);
        fleet.run_for(6 * SECOND).await;
        fleet.inject(Fault::Flush).await;
        fleet.run_ms(200).await;
        fleet.expect(!fleet.call(2, Call::Success), "the first call is refused");
        // Some nodes ask at this time, and one of them has a permit while the store is flushed again.
        let mut permit = None;
        for _ in 0..300 {
            permit = fleet.admit(2);
            if permit.is_some() {
                break;
            }
            fleet.run_ms(10).await;
        }
        fleet.expect(permit.is_some(), "the lease of a lost record is granted");
        fleet.inject(Fault::Flush).await;
        fleet.run_ms(100).await;
        if let Some(permit) = permit {
            permit.success();
        }
        fleet.run_for(2 * SECOND).await;
        fleet.expect(
            fleet.phase().0 == Phase::Closed,
            "the verdict on a lost record counts",
        );
        fleet.expect(fleet.all_are(State::Closed), "all circuits are closed");
    })
}

/// The store goes away during an outage and never returns. Each circuit recovers by time alone.
pub fn circuits_recover_when_the_store_is_gone(setup: Setup) -> Outcome {
    let mut plan = Plan::quiet(setup.seed, 6, 120);
    plan.is_traced = setup.is_traced;
    plan.circuits[0] = plan.circuits[0].clone().outage(5, 40, Manner::Fails);
    let at = 10 * SECOND;
    plan.faults.push((at, Fault::StoreAway));
    let plan = setup
        .mutant
        .map_or(plan.clone(), |mutant| mutant.apply(plan));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.run_plan().await;
        fleet.expect(fleet.all_are(State::Closed), "all circuits have recovered");
    })
}

/// A single node decides alone after a minute without other nodes, and not before.
pub fn lone_node_opens_after_a_minute(setup: Setup) -> Outcome {
    let plan = setup.quiet(1, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.run_for(20 * SECOND).await;
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.phase().0 == Phase::Votes, "an early trip is a vote");
        fleet.run_for(20 * SECOND).await;
        fleet.call(0, Call::Success);
        fleet.expect(
            fleet.state(0) == State::Closed,
            "the circuit recovers locally",
        );
        fleet.run_for(30 * SECOND).await;
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.phase().0 == Phase::Open, "a late trip opens");
    })
}

/// A store that was just flushed has seen one node only. That node does not decide alone.
pub fn fresh_store_gives_no_node_a_quorum(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.run_for(90 * SECOND).await;
        fleet.inject(Fault::Flush).await;
        fleet.trip(0);
        fleet.run_ms(50).await;
        fleet.expect(fleet.phase().0 == Phase::Votes, "the trip is a vote");
        fleet.expect(fleet.state(1) == State::Closed, "no other circuit opens");
    })
}
