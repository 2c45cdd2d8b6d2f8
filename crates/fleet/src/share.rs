//! [`Share`]: how far a node shares a circuit, and follows the circuits of others.

use crate::error::ConfigError;
use crate::protocol::MAX_QUORUM;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How far a node shares a circuit with its fleet.
///
/// The default is [`quorum(2)`](Share::quorum).
///
/// # Examples
///
/// ```
/// use breakerbox::BreakerRegistry;
/// use breakerbox_fleet::store::Memory;
/// use breakerbox_fleet::{Fleet, Share};
///
/// let registry = BreakerRegistry::new();
/// let builder = Fleet::builder(&registry, Memory::new())
///     .share(Share::quorum(3))
///     .share_for("payments:", Share::always())
///     .share_for("tenant:", Share::local());
/// assert_eq!(Share::quorum(3).to_string(), "quorum of 3");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(Policy);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Quorum(u16),
    Always,
    WithEvidence(u32),
    Observe,
    Local,
}

impl Share {
    /// The circuit opens everywhere as soon as the circuits of `nodes` nodes are open: 1 to 64.
    ///
    /// Below the quorum, each circuit is local, including its trials. One node with a broken network
    /// therefore stops no other node. A node that has been the only one for a minute needs no quorum.
    ///
    /// A quorum of 2 never shares anything between two nodes of which one has no calls. Use
    /// [`always`](Share::always) for these.
    pub const fn quorum(nodes: u16) -> Self {
        Self(Policy::Quorum(nodes))
    }

    /// The circuit opens everywhere as soon as one opens.
    ///
    /// A node with a broken network then stops all other nodes.
    pub const fn always() -> Self {
        Self(Policy::Always)
    }

    /// As [`always`](Share::always), but a circuit follows only if it has recorded this number of
    /// failures: at least 1.
    ///
    /// The failures are those of [`View::recorded_failures`](breakerbox::fleet::View). They are
    /// compared while the open period of the fleet lasts.
    pub const fn with_evidence(failures: u32) -> Self {
        Self(Policy::WithEvidence(failures))
    }

    /// The node reports its openings as with [`quorum(2)`](Share::quorum), but follows no other node.
    /// [`FleetEvent::Ignored`](crate::FleetEvent::Ignored) reports what would have been adopted.
    ///
    /// Its circuits are local, including their trials. For rollouts.
    pub const fn observe() -> Self {
        Self(Policy::Observe)
    }

    /// The circuit is not shared. Its name never leaves the process.
    pub const fn local() -> Self {
        Self(Policy::Local)
    }

    pub(crate) const fn policy(self) -> Policy {
        self.0
    }

    pub(crate) fn check(self, field: &'static str) -> Result<(), ConfigError> {
        match self.0 {
            Policy::Quorum(nodes) if !(1..=MAX_QUORUM).contains(&nodes) => {
                Err(ConfigError::new(field, self, "a quorum of 1 to 64"))
            }
            Policy::WithEvidence(0) => {
                Err(ConfigError::new(field, self, "with evidence of at least 1"))
            }
            _ => Ok(()),
        }
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::quorum(2)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Policy::Quorum(nodes) => write!(f, "quorum of {nodes}"),
            Policy::Always => f.write_str("always"),
            Policy::WithEvidence(failures) => write!(f, "with evidence of {failures}"),
            Policy::Observe => f.write_str("observe"),
            Policy::Local => f.write_str("local"),
        }
    }
}

impl Policy {
    /// The quorum of a trip.
    pub(crate) fn quorum(self) -> u16 {
        match self {
            Self::Quorum(nodes) => nodes,
            Self::Observe => 2,
            Self::Always | Self::WithEvidence(_) | Self::Local => 1,
        }
    }

    /// Whether a circuit with this number of recorded failures follows the fleet.
    pub(crate) fn adopts(self, recorded_failures: u32) -> bool {
        match self {
            Self::Quorum(_) | Self::Always => true,
            Self::WithEvidence(failures) => recorded_failures >= failures,
            Self::Observe | Self::Local => false,
        }
    }
}

/// The policy of each name: that of the longest prefix, or the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    default: Share,
    prefixes: BTreeMap<Arc<str>, Share>,
}

impl Shares {
    pub(crate) fn set_default(&mut self, share: Share) {
        self.default = share;
    }

    pub(crate) fn set(&mut self, prefix: &str, share: Share) {
        self.prefixes.insert(prefix.into(), share);
    }

    pub(crate) fn of(&self, name: &str) -> Share {
        let ends = (0..=name.len()).rev();
        let mut found = ends
            .filter(|end| name.is_char_boundary(*end))
            .filter_map(|end| self.prefixes.get(&name[..end]));
        if self.prefixes.is_empty() {
            return self.default;
        }
        found.next().copied().unwrap_or(self.default)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.default.check("share")?;
        self.prefixes
            .values()
            .try_for_each(|share| share.check("share_for"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_decides() {
        let mut shares = Shares::default();
        shares.set("pay", Share::always());
        shares.set("payments:", Share::local());
        shares.set("é", Share::observe());
        assert_eq!(shares.of("payments:card"), Share::local());
        assert_eq!(shares.of("payout"), Share::always());
        assert_eq!(shares.of("élan"), Share::observe());
        assert_eq!(shares.of("search"), Share::quorum(2));
    }
}
