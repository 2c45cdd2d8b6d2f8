//! Bounds: what a node keeps is limited by its registry, and not by what it is told.

use breakerbox_fleet::FleetStatus;

/// Returns what is out of bounds at a node whose registry has `circuits` breakers.
pub(crate) fn excess(status: &FleetStatus, circuits: usize) -> Option<String> {
    let FleetStatus {
        known,
        open,
        leases,
        ..
    } = *status;
    let is_within = known.max(open).max(leases) <= circuits;
    (!is_within)
        .then(|| format!("{known} known, {open} open, {leases} leases of {circuits} circuits"))
}
