//! [`NodeId`]: the identity of a member of the fleet.

use std::fmt;
use std::sync::Arc;

/// The identity of a member of a fleet: a node, and an instance of it.
///
/// The *instance* is unique to one started fleet. It identifies the sender of messages and heartbeats.
/// The *node* is the fault domain: votes count distinct nodes, so two instances of one node never form
/// a quorum.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeId {
    node: Arc<str>,
    instance: Arc<str>,
}

impl NodeId {
    /// The allowed characters of a node, which is also the charset of namespaces.
    pub(crate) fn is_valid(label: &str) -> bool {
        let is_allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
        matches!(label.len(), 1..=64) && label.bytes().all(is_allowed) && label != "-"
    }

    /// Creates an identity.
    ///
    /// # Errors
    ///
    /// Returns `None` unless both labels are 1 to 64 characters of `[A-Za-z0-9._:-]`, and not `-`.
    pub fn new(node: &str, instance: &str) -> Option<Self> {
        let is_valid = Self::is_valid(node) && Self::is_valid(instance);
        is_valid.then(|| Self {
            node: node.into(),
            instance: instance.into(),
        })
    }

    /// Returns the fault domain.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Returns the unique name of the instance.
    pub fn instance(&self) -> &str {
        &self.instance
    }
}

/// Displays the node and the instance, as in the list of members: `web-7/web-7-4711-0a1b2c3d`.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.instance)
    }
}
