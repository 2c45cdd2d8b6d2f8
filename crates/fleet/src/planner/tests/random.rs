//! Random faults. The tests of the fleet as a whole have more of them; these are quick.

use super::support::*;
use crate::planner::Mutants;
use crate::protocol::Phase;
use crate::share::Share;
use crate::store::Table;
use breakerbox::{CircuitBreaker, Outcome, Permit, State};
use std::time::Duration;

/// What one run has seen.
#[derive(Debug, Default)]
struct Findings {
    /// Two nodes tried with leases at the same time.
    overlaps: u32,
    /// A linked node tried without a lease.
    unleased: u32,
    /// Whether the fleet agrees at the end.
    agrees: bool,
    failed_calls: u32,
}

fn run(seed: u64, share: Share, mutants: Mutants, store_faults: bool) -> Findings {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = World::with(5, share, mutants, |builder| {
        let settings = CircuitBreaker::builder().recovery_timeout(secs(5));
        builder.default_preset(settings)
    });
    world.rng = fastrand::Rng::with_seed(seed ^ 1);
    world.delay = ms(40);
    let mut findings = Findings::default();
    let mut linked_since = [Duration::ZERO; 5];
    let mut judged_from = Duration::ZERO;
    // The last node has no calls: it learns everything from others.
    let mut rates: Vec<f64> = (0..4).map(|_| 0.02 + rng.f64() * 0.3).collect();
    rates.push(0.0);
    let mut calls: Vec<(Duration, Permit, bool)> = Vec::new();
    let (outage, end) = ((secs(10), secs(50)), secs(140));
    while world.now() < end {
        let now = world.now();
        let down = now >= outage.0 && now < outage.1;
        for (index, rate) in rates.iter().enumerate() {
            if rng.f64() >= *rate || world.nodes[index].frozen {
                continue;
            }
            let node = &world.nodes[index];
            if let Ok(permit) = node.breaker.try_acquire() {
                findings.failed_calls += u32::from(down);
                let is_slow = rng.u32(..4) == 0;
                let time = if is_slow { secs(8) } else { ms(50) };
                calls.push((now + time.mul_f64(rng.f64()), permit, down));
            }
        }
        let (ended, running): (Vec<_>, _) = calls.into_iter().partition(|(end, ..)| *end <= now);
        calls = running;
        for (_, permit, fails) in ended {
            if fails {
                permit.failure();
            } else {
                permit.success();
            }
        }
        if now < secs(80) && rng.u32(..200) == 0 {
            fault(&mut world, &mut rng, store_faults, &mut judged_from);
        }
        if now >= secs(80) {
            world.available = true;
            world.drops_messages = false;
            world
                .nodes
                .iter_mut()
                .for_each(|node| (node.frozen, node.cut) = (false, false));
        }
        world.run(ms(25));
        check(&world, &mut linked_since, judged_from, share, &mut findings);
    }
    for (_, permit, _) in calls {
        permit.record(Outcome::Ignored);
    }
    // A node without calls may wait for its first one.
    let is_silent = |state: State| state == State::Closed || state == State::HalfOpen;
    let states = world.states();
    let closed = states[..4] == [State::Closed; 4] && is_silent(states[4]);
    // A record that has ended keeps no circuit open, and is replaced by the next trip.
    let record = world.record();
    findings.agrees = closed && record.left.is_zero() && record.phase != Phase::Votes;
    findings
}

fn fault(
    world: &mut World,
    rng: &mut fastrand::Rng,
    store_faults: bool,
    judged_from: &mut Duration,
) {
    match rng.u32(..8) {
        0 => world.available = false,
        1 | 2 => world.available = true,
        3 => world.drops_messages = !world.drops_messages,
        4 => {
            let node = rng.usize(..world.nodes.len());
            world.nodes[node].frozen = !world.nodes[node].frozen;
        }
        5 | 6 => {
            let node = rng.usize(..world.nodes.len());
            world.nodes[node].cut = !world.nodes[node].cut;
        }
        _ if store_faults => {
            world.table = Table::default();
            world.skew = rng.i64(-2_000_000..2_000_000);
            *judged_from = world.now() + secs(15);
        }
        _ => {}
    }
}

fn check(
    world: &World,
    linked_since: &mut [Duration; 5],
    judged_from: Duration,
    share: Share,
    findings: &mut Findings,
) {
    let now = world.now();
    let mut holders = 0;
    for (index, node) in world.nodes.iter().enumerate() {
        if !node.connected || node.frozen || !node.planner.is_synced() {
            linked_since[index] = now;
        }
        let half_open = world.state(index) == State::HalfOpen;
        let tracks = node.planner.tracks.values();
        let mut leases = tracks.filter_map(|track| track.lease.as_ref());
        let holds = leases.any(|lease| lease.trying && !lease.failed);
        holders += u32::from(half_open && holds && !node.frozen);
        // While the fleet is closed, or knows nothing, half-open circuits are local.
        let is_known = matches!(world.phase(), Phase::Open | Phase::Leased);
        let tries = node
            .breaker
            .snapshot()
            .in_flight
            .is_some_and(|trials| trials > 0);
        let linked = now.saturating_sub(linked_since[index]) > secs(6);
        if half_open && tries && is_known && !holds && linked && share == Share::always() {
            findings.unleased += 1;
        }
    }
    if holders > 1 && now > judged_from {
        findings.overlaps += 1;
    }
}

/// The number of runs of each test and policy.
fn seeds() -> u64 {
    let seeds = std::env::var("FLEET_SEEDS").ok();
    seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(6)
}

#[test]
fn network_faults_break_no_invariant() {
    for seed in 0..seeds() {
        for share in [Share::always(), Share::quorum(2)] {
            let findings = run(seed, share, Mutants::default(), false);
            let is_good = findings.overlaps == 0 && findings.unleased == 0 && findings.agrees;
            assert!(is_good, "seed {seed}, {share}: {findings:?}");
        }
    }
}

#[test]
fn store_faults_break_no_invariant() {
    for seed in 1_000..1_000 + seeds() {
        for share in [Share::always(), Share::quorum(2)] {
            let findings = run(seed, share, Mutants::default(), true);
            let is_good = findings.overlaps == 0 && findings.unleased == 0 && findings.agrees;
            assert!(is_good, "seed {seed}, {share}: {findings:?}");
        }
    }
}

/// Whether one of the first runs breaks an invariant.
fn is_found(mutants: Mutants) -> bool {
    (0..40).any(|seed| {
        let findings = run(seed, Share::always(), mutants, false);
        findings.overlaps > 0 || findings.unleased > 0 || !findings.agrees
    })
}

#[test]
fn deadline_without_extension_is_found() {
    let mutants = Mutants {
        no_extension: true,
        ..Mutants::default()
    };
    assert!(is_found(mutants));
}

#[test]
fn missing_pulls_are_found() {
    let mutants = Mutants {
        no_pull: true,
        ..Mutants::default()
    };
    assert!(is_found(mutants));
}
