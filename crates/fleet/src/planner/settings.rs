//! [`Settings`]: what a planner is told by the builder.

use super::mutants::Mutants;
use crate::protocol::NodeId;
use crate::share::Shares;
use std::time::Duration;

/// The checked settings of a fleet.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) node: NodeId,
    pub(crate) shares: Shares,
    pub(crate) grace: Duration,
    pub(crate) lease: Duration,
    pub(crate) close_spread: Duration,
    pub(crate) max_open: Duration,
    pub(crate) accept_commands: bool,
    pub(crate) mutants: Mutants,
}
