//! Circuits without calls cost nothing but pulls.

use super::{SECOND, Setup};
use crate::fault::Fault;
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation};
use breakerbox::{Outcome as Call, State};
use std::time::Duration;

/// An open circuit without calls stays open. Its first call is refused, and then a trial follows.
pub fn idle_circuit_costs_only_pulls(setup: Setup) -> Outcome {
    let plan = setup.quiet(4, Sharing::Quorum(2));
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.trip(1);
        fleet.run_for(2 * SECOND).await;
        let before = fleet.counts();
        fleet.run_for(600 * SECOND).await;
        let after = fleet.counts();
        fleet.expect(after.ops == before.ops, "no node asks for a lease");
        let pulls = after.pulls - before.pulls;
        fleet.expect((440..=520).contains(&pulls), "each node pulls every 5 s");
        fleet.expect(fleet.all_are(State::Open), "all circuits are still open");
        fleet.expect(!fleet.call(3, Call::Success), "the first call is refused");
        let admitted = fleet.try_until_admitted(3, Call::Success, 2 * SECOND).await;
        fleet.expect(admitted, "a trial follows");
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.all_are(State::Closed), "all circuits are closed");
    })
}

/// Ten thousand open circuits without calls cost only pulls, too.
pub fn ten_thousand_idle_circuits_cost_only_pulls(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(2, Sharing::Always);
    plan.circuits[0].failures = 1;
    plan.circuits[0].name = "tenant".into();
    Setup::run(&plan, async |fleet: &mut Simulation| {
        for number in 0..10_000 {
            let name = format!("tenant-{number}");
            fleet.registry(1).breaker(&name);
            if let Ok(permit) = fleet.registry(0).breaker(&name).try_acquire() {
                permit.failure();
            }
        }
        fleet.run_for(12 * SECOND).await;
        let before = fleet.counts();
        fleet.run_for(12 * SECOND).await;
        let after = fleet.counts();
        fleet.expect(after.ops == before.ops, "no node asks for a lease");
        let open = |node: usize| {
            let numbers = 0..10_000;
            let names = numbers.map(|number| format!("tenant-{number}"));
            let breakers = names.filter_map(|name| fleet.registry(node).get(name));
            breakers
                .filter(|breaker| breaker.state() == State::Open)
                .count()
        };
        fleet.expect(
            open(0) == 10_000 && open(1) == 10_000,
            "all circuits are open",
        );
        // A full pull of 10,000 records has 21 pages.
        let pulls = after.pulls - before.pulls;
        fleet.expect(pulls <= 2 * (3 + 21), "each node pulls every 5 s");
    })
}

/// More open records than fit into one page reach a late joiner.
pub fn late_joiner_reads_all_pages(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(2, Sharing::Always);
    plan.circuits[0].name = "tenant".into();
    (plan.circuits[0].first, plan.circuits[0].longest) = (100 * SECOND, 100 * SECOND);
    plan.circuits[0].failures = 1;
    Setup::run(&plan, async |fleet: &mut Simulation| {
        for number in 0..1_700 {
            if let Ok(permit) = fleet
                .registry(0)
                .breaker(format!("tenant-{number}"))
                .try_acquire()
            {
                permit.failure();
            }
        }
        fleet.run_for(2 * SECOND).await;
        fleet.inject(Fault::Redeploy(1)).await;
        fleet.run_for(2 * SECOND).await;
        let names = (0..1_700).map(|number| format!("tenant-{number}"));
        let breakers: Vec<_> = names.map(|name| fleet.registry(1).breaker(name)).collect();
        fleet.run_for(SECOND).await;
        let open = breakers
            .iter()
            .filter(|breaker| breaker.state() == State::Open)
            .count();
        fleet.expect(open == 1_700, "all circuits of the late joiner are open");
    })
}

/// The open period was over before the node started.
pub fn late_joiner_ignores_an_ended_record(setup: Setup) -> Outcome {
    let plan = setup.quiet(3, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(60 * SECOND).await;
        fleet.inject(Fault::Redeploy(2)).await;
        for _ in 0..100 {
            fleet.run_for(Duration::from_millis(100)).await;
            fleet.expect(
                fleet.state(2) == State::Closed,
                "the late joiner stays closed",
            );
        }
    })
}

/// A breaker that is created later follows what the fleet has said before.
pub fn breaker_created_later_follows(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(3, Sharing::Always);
    plan.has_breakers = false;
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.status(1).known == 1, "the node remembers the state");
        let breaker = fleet.breaker(1);
        fleet.run_ms(100).await;
        fleet.expect(breaker.state() == State::Open, "the new breaker is open");
    })
}
