//! Leases: one holder, no trial after the end, and no node that waits forever.

use super::{SECOND, Setup};
use crate::fault::Fault;
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation};
use breakerbox::{Outcome as Call, Permit, State};
use breakerbox_fleet::protocol::Phase;

/// Opens the circuit of all nodes, and waits for the end of the open period.
async fn open_and_wait(fleet: &Simulation) {
    fleet.trip(0);
    fleet.trip(1);
    fleet.run_for(5 * SECOND + SECOND / 10).await;
}

/// Calls until a trial is admitted, and keeps its permit.
async fn start_trial(fleet: &Simulation, node: usize) -> Option<Permit> {
    for _ in 0..1_000 {
        if let Some(permit) = fleet.admit(node) {
            return Some(permit);
        }
        fleet.run_ms(10).await;
    }
    fleet.expect(false, "a trial is admitted");
    None
}

/// While one node tries, no other does.
pub fn one_node_tries_at_a_time(setup: Setup) -> Outcome {
    let plan = setup.quiet(6, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        open_and_wait(fleet).await;
        let permit = start_trial(fleet, 2).await;
        for _ in 0..200 {
            for node in [0, 1, 3, 4, 5] {
                fleet.expect(!fleet.call(node, Call::Success), "only the holder tries");
            }
            fleet.run_ms(50).await;
        }
        drop(permit);
    })
}

/// The first requests for a lease get lost. Their node does not try without one.
pub fn node_waits_for_a_lease_whose_answer_is_late(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.trip(1);
        fleet.run_for(SECOND).await;
        fleet.call(2, Call::Success);
        fleet.run_ms(3_950).await;
        fleet.inject(Fault::Cut(2)).await;
        fleet.run_ms(1_200).await;
        fleet.inject(Fault::Mend(2)).await;
        // Each admitted call is reported, and the checker knows whether it has a lease.
        let admitted = fleet
            .try_until_admitted(2, Call::Success, 10 * SECOND)
            .await;
        fleet.expect(admitted, "the node gets the lease");
    })
}

/// The answer to a request for a lease is lost. The same node gets its lease with the same token.
pub fn lost_answer_does_not_block_its_own_asker(setup: Setup) -> Outcome {
    let plan = setup.quiet(2, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.call(1, Call::Success);
        let mut granted = false;
        for _ in 0..10_000 {
            fleet.run_ms(1).await;
            if fleet.phase().0 == Phase::Leased {
                granted = true;
                break;
            }
        }
        fleet.expect(granted, "the lease is granted");
        // The answer is still on its way.
        fleet.inject(Fault::Kill(1)).await;
        let start = fleet.now();
        let admitted = fleet.try_until_admitted(1, Call::Success, 2 * SECOND).await;
        fleet.expect(
            admitted && fleet.now() < start + 2 * SECOND,
            "the asker is not blocked",
        );
    })
}

/// The holder loses its connection in the middle of many trials. None starts after the lease.
pub fn holder_without_a_connection_stops_in_time(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(4, Sharing::Quorum(2));
    plan.circuits[0].half_open_calls = 1_000;
    plan.circuits[0].success_threshold = 1_000;
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet
            .inject(Fault::Path {
                node: 2,
                loss: 0.0,
                duplicate: 0.0,
                delay_ms: 980,
                reorder: false,
            })
            .await;
        open_and_wait(fleet).await;
        let mut permits = Vec::new();
        permits.extend(start_trial(fleet, 2).await);
        fleet.run_ms(fastrand::u64(0..3_000)).await;
        permits.extend(fleet.admit(2));
        fleet.inject(Fault::Cut(2)).await;
        for _ in 0..700 {
            permits.extend(fleet.admit(2));
            fleet.run_ms(10).await;
        }
        drop(permits);
    })
}

/// The answers to the holder are slow. Its lease counts from the time at which it asked.
pub fn lease_counts_from_the_request(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(4, Sharing::Quorum(2));
    plan.circuits[0].half_open_calls = 1_000;
    plan.circuits[0].success_threshold = 1_000;
    Setup::run(&plan, async |fleet: &mut Simulation| {
        open_and_wait(fleet).await;
        fleet
            .inject(Fault::SlowReplies {
                node: 2,
                reply_ms: 900,
            })
            .await;
        let mut permits = Vec::new();
        permits.extend(start_trial(fleet, 2).await);
        fleet.inject(Fault::Cut(2)).await;
        for _ in 0..700 {
            permits.extend(fleet.admit(2));
            fleet.run_ms(10).await;
        }
        drop(permits);
    })
}

/// The holder stops in the middle of its trial. Its verdict comes after another node got the lease.
pub fn verdict_after_the_lease_does_not_count(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        open_and_wait(fleet).await;
        let late = start_trial(fleet, 2).await;
        fleet.inject(Fault::Pause(2)).await;
        fleet.run_for(3 * SECOND).await;
        let present = start_trial(fleet, 3).await;
        if let Some(late) = late {
            late.success();
        }
        fleet.inject(Fault::Resume(2)).await;
        fleet.run_for(SECOND).await;
        fleet.expect(
            fleet.phase().0 == Phase::Leased,
            "the late verdict does not count",
        );
        if let Some(present) = present {
            present.failure();
        }
        fleet.run_for(SECOND).await;
        fleet.expect(
            fleet.phase().0 == Phase::Open,
            "the verdict of the holder counts",
        );
        fleet.expect(fleet.all_are(State::Open), "all nodes follow it");
    })
}

/// The holder crashes. The next node gets the lease when it has ended.
pub fn lease_of_a_crashed_holder_ends(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        open_and_wait(fleet).await;
        let permit = start_trial(fleet, 2).await;
        fleet.inject(Fault::Crash(2)).await;
        drop(permit);
        let start = fleet.now();
        let admitted = fleet.try_until_admitted(3, Call::Success, 5 * SECOND).await;
        fleet.expect(
            admitted && fleet.now() < start + 4 * SECOND,
            "another node tries soon",
        );
    })
}

/// A node that joins while another one tries follows the fleet for the rest of the lease.
pub fn late_joiner_follows_a_lease(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        open_and_wait(fleet).await;
        let permit = start_trial(fleet, 2).await;
        fleet.inject(Fault::Redeploy(3)).await;
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.state(3) == State::Open, "the late joiner is open");
        drop(permit);
    })
}

/// A lease may be held for longer than the store keeps old records.
pub fn lease_outlives_the_retention(setup: Setup) -> Outcome {
    let plan = setup.quiet(2, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(5 * SECOND).await;
        let permit = start_trial(fleet, 1).await;
        fleet.run_for(25 * 3_600 * SECOND).await;
        fleet.expect(fleet.phase().0 == Phase::Leased, "the lease is held");
        if let Some(permit) = permit {
            permit.success();
        }
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.phase().0 == Phase::Closed, "its verdict counts");
    })
}

/// A node whose last trial failed lets the others ask first.
pub fn node_with_a_bad_path_asks_last(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        open_and_wait(fleet).await;
        if let Some(permit) = start_trial(fleet, 2).await {
            permit.failure();
        }
        let mut tried = None;
        for _ in 0..3_000 {
            for node in [2, 3] {
                if fleet.call(node, Call::Success) {
                    tried.get_or_insert(node);
                }
            }
            if tried.is_some() {
                break;
            }
            fleet.run_ms(10).await;
        }
        fleet.expect(tried == Some(3), "the other node tries");
    })
}
