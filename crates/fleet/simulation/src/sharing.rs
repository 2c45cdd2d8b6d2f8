//! [`Sharing`]: the policy of the nodes, in a form that the checker can read.

use breakerbox_fleet::Share;
use std::fmt;

/// How the nodes of a run share their circuits. See [`Share`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// [`Share::quorum`].
    Quorum(u16),
    /// [`Share::always`].
    Always,
    /// [`Share::with_evidence`].
    Evidence(u32),
    /// [`Share::observe`].
    Observe,
    /// [`Share::local`].
    Local,
}

impl Sharing {
    /// Returns the policy.
    pub fn share(self) -> Share {
        match self {
            Self::Quorum(nodes) => Share::quorum(nodes),
            Self::Always => Share::always(),
            Self::Evidence(failures) => Share::with_evidence(failures),
            Self::Observe => Share::observe(),
            Self::Local => Share::local(),
        }
    }

    /// Returns `true` if each node follows the fleet without further conditions.
    pub fn adopts(self) -> bool {
        matches!(self, Self::Quorum(_) | Self::Always)
    }

    /// Returns the number of nodes that open a circuit of the fleet.
    pub fn quorum(self) -> usize {
        match self {
            Self::Quorum(nodes) => nodes.into(),
            Self::Observe => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.share().fmt(f)
    }
}
