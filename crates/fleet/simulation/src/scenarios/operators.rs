//! Commands of operators to the whole fleet.

use super::{SECOND, Setup};
use crate::fault::Fault;
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation};
use breakerbox::State;
use breakerbox_fleet::protocol::{Phase, Verb};

const HOUR: u32 = 3_600;

/// A command reaches all nodes, and its release as well.
pub fn command_reaches_all_nodes(setup: Setup) -> Outcome {
    Setup::run(
        &setup.quiet(5, Sharing::Quorum(2)),
        async |fleet: &mut Simulation| {
            for (verb, state) in [
                (Verb::ForceOpen, State::Open),
                (Verb::Disable, State::Disabled),
            ] {
                fleet.give(1, "us*", verb, HOUR).await;
                fleet.run_ms(200).await;
                fleet.expect(fleet.all_are(state), "all nodes follow");
                fleet.run_for(200 * SECOND).await;
                fleet.expect(fleet.all_are(state), "the command lasts");
                let status = fleet.status(3);
                fleet.expect(status.commands.len() == 1, "the status lists the command");
                fleet.expect(status.commanded == 1, "the status counts the circuit");
            }
            fleet.give(2, "us*", Verb::Release, 0).await;
            fleet.run_for(SECOND).await;
            fleet.expect(fleet.all_are(State::Closed), "all circuits are released");
            fleet.expect(fleet.counts().ops == 0, "no circuit was reported");
            fleet.check_commands();
        },
    )
}

/// A command ends by itself, also while the store is away.
pub fn command_ends_by_itself(setup: Setup) -> Outcome {
    Setup::run(
        &setup.quiet(3, Sharing::Always),
        async |fleet: &mut Simulation| {
            for verb in [Verb::ForceOpen, Verb::Disable] {
                fleet.give(0, "users", verb, 100).await;
                fleet.run_for(SECOND).await;
                fleet.inject(Fault::StoreAway).await;
                fleet.run_for(98 * SECOND).await;
                fleet.expect(!fleet.all_are(State::Closed), "the command lasts");
                fleet.run_for(3 * SECOND).await;
                fleet.expect(fleet.all_are(State::Closed), "the command has ended");
                fleet.inject(Fault::StoreBack).await;
                fleet.run_for(10 * SECOND).await;
            }
        },
    )
}

/// A store that has lost its data gets the commands back, and late joiners follow them.
pub fn command_survives_a_flush(setup: Setup) -> Outcome {
    Setup::run(
        &setup.quiet(3, Sharing::Quorum(2)),
        async |fleet: &mut Simulation| {
            fleet.give(0, "*", Verb::ForceOpen, HOUR).await;
            fleet.run_for(SECOND).await;
            fleet.inject(Fault::Flush).await;
            fleet.inject(Fault::Crash(0)).await;
            fleet.run_for(9 * SECOND).await;
            fleet.expect(fleet.state(1) == State::Open, "the command lasts");
            fleet.inject(Fault::Start(0)).await;
            fleet.run_for(2 * SECOND).await;
            fleet.expect(fleet.all_are(State::Open), "the late joiner follows");
            fleet.check_commands();
        },
    )
}

/// A replica that does not know of the release brings no command back.
pub fn released_command_never_returns(setup: Setup) -> Outcome {
    Setup::run(
        &setup.quiet(3, Sharing::Quorum(2)),
        async |fleet: &mut Simulation| {
            fleet.give(0, "users", Verb::Disable, HOUR).await;
            fleet.run_for(SECOND).await;
            fleet.inject(Fault::Snapshot).await;
            fleet.give(1, "users", Verb::Release, 0).await;
            fleet.run_for(SECOND).await;
            fleet.inject(Fault::FailOver { skew_ms: -1_500 }).await;
            for _ in 0..90 {
                fleet.run_for(SECOND).await;
                fleet.expect(fleet.all_are(State::Closed), "the command was released");
            }
            fleet.check_commands();
        },
    )
}

/// A local command wins until the next command of an operator, and ends no command elsewhere.
pub fn local_command_wins_until_the_next_one(setup: Setup) -> Outcome {
    Setup::run(
        &setup.quiet(3, Sharing::Quorum(2)),
        async |fleet: &mut Simulation| {
            fleet.breaker(2).force_open();
            fleet.give(0, "users", Verb::ForceOpen, HOUR).await;
            fleet.run_for(SECOND).await;
            fleet.breaker(1).reset();
            for _ in 0..130 {
                fleet.run_for(SECOND).await;
                fleet.expect(fleet.state(1) == State::Closed, "the local command lasts");
            }
            fleet.expect(fleet.status(1).overruled == 1, "the status says so");
            fleet.expect(fleet.state(0) == State::Open, "the local command is local");
            fleet.give(0, "users", Verb::Disable, HOUR).await;
            fleet.run_for(SECOND).await;
            fleet.expect(fleet.state(1) == State::Disabled, "the next command counts");
            fleet.breaker(0).disable();
            fleet.give(0, "users", Verb::Release, 0).await;
            fleet.run_for(SECOND).await;
            fleet.expect(
                fleet.state(0) == State::Disabled,
                "disabled by a local command",
            );
            fleet.expect(fleet.state(1) == State::Closed, "released");
            fleet.expect(
                fleet.state(2) == State::ForcedOpen,
                "forced open by a local command",
            );
        },
    )
}

/// Of two commands that cross, all nodes follow the same one.
pub fn crossing_commands_agree(setup: Setup) -> Outcome {
    Setup::run(
        &setup.quiet(4, Sharing::Always),
        async |fleet: &mut Simulation| {
            let first = fleet.giving(0, "users", Verb::ForceOpen, HOUR);
            let second = fleet.giving(1, "users", Verb::Disable, HOUR);
            let (first, second) = (first.await, second.await);
            fleet.expect(first.is_ok() && second.is_ok(), "both are accepted");
            fleet.run_for(SECOND).await;
            let state = fleet.state(0);
            fleet.expect(state != State::Closed, "one of them counts");
            fleet.expect(fleet.all_are(state), "the same one everywhere");
            fleet.check_commands();
        },
    )
}

/// A forced-open circuit has no trials. Afterwards, the open circuit of the fleet recovers as usual.
pub fn forced_open_circuit_has_no_trials(setup: Setup) -> Outcome {
    Setup::run(
        &setup.quiet(3, Sharing::Always),
        async |fleet: &mut Simulation| {
            fleet.trip(0);
            fleet.run_for(SECOND).await;
            fleet.give(1, "users", Verb::ForceOpen, HOUR).await;
            let admitted = fleet
                .try_until_admitted(2, breakerbox::Outcome::Success, 100 * SECOND)
                .await;
            fleet.expect(!admitted, "no call is admitted");
            fleet.give(1, "users", Verb::Release, 0).await;
            fleet.run_ms(500).await;
            for node in 0..3 {
                let is_closed = fleet.state(node) == State::Closed;
                fleet.expect(!is_closed, "the fleet keeps the circuit open");
            }
            let admitted = fleet
                .try_until_admitted(2, breakerbox::Outcome::Success, 5 * SECOND)
                .await;
            fleet.expect(admitted, "a node tries");
            fleet.run_for(SECOND).await;
            fleet.expect(fleet.all_are(State::Closed), "the fleet has recovered");
        },
    )
}

/// A close closes the circuits of all nodes and ends a lease. It opens nothing again, and is no release.
pub fn close_closes_all_circuits_of_the_fleet(setup: Setup) -> Outcome {
    Setup::run(
        &setup.quiet(4, Sharing::Quorum(2)),
        async |fleet: &mut Simulation| {
            fleet.trip(0);
            fleet.run_for(SECOND).await;
            fleet.expect(fleet.close(3, "*").await == 0, "a vote is no opening");
            fleet.expect(fleet.state(0) == State::Open, "the vote stays");
            fleet.trip(1);
            fleet.run_for(SECOND).await;
            fleet.expect(fleet.all_are(State::Open), "the fleet is open");
            fleet.inject(Fault::Cut(2)).await;
            fleet.expect(fleet.close(3, "us*").await == 1, "one circuit is closed");
            fleet.run_ms(400).await;
            for node in [0, 1, 3] {
                fleet.expect(fleet.state(node) == State::Closed, "the node follows");
            }
            fleet.inject(Fault::Mend(2)).await;
            fleet.run_for(10 * SECOND).await;
            fleet.expect(fleet.all_are(State::Closed), "the last node follows");
            fleet.expect(fleet.close(0, "*").await == 0, "nothing is left to close");

            fleet.trip(0);
            fleet.trip(1);
            fleet.run_for(SECOND).await;
            let holder = async |fleet: &mut Simulation| {
                let end = fleet.now() + 100 * SECOND;
                while fleet.state(2) != State::HalfOpen && fleet.now() < end {
                    drop(fleet.breaker(2).try_acquire());
                    fleet.run_ms(100).await;
                }
            };
            holder(fleet).await;
            fleet.expect(fleet.phase().0 == Phase::Leased, "a node tries");
            fleet.expect(fleet.close(1, "users").await == 1, "the lease has ended");
            fleet.run_ms(400).await;
            fleet.expect(fleet.all_are(State::Closed), "the holder has stopped");
            fleet.expect(
                fleet.status(2).counters.leases_lost == 0,
                "no lease was lost",
            );

            fleet.give(0, "*", Verb::ForceOpen, HOUR).await;
            fleet.run_for(SECOND).await;
            fleet.expect(fleet.close(1, "*").await == 0, "no record is open");
            fleet.run_for(10 * SECOND).await;
            fleet.expect(fleet.all_are(State::Open), "the command lasts");
            fleet.check_commands();
        },
    )
}

/// Circuits that do not follow the fleet follow no command, and breakers created later do.
pub fn only_followers_obey(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(2, Sharing::Observe);
    plan.has_breakers = false;
    let observers = Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.give(0, "users", Verb::ForceOpen, HOUR).await;
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.all_are(State::Closed), "observers do not follow");
    });
    if !observers.violations.is_empty() {
        return observers;
    }
    plan.share = Some(Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.give(0, "users", Verb::ForceOpen, HOUR).await;
        fleet.run_for(SECOND).await;
        let _ = (fleet.breaker(0), fleet.breaker(1));
        fleet.run_ms(100).await;
        fleet.expect(fleet.all_are(State::Open), "a new breaker follows");
    })
}
