//! [`Tally`]: how many circuits are open with the fleet, and how many leases this node holds.

use super::track::Track;

/// How many circuits are open with the fleet, and how many leases this node holds.
///
/// Counted with each change of a track, so that a status costs no pass over all circuits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) open: usize,
    pub(crate) leases: usize,
}

impl Tally {
    /// Returns what one track contributes.
    pub(crate) fn of(track: &Track) -> Self {
        Self {
            open: track.joined.is_some().into(),
            leases: track.lease.is_some().into(),
        }
    }

    /// Replaces what a track contributed by what it contributes now.
    pub(crate) fn update(&mut self, before: Self, track: &Track) {
        let after = Self::of(track);
        self.open = self.open + after.open - before.open;
        self.leases = self.leases + after.leases - before.leases;
    }
}
