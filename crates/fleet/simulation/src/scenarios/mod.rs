//! Directed scenarios: each shows one decision of the protocol.
//!
//! A scenario runs with any seed, and with or without a [`Mutant`]. Without one, it breaks no
//! invariant and no expectation.

mod commands;
mod idle;
mod leases;
mod lost_stores;
mod openings;
mod operators;
mod stale;
mod votes;

pub use commands::*;
pub use idle::*;
pub use leases::*;
pub use lost_stores::*;
pub use openings::*;
pub use operators::*;
pub use stale::*;
pub use votes::*;

use crate::mutant::Mutant;
use crate::plan::Plan;
use crate::sharing::Sharing;
use crate::simulation::{Outcome, Simulation, run, simulate};
use std::time::Duration;

/// The seed and the fault of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup {
    /// The seed.
    pub seed: u64,
    /// The fault, if there is one.
    pub mutant: Option<Mutant>,
    /// Whether a trace is kept.
    pub is_traced: bool,
}

impl Setup {
    /// A plan of nodes without calls.
    fn quiet(self, nodes: usize, share: Sharing) -> Plan {
        let mut plan = Plan::quiet(self.seed, nodes, 0);
        plan.share = Some(share);
        plan.circuits[0].rates = vec![0.0; nodes];
        plan.is_traced = self.is_traced;
        match self.mutant {
            Some(mutant) => mutant.apply(plan),
            None => plan,
        }
    }

    fn run(plan: &Plan, scenario: impl AsyncFnOnce(&mut Simulation)) -> Outcome {
        simulate(plan, async |fleet: &mut Simulation| {
            // All nodes are connected.
            fleet.run_ms(500).await;
            scenario(fleet).await;
        })
    }
}

/// A random run of 12 nodes.
pub fn any_seed_keeps_the_invariants(setup: Setup) -> Outcome {
    let mut plan = Plan::random(setup.seed, 12);
    plan.is_traced = setup.is_traced;
    run(&setup
        .mutant
        .map_or(plan.clone(), |mutant| mutant.apply(plan)))
}

const SECOND: Duration = Duration::from_secs(1);

/// A scenario.
pub type Scenario = fn(Setup) -> Outcome;

/// All scenarios, with their names.
pub const ALL: &[(&str, Scenario)] = &[
    (
        "flushed_store_closes_no_circuit",
        flushed_store_closes_no_circuit,
    ),
    (
        "followers_restore_the_record_of_a_dead_owner",
        followers_restore_the_record_of_a_dead_owner,
    ),
    (
        "lease_and_verdict_on_lost_record_count",
        lease_and_verdict_on_lost_record_count,
    ),
    (
        "circuits_recover_when_the_store_is_gone",
        circuits_recover_when_the_store_is_gone,
    ),
    (
        "lone_node_opens_after_a_minute",
        lone_node_opens_after_a_minute,
    ),
    (
        "fresh_store_gives_no_node_a_quorum",
        fresh_store_gives_no_node_a_quorum,
    ),
    (
        "paused_trip_does_not_reopen_a_recovered_fleet",
        paused_trip_does_not_reopen_a_recovered_fleet,
    ),
    (
        "slow_trip_does_not_reopen_a_recovered_fleet",
        slow_trip_does_not_reopen_a_recovered_fleet,
    ),
    (
        "close_in_the_future_rejects_no_trip",
        close_in_the_future_rejects_no_trip,
    ),
    (
        "stale_answer_closes_a_circuit_once",
        stale_answer_closes_a_circuit_once,
    ),
    ("late_messages_change_nothing", late_messages_change_nothing),
    (
        "versions_rise_across_a_failover",
        versions_rise_across_a_failover,
    ),
    (
        "vote_lives_while_its_circuit_is_open",
        vote_lives_while_its_circuit_is_open,
    ),
    (
        "closed_circuit_withdraws_its_vote",
        closed_circuit_withdraws_its_vote,
    ),
    ("opening_deletes_all_votes", opening_deletes_all_votes),
    (
        "one_bad_node_opens_no_other_circuit",
        one_bad_node_opens_no_other_circuit,
    ),
    (
        "instances_of_one_node_have_one_vote",
        instances_of_one_node_have_one_vote,
    ),
    (
        "instances_of_one_node_hear_of_each_other",
        instances_of_one_node_hear_of_each_other,
    ),
    (
        "votes_for_forgotten_names_leave_the_store",
        votes_for_forgotten_names_leave_the_store,
    ),
    ("one_node_tries_at_a_time", one_node_tries_at_a_time),
    (
        "node_waits_for_a_lease_whose_answer_is_late",
        node_waits_for_a_lease_whose_answer_is_late,
    ),
    (
        "lost_answer_does_not_block_its_own_asker",
        lost_answer_does_not_block_its_own_asker,
    ),
    (
        "holder_without_a_connection_stops_in_time",
        holder_without_a_connection_stops_in_time,
    ),
    (
        "lease_counts_from_the_request",
        lease_counts_from_the_request,
    ),
    (
        "late_hint_lengthens_no_record",
        late_hint_lengthens_no_record,
    ),
    (
        "verdict_after_the_lease_does_not_count",
        verdict_after_the_lease_does_not_count,
    ),
    (
        "lease_of_a_crashed_holder_ends",
        lease_of_a_crashed_holder_ends,
    ),
    ("late_joiner_follows_a_lease", late_joiner_follows_a_lease),
    ("lease_outlives_the_retention", lease_outlives_the_retention),
    (
        "node_with_a_bad_path_asks_last",
        node_with_a_bad_path_asks_last,
    ),
    (
        "idle_circuit_costs_only_pulls",
        idle_circuit_costs_only_pulls,
    ),
    (
        "ten_thousand_idle_circuits_cost_only_pulls",
        ten_thousand_idle_circuits_cost_only_pulls,
    ),
    ("late_joiner_reads_all_pages", late_joiner_reads_all_pages),
    (
        "late_joiner_ignores_an_ended_record",
        late_joiner_ignores_an_ended_record,
    ),
    (
        "breaker_created_later_follows",
        breaker_created_later_follows,
    ),
    (
        "hint_of_one_node_stops_no_other",
        hint_of_one_node_stops_no_other,
    ),
    (
        "hint_of_the_opener_counts_for_all",
        hint_of_the_opener_counts_for_all,
    ),
    (
        "owner_stays_open_beyond_the_limit_of_the_fleet",
        owner_stays_open_beyond_the_limit_of_the_fleet,
    ),
    ("close_keeps_the_attempt", close_keeps_the_attempt),
    ("evidence_of_a_node_decides", evidence_of_a_node_decides),
    ("observer_follows_no_opening", observer_follows_no_opening),
    (
        "local_circuit_reaches_no_store",
        local_circuit_reaches_no_store,
    ),
    (
        "pull_finds_what_no_message_said",
        pull_finds_what_no_message_said,
    ),
    (
        "nodes_close_within_the_spread",
        nodes_close_within_the_spread,
    ),
    ("reset_circuit_stays_closed", reset_circuit_stays_closed),
    (
        "circuit_tripped_by_a_command_stays_local",
        circuit_tripped_by_a_command_stays_local,
    ),
    (
        "special_states_are_left_alone",
        special_states_are_left_alone,
    ),
    ("command_reaches_all_nodes", command_reaches_all_nodes),
    ("command_ends_by_itself", command_ends_by_itself),
    ("command_survives_a_flush", command_survives_a_flush),
    (
        "released_command_never_returns",
        released_command_never_returns,
    ),
    (
        "local_command_wins_until_the_next_one",
        local_command_wins_until_the_next_one,
    ),
    ("crossing_commands_agree", crossing_commands_agree),
    (
        "forced_open_circuit_has_no_trials",
        forced_open_circuit_has_no_trials,
    ),
    (
        "close_closes_all_circuits_of_the_fleet",
        close_closes_all_circuits_of_the_fleet,
    ),
    ("only_followers_obey", only_followers_obey),
];
