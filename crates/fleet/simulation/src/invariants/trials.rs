//! Trials: with a lease, and not after it.

use super::{Audit, REACTION};
use breakerbox_fleet::protocol::Phase;
use std::time::Duration;

/// Returns `true` if the node holds the lease of the circuit.
pub(super) fn holds(audit: &mut Audit, now: Duration, node: usize, name: &str) -> bool {
    let lease = &audit.circuit(node, name).lease;
    lease.as_ref().is_some_and(|lease| now <= lease.ends)
}

/// No leased trial starts after the end of its lease.
///
/// A half-open period that began with a lease ends with it. Later, time alone half-opens the circuit.
pub(super) fn ends_with_its_lease(audit: &mut Audit, now: Duration, node: usize, name: &str) {
    let (resumed, allowed) = (audit.nodes[node].resumed, audit.half_open_calls);
    let circuit = audit.circuit(node, name);
    let Some(lease) = &circuit.lease else { return };
    let is_leased = circuit.half_open.is_some_and(|began| began < lease.ends);
    let is_late = is_leased && now > lease.ends;
    // The timers of a node that was paused run after its first calls.
    let was_paused = resumed + REACTION > now && circuit.trials_since_resumed < allowed;
    if is_late && !was_paused {
        let late = now.saturating_sub(lease.ends);
        let what = format!("{name}: trial at n{node}, {late:?} after its lease");
        audit.report(now, "no trial after its lease", what);
    }
}

/// A node that has been linked for longer than grace and lease starts no trial without a lease.
pub(super) fn needs_a_lease(
    audit: &mut Audit,
    now: Duration,
    node: usize,
    name: &str,
    linked: Option<Duration>,
) {
    let settled = audit.grace + audit.lease;
    let is_linked = linked.is_some_and(|linked| linked > settled);
    let was_paused =
        audit.nodes[node].resumed > Duration::ZERO && audit.nodes[node].resumed + settled > now;
    if !is_linked || was_paused || !audit.nodes[node].adopts || holds(audit, now, node, name) {
        return;
    }
    let record = audit.record(name);
    let is_shared = matches!(record.phase, Phase::Open | Phase::Leased);
    let circuit = audit.circuit(node, name);
    // A circuit that opens after the open period of the fleet votes, and is local until the quorum.
    let knows = circuit.known.is_some_and(|known| {
        matches!(known.phase, Phase::Open | Phase::Leased)
            && known.at + REACTION < now
            && known.end > circuit.opened
    });
    if is_shared && knows && !circuit.has_command {
        let what =
            format!("{name}: trial at n{node}, which knows that the fleet's circuit is open");
        audit.report(now, "no trial without a lease", what);
    }
}
