//! One directed scenario for each decision of the protocol.

use breakerbox_fleet_simulation::Outcome;
use breakerbox_fleet_simulation::scenarios::{self, Setup};

/// Runs a scenario with some seeds, and fails with its trace.
fn keeps(scenario: impl Fn(Setup) -> Outcome, seeds: u64) {
    for seed in 0..seeds {
        let setup = Setup {
            seed,
            ..Setup::default()
        };
        let outcome = scenario(setup);
        if let Some(first) = outcome.violations.first() {
            let trace = scenario(Setup {
                is_traced: true,
                ..setup
            })
            .trace;
            panic!("seed {seed}: {first}\n{trace}");
        }
    }
}

macro_rules! scenarios {
    ($($name:ident $seeds:literal)*) => {
        $(
            #[test]
            fn $name() {
                keeps(scenarios::$name, $seeds);
            }
        )*
    };
}

scenarios! {
    flushed_store_closes_no_circuit 3
    followers_restore_the_record_of_a_dead_owner 3
    lease_and_verdict_on_lost_record_count 3
    circuits_recover_when_the_store_is_gone 3
    lone_node_opens_after_a_minute 3
    fresh_store_gives_no_node_a_quorum 3
    paused_trip_does_not_reopen_a_recovered_fleet 3
    slow_trip_does_not_reopen_a_recovered_fleet 3
    close_in_the_future_rejects_no_trip 3
    stale_answer_closes_a_circuit_once 3
    late_messages_change_nothing 3
    versions_rise_across_a_failover 3
    vote_lives_while_its_circuit_is_open 3
    closed_circuit_withdraws_its_vote 3
    opening_deletes_all_votes 3
    one_bad_node_opens_no_other_circuit 3
    instances_of_one_node_have_one_vote 3
    instances_of_one_node_hear_of_each_other 3
    votes_for_forgotten_names_leave_the_store 1
    one_node_tries_at_a_time 3
    node_waits_for_a_lease_whose_answer_is_late 3
    lost_answer_does_not_block_its_own_asker 3
    holder_without_a_connection_stops_in_time 10
    lease_counts_from_the_request 3
    late_hint_lengthens_no_record 10
    verdict_after_the_lease_does_not_count 3
    lease_of_a_crashed_holder_ends 3
    late_joiner_follows_a_lease 3
    lease_outlives_the_retention 1
    node_with_a_bad_path_asks_last 3
    idle_circuit_costs_only_pulls 1
    ten_thousand_idle_circuits_cost_only_pulls 1
    late_joiner_reads_all_pages 1
    late_joiner_ignores_an_ended_record 3
    breaker_created_later_follows 3
    hint_of_one_node_stops_no_other 3
    hint_of_the_opener_counts_for_all 3
    owner_stays_open_beyond_the_limit_of_the_fleet 3
    close_keeps_the_attempt 3
    evidence_of_a_node_decides 3
    observer_follows_no_opening 3
    local_circuit_reaches_no_store 1
    pull_finds_what_no_message_said 3
    nodes_close_within_the_spread 3
    reset_circuit_stays_closed 3
    circuit_tripped_by_a_command_stays_local 3
    special_states_are_left_alone 3
    command_reaches_all_nodes 3
    command_ends_by_itself 3
    command_survives_a_flush 3
    released_command_never_returns 3
    local_command_wins_until_the_next_one 3
    crossing_commands_agree 3
    forced_open_circuit_has_no_trials 3
    close_closes_all_circuits_of_the_fleet 3
    only_followers_obey 3
}
