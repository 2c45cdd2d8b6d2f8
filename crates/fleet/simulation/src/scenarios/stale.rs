//! Trips that arrive late, closes that lie in the future, and messages in the wrong order.

use super::{SECOND, Setup};
use crate::fault::Fault;
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation};
use crate::store::StoreMutant;
use breakerbox::{Outcome as Call, State};
use breakerbox_fleet::protocol::{Micros, Phase};

/// Closes the circuit of the fleet through a trial of a node.
async fn recover(fleet: &Simulation, node: usize) {
    let admitted = fleet
        .try_until_admitted(node, Call::Success, 20 * SECOND)
        .await;
    fleet.expect(admitted, "a node gets the lease");
    fleet.run_for(SECOND).await;
    fleet.expect(
        fleet.phase().0 == Phase::Closed,
        "the trial closes the circuit",
    );
}

/// A node stops right after its trip. The fleet recovers before the node continues.
pub fn paused_trip_does_not_reopen_a_recovered_fleet(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.call(0, Call::TripFor(60 * SECOND));
        fleet.inject(Fault::Pause(0)).await;
        fleet.trip(1);
        fleet.run_for(6 * SECOND).await;
        recover(fleet, 2).await;
        fleet.inject(Fault::Resume(0)).await;
        fleet.run_for(2 * SECOND).await;
        fleet.expect(fleet.phase().0 == Phase::Closed, "the late trip is stale");
        let others = 1..4;
        let closed = others
            .filter(|node| fleet.state(*node) == State::Closed)
            .count();
        fleet.expect(closed == 3, "the other circuits stay closed");
    })
}

/// The command with a trip is stuck for seconds, and executed after the fleet has recovered.
pub fn slow_trip_does_not_reopen_a_recovered_fleet(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        let slow = |delay_ms| Fault::Path {
            node: 0,
            loss: 0.0,
            duplicate: 0.0,
            delay_ms,
            reorder: false,
        };
        fleet.inject(slow(60_000)).await;
        fleet.trip(0);
        fleet.run_ms(100).await;
        fleet.inject(slow(3)).await;
        fleet.trip(1);
        fleet.run_for(6 * SECOND).await;
        recover(fleet, 2).await;
        fleet.run_for(65 * SECOND).await;
        fleet.expect(
            fleet.record().closed_at > Micros(0),
            "the circuit has closed",
        );
        fleet.expect(fleet.phase().0 == Phase::Closed, "the slow trip is stale");
        fleet.expect(fleet.all_are(State::Closed), "all circuits are closed");
    })
}

/// A close in the future rejects no trip.
pub fn close_in_the_future_rejects_no_trip(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.put(|record, now| {
            record.phase = Phase::Closed;
            record.closed_at = Micros(0).after(now + 600 * SECOND);
        });
        fleet.trip(0);
        fleet.trip(1);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.phase().0 == Phase::Open, "two trips open the circuit");
        fleet.expect(fleet.all_are(State::Open), "all circuits are open");
    })
}

/// A store that rejects every trip closes the circuit of a node once. Its next trip stays.
pub fn stale_answer_closes_a_circuit_once(setup: Setup) -> Outcome {
    let plan = setup.quiet(2, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.put(|record, now| {
            record.phase = Phase::Closed;
            record.closed_at = Micros(0).after(now + 600 * SECOND);
        });
        fleet.set_store(Some(StoreMutant::CloseInFuture));
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.expect(
            fleet.state(0) == State::Closed,
            "the first stale trip closes",
        );
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.state(0) == State::Open, "the second trip stays");
    })
}

/// Messages overtake each other. The latest version counts at each node.
pub fn late_messages_change_nothing(setup: Setup) -> Outcome {
    let plan = setup.quiet(6, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        for node in 2..6 {
            fleet
                .inject(Fault::Path {
                    node,
                    loss: 0.0,
                    duplicate: 0.3,
                    delay_ms: 100,
                    reorder: true,
                })
                .await;
        }
        for _ in 0..6 {
            fleet.trip(0);
            fleet.run_for(6 * SECOND).await;
            recover(fleet, 1).await;
            fleet.run_ms(500).await;
            fleet.expect(fleet.all_are(State::Closed), "all circuits are closed");
            fleet.run_for(40 * SECOND).await;
        }
        fleet.expect(
            fleet.status(1).counters.gaps == 0,
            "messages in order are no gap",
        );
    })
}

/// A failover to an older snapshot and a slower clock: the versions of later records are higher.
pub fn versions_rise_across_a_failover(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.inject(Fault::Snapshot).await;
        fleet.trip(0);
        fleet.run_for(6 * SECOND).await;
        recover(fleet, 1).await;
        fleet.inject(Fault::FailOver { skew_ms: -60_000 }).await;
        fleet.run_for(10 * SECOND).await;
        fleet.trip(2);
        fleet.run_for(2 * SECOND).await;
        fleet.expect(fleet.phase().0 == Phase::Open, "the trip opens the circuit");
        fleet.expect(fleet.all_are(State::Open), "all nodes follow");
    })
}
