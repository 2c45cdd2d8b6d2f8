//! [`Hello`]: what a fleet tells a store when it connects.

use crate::protocol::NodeId;
use std::sync::Arc;
use std::time::Duration;

/// What a fleet tells a store when it connects.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hello {
    /// The namespace: fleets of different namespaces share nothing.
    pub namespace: Arc<str>,
    /// The identity of the sender.
    pub node: NodeId,
    /// The longest open period that this fleet believes.
    pub max_open: Duration,
}

impl Hello {
    /// Creates a greeting.
    ///
    /// # Errors
    ///
    /// Returns `None` unless the namespace is 1 to 64 characters of `[A-Za-z0-9._:-]`.
    pub fn new(namespace: &str, node: NodeId, max_open: Duration) -> Option<Self> {
        NodeId::is_valid(namespace).then(|| Self {
            namespace: namespace.into(),
            node,
            max_open,
        })
    }
}
