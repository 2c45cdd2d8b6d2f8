//! Local commands win over the fleet.

use super::{SECOND, Setup};
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation};
use breakerbox::State;

/// A circuit that a command has closed stays closed, also over full pulls.
pub fn reset_circuit_stays_closed(setup: Setup) -> Outcome {
    let mut plan = setup.quiet(3, Sharing::Always);
    (plan.circuits[0].first, plan.circuits[0].longest) = (200 * SECOND, 200 * SECOND);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.trip(0);
        fleet.run_for(SECOND).await;
        fleet.breaker(1).reset();
        for _ in 0..130 {
            fleet.run_for(SECOND).await;
            fleet.expect(fleet.state(1) == State::Closed, "the command lasts");
        }
        fleet.expect(fleet.state(2) == State::Open, "the command is local");
    })
}

/// A circuit that a command has opened takes no order until its deadline.
pub fn circuit_tripped_by_a_command_stays_local(setup: Setup) -> Outcome {
    let plan = setup.quiet(3, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.breaker(1).trip_for(100 * SECOND);
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.records() == 0, "the command is not shared");
        fleet.trip(0);
        fleet.run_for(5 * SECOND).await;
        fleet
            .try_until_admitted(2, breakerbox::Outcome::Success, 5 * SECOND)
            .await;
        fleet.run_for(SECOND).await;
        fleet.expect(fleet.state(2) == State::Closed, "the fleet has recovered");
        fleet.expect(fleet.state(1) == State::Open, "the command lasts");
    })
}

/// Forced-open, disabled and metrics-only circuits stay as they are.
pub fn special_states_are_left_alone(setup: Setup) -> Outcome {
    let plan = setup.quiet(5, Sharing::Always);
    Setup::run(&plan, async |fleet: &mut Simulation| {
        fleet.breaker(1).force_open();
        fleet.breaker(2).disable();
        fleet.breaker(3).metrics_only();
        for _ in 0..3 {
            fleet.trip(0);
            fleet.run_for(6 * SECOND).await;
            fleet.expect(fleet.state(4) == State::Open, "the fleet is open");
            fleet
                .try_until_admitted(4, breakerbox::Outcome::Success, 30 * SECOND)
                .await;
            fleet.run_for(SECOND).await;
        }
        fleet.expect(fleet.state(1) == State::ForcedOpen, "forced open");
        fleet.expect(fleet.state(2) == State::Disabled, "disabled");
        fleet.expect(fleet.state(3) == State::MetricsOnly, "metrics only");
    })
}
