//! [`Mutant`]: a fault of the store or of the engine, with the runs that show it.

use crate::plan::Plan;
use crate::scenarios::{self, Scenario, Setup};
use crate::store::StoreMutant;
use breakerbox_fleet::Mutants;

/// A fault of the store or of the engine that the invariants must find.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The name.
    pub name: &'static str,
    /// The scenario that finds it.
    pub scenario: Scenario,
    store: Option<StoreMutant>,
    engine: Mutants,
}

macro_rules! engine {
    ($($name:ident: $scenario:ident),* $(,)?) => {
        [$(Mutant {
            name: stringify!($name),
            scenario: scenarios::$scenario,
            store: None,
            engine: Mutants { $name: true, ..NONE },
        }),*]
    };
}

const NONE: Mutants = Mutants {
    greedy_lease: false,
    no_fencing: false,
    no_pull: false,
    no_dead_mans_switch: false,
    close_on_absent: false,
    lease_from_receipt: false,
    republish_adopted: false,
    always_close_on_stale: false,
    adopt_ended: false,
    override_commands: false,
    no_unvote: false,
    ignore_versions: false,
    trip_at_sending: false,
    no_extension: false,
    forget_releases: false,
    no_announcements: false,
};

impl Mutant {
    /// Returns all mutants of the engine.
    pub fn of_engine() -> impl Iterator<Item = Self> {
        engine![
            greedy_lease: idle_circuit_costs_only_pulls,
            no_fencing: holder_without_a_connection_stops_in_time,
            no_pull: pull_finds_what_no_message_said,
            no_dead_mans_switch: circuits_recover_when_the_store_is_gone,
            close_on_absent: flushed_store_closes_no_circuit,
            lease_from_receipt: lease_counts_from_the_request,
            republish_adopted: idle_circuit_costs_only_pulls,
            always_close_on_stale: stale_answer_closes_a_circuit_once,
            adopt_ended: late_joiner_ignores_an_ended_record,
            override_commands: reset_circuit_stays_closed,
            no_unvote: closed_circuit_withdraws_its_vote,
            ignore_versions: late_messages_change_nothing,
            trip_at_sending: paused_trip_does_not_reopen_a_recovered_fleet,
            no_extension: one_node_tries_at_a_time,
            forget_releases: released_command_never_returns,
            no_announcements: command_survives_a_flush,
        ]
        .into_iter()
    }

    /// Returns all mutants of the store.
    pub fn of_store() -> impl Iterator<Item = Self> {
        StoreMutant::ALL.into_iter().map(|store| Self {
            name: store.name(),
            scenario: scenario_of(store),
            store: Some(store),
            engine: NONE,
        })
    }

    /// Runs the scenario of the mutant. Returns `true` if it breaks an invariant or an expectation.
    pub fn is_found(&self, seed: u64) -> bool {
        let setup = Setup {
            seed,
            mutant: Some(*self),
            is_traced: false,
        };
        !(self.scenario)(setup).violations.is_empty()
    }

    /// Returns `plan` with this fault.
    #[must_use]
    pub fn apply(&self, plan: Plan) -> Plan {
        Plan {
            store_mutant: self.store,
            engine_mutants: self.engine,
            ..plan
        }
    }
}

fn scenario_of(store: StoreMutant) -> Scenario {
    match store {
        StoreMutant::NoFence => scenarios::verdict_after_the_lease_does_not_count,
        StoreMutant::NoStaleCheck => scenarios::paused_trip_does_not_reopen_a_recovered_fleet,
        StoreMutant::CloseInFuture => scenarios::close_in_the_future_rejects_no_trip,
        StoreMutant::EarlyGrant => scenarios::any_seed_keeps_the_invariants,
        StoreMutant::GreedyLease | StoreMutant::RenewalsPublished => {
            scenarios::one_node_tries_at_a_time
        }
        StoreMutant::QuorumIgnored => scenarios::one_bad_node_opens_no_other_circuit,
        StoreMutant::VotesKept => scenarios::opening_deletes_all_votes,
        StoreMutant::UnvoteIgnored => scenarios::closed_circuit_withdraws_its_vote,
        StoreMutant::AbsentIsClosed | StoreMutant::AbsentIsFenced => {
            scenarios::lease_and_verdict_on_lost_record_count
        }
        StoreMutant::CloseForgetsAttempt => scenarios::close_keeps_the_attempt,
        StoreMutant::AnyoneLengthens => scenarios::late_hint_lengthens_no_record,
        StoreMutant::SeenIgnored => scenarios::versions_rise_across_a_failover,
    }
}
