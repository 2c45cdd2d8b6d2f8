//! Openings: how long they last, and which circuits follow.

use super::{SECOND, Setup};
use crate::fault::Fault;
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation};
use breakerbox::{Outcome as Call, State};
use breakerbox_fleet::protocol::Phase;
use std::time::Duration;

/// One node is asked to wait for long. The others are not.
pub fn hint_of_one_node_stops_no_other(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        let late = fleet.admit(3);
        fleet.trip(1);
        fleet.run_for(SECOND).await;
        if let Some(late) = late {
            late.record(Call::TripFor(300 * SECOND));
        }
        fleet.run_for(SECOND).await;
        let (phase, left) = fleet.phase();
        fleet.expect(
            phase == Phase::Open && left < 5 * SECOND,
            "the record is not longer",
        );
        fleet.run_for(4 * SECOND).await;
        let admitted = fleet.try_until_admitted(2, Call::Success, 5 * SECOND).await;
        fleet.expect(admitted, "another node tries");
        fleet.run_for(2 * SECOND).await;
        fleet.expect(fleet.state(2) == State::Closed, "the others recover");
        fleet.expect(fleet.state(3) == State::Open, "no update shortens a hint");
    })
}

/// A hint arrives at the store right after the quorum. It does not lengthen the record.
pub fn late_hint_lengthens_no_record(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.trip(1);
        // The trips have arrived, but most nodes do not know it.
        fleet.run_ms(3).await;
        fleet.call(3, Call::TripFor(300 * SECOND));
        fleet.run_for(SECOND).await;
        let (phase, left) = fleet.phase();
        fleet.expect(
            phase == Phase::Open && left < 5 * SECOND,
            "the record is not longer",
        );
    })
}

/// The hint of the node that opened the circuit counts for all.
pub fn hint_of_the_opener_counts_for_all(setup: Setup) -> Outcome {
    let plan = setup.quiet(3, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        let late = fleet.admit(0);
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        if let Some(late) = late {
            late.record(Call::TripFor(60 * SECOND));
        }
        fleet.run_for(SECOND).await;
        let (phase, left) = fleet.phase();
        fleet.expect(
            phase == Phase::Open && left > 50 * SECOND,
            "the record is longer",
        );
        fleet.run_for(20 * SECOND).await;
        fleet.expect(!fleet.call(2, Call::Success), "all nodes wait");
    })
}

/// The fleet believes no opening for longer than its limit. The owner waits for its own end.
pub fn owner_stays_open_beyond_the_limit_of_the_fleet(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(3, Sharing::Always);
    plan.max_open = 10 * SECOND;
    (plan.circuits[0].first, plan.circuits[0].longest) = (60 * SECOND, 60 * SECOND);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        let (_, left) = fleet.phase();
        fleet.expect(left <= 10 * SECOND, "the record is limited");
        for _ in 0..50 {
            fleet.run_for(SECOND).await;
            fleet.expect(
                !fleet.call(0, Call::Success),
                "the owner waits for its own end",
            );
        }
    })
}

/// A flapping dependency: each opening lasts longer, whichever node trips.
pub fn close_keeps_the_attempt(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(4, Sharing::Always);
    plan.circuits[0].longest = 60 * SECOND;
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(5 * SECOND).await;
        // The second opening has attempt 1.
        let failed = fleet.try_until_admitted(1, Call::Failure, 5 * SECOND).await;
        fleet.expect(failed, "a node tries");
        fleet.run_for(SECOND).await;
        let attempt = fleet.record().attempt;
        fleet.expect(attempt == 1, "a failed trial raises the attempt");
        fleet.run_for(10 * SECOND).await;
        let closed = fleet.try_until_admitted(1, Call::Success, 5 * SECOND).await;
        fleet.expect(closed, "a node tries again");
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.all_are(State::Closed), "all circuits are closed");
        // A new process has no attempt of its own.
        fleet.inject(Fault::Redeploy(3)).await;
        fleet.run_ms(500).await;
        fleet.trip(3);
        fleet.run_for(SECOND).await;
        fleet.expect(
            fleet.record().attempt >= 1,
            "the attempt goes on at another node",
        );
    })
}

/// Nodes follow only with failures of their own, also if these come later.
pub fn evidence_of_a_node_decides(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(3, Sharing::Evidence(2));
    (plan.circuits[0].first, plan.circuits[0].longest) = (30 * SECOND, 30 * SECOND);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.call(1, Call::Failure);
        fleet.call(1, Call::Failure);
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.expect(
            fleet.state(1) == State::Open,
            "a node with failures follows",
        );
        fleet.expect(
            fleet.state(2) == State::Closed,
            "a node without failures does not",
        );
        fleet.call(2, Call::Failure);
        fleet.call(2, Call::Failure);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.state(2) == State::Open, "later failures count");
    })
}

/// Observers report their openings, and follow none.
pub fn observer_follows_no_opening(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Observe);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.trip(1);
        fleet.run_for(SECOND).await;
        fleet.expect(
            fleet.phase().0 == Phase::Open,
            "the quorum opens the record",
        );
        fleet.expect(fleet.state(2) == State::Closed, "observers do not follow");
        fleet.expect(fleet.status(2).counters.ignored == 1, "and say so");
        fleet.run_for(5 * SECOND).await;
        fleet.expect(fleet.call(0, Call::Success), "their trials are local");
    })
}

/// Local circuits reach no store.
pub fn local_circuit_reaches_no_store(setup: Setup) -> Outcome {
    let plan = setup.quiet(2, Sharing::Local);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.trip(1);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.records() == 0, "the store knows no name");
    })
}

/// A message is lost, and no other follows. The next pull finds the record.
pub fn pull_finds_what_no_message_said(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(4, Sharing::Always);
    (plan.circuits[0].first, plan.circuits[0].longest) = (60 * SECOND, 60 * SECOND);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.inject(Fault::Cut(3)).await;
        fleet.trip(0);
        fleet.run_ms(500).await;
        fleet.inject(Fault::Mend(3)).await;
        fleet.run_for(7 * SECOND).await;
        fleet.expect(fleet.state(3) == State::Open, "the silent node is open");
    })
}

/// Nodes close one after another, within the spread.
pub fn nodes_close_within_the_spread(setup: Setup) -> Outcome {
    let plan = setup.quiet(12, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(5 * SECOND).await;
        let closed = fleet.try_until_admitted(1, Call::Success, 5 * SECOND).await;
        fleet.expect(closed, "a node tries");
        fleet.run_for(Duration::from_millis(150)).await;
        let open = (0..12)
            .filter(|node| fleet.state(*node) == State::Open)
            .count();
        fleet.expect(
            (1..11).contains(&open),
            "some nodes have closed, and others have not",
        );
        fleet.run_for(Duration::from_millis(250)).await;
        fleet.expect(fleet.all_are(State::Closed), "all circuits are closed");
    })
}
