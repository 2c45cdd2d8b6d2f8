//! [`Tally`]: how many circuits are open with the fleet or follow a command, and how many leases this node
//! holds.

use super::track::{Obedience, Track};

/// How many circuits are open with the fleet or follow a command, and how many leases this node holds.
///
/// Counted with each change of a track, so that a status costs no pass over all circuits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) open: usize,
    pub(crate) leases: usize,
    /// Circuits that follow a command of an operator.
    pub(crate) commanded: usize,
    /// Circuits that do not follow it, because a local command came later.
    pub(crate) overruled: usize,
}

impl Tally {
    /// Returns what one track contributes.
    pub(crate) fn of(track: &Track) -> Self {
        Self {
            open: track.joined.is_some().into(),
            leases: track.lease.is_some().into(),
            commanded: (track.obedience == Obedience::Follows).into(),
            overruled: (track.obedience == Obedience::Overruled).into(),
        }
    }

    /// Replaces what a track contributed by what it contributes now.
    pub(crate) fn update(&mut self, before: Self, track: &Track) {
        let after = Self::of(track);
        self.open = self.open + after.open - before.open;
        self.leases = self.leases + after.leases - before.leases;
        self.commanded = self.commanded + after.commanded - before.commanded;
        self.overruled = self.overruled + after.overruled - before.overruled;
    }
}
