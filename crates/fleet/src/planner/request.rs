//! [`Request`]: what a planner sends to the store.

use super::operation::Sent;
use crate::protocol::{Command, Op, Version};
use std::sync::Arc;

/// A request to the store. One is on its way at a time.
#[derive(Debug)]
pub(crate) enum Request {
    Pull {
        since: Version,
        limit: usize,
    },
    Submit {
        seen: Version,
        ops: Vec<Op>,
        names: Vec<(Arc<str>, Sent)>,
        /// The circuits whose closes follow these operations.
        closes: Vec<Arc<str>>,
        /// The cursor when the request was made.
        cursor: Version,
    },
    Command {
        seen: Version,
        command: Command,
    },
}
