//! [`FleetStore`] and [`Line`]: what a store implements.

use super::error::StoreError;
use super::hello::Hello;
use super::news::News;
use crate::protocol::{Answer, Command, CommandWord, Micros, Op, RecordView, Version};
use async_trait::async_trait;

/// A store of a fleet.
///
/// An implementation applies operations with [`transition`](crate::protocol::transition), or with a
/// translation of it.
#[async_trait]
pub trait FleetStore: Send + Sync + 'static {
    /// Opens one connection, subscribed to changes. The fleet connects again when it ends.
    ///
    /// # Errors
    ///
    /// Returns a [`StoreError`] if the store cannot be reached.
    async fn connect(&self, hello: &Hello) -> Result<Link, StoreError>;
}

/// One connection to a store.
#[non_exhaustive]
pub struct Link {
    /// Sends operations.
    pub line: Box<dyn Line>,
    /// Receives changes.
    pub news: News,
}

impl Link {
    /// Creates a connection.
    pub fn new(line: impl Line + 'static, news: News) -> Self {
        Self {
            line: Box::new(line),
            news,
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("news", &self.news)
            .finish_non_exhaustive()
    }
}

/// The sending half of a connection.
#[async_trait]
pub trait Line: Send {
    /// Applies operations in order, each one atomically. `seen` is the latest version that the sender
    /// knows. Also a heartbeat.
    ///
    /// # Errors
    ///
    /// Returns a [`StoreError`] if it is unknown whether the operations were applied. An operation that
    /// failed alone is answered with [`Word::Failed`](crate::protocol::Word::Failed).
    async fn submit(&mut self, seen: Version, ops: &[Op]) -> Result<Submitted, StoreError>;

    /// Returns the records that changed after `since`, oldest first, at most `limit`, which is cut to 1 to
    /// [`MAX_PAGE`](crate::protocol::MAX_PAGE). Also a heartbeat.
    ///
    /// # Errors
    ///
    /// Returns a [`StoreError`] if the store does not answer.
    async fn pull(&mut self, since: Version, limit: usize) -> Result<Pulled, StoreError>;

    /// Applies a command of an operator. `seen` is the latest version that the sender knows.
    ///
    /// # Errors
    ///
    /// * [`StoreError::Denied`] if the sender may give no commands, [`StoreError::Protocol`] if the commands
    ///   cannot be read, and [`StoreError::ReadOnly`] if the store accepts no writes. The connection works
    ///   nevertheless.
    /// * any other [`StoreError`] if it is unknown whether the command was applied, or if the store keeps
    ///   no commands, as by default
    async fn command(&mut self, seen: Version, command: &Command) -> Result<Commanded, StoreError> {
        let _ = (seen, command);
        Err(StoreError::Denied("this store keeps no commands".into()))
    }

    /// Removes this instance from the members.
    ///
    /// # Errors
    ///
    /// Returns a [`StoreError`] if the store does not answer. The instance then leaves after
    /// [`NODE_TTL`](crate::protocol::NODE_TTL).
    async fn leave(&mut self) -> Result<(), StoreError>;
}

/// The answer to [`Line::submit`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submitted {
    /// The latest version of the store.
    pub head: Version,
    /// The time of the store.
    pub now: Micros,
    /// The number of instances seen during the last [`NODE_TTL`](crate::protocol::NODE_TTL).
    pub nodes: u64,
    /// Whether the changes were written but could not be published.
    pub is_unpublished: bool,
    /// One answer per operation, in the same order.
    pub answers: Vec<Answer>,
}

/// The answer to [`Line::command`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commanded {
    /// The latest version of the store.
    pub head: Version,
    /// The time of the store.
    pub now: Micros,
    /// What became of the command.
    pub word: CommandWord,
    /// Whether the command counts, but could not be published.
    pub is_unpublished: bool,
    /// All commands of the store.
    pub commands: Vec<Command>,
}

/// The answer to [`Line::pull`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// The latest version of the store.
    pub head: Version,
    /// The cursor of the next pull: the version of the last record that was looked at.
    pub next: Version,
    /// Whether more records follow.
    pub more: bool,
    /// The time of the store.
    pub now: Micros,
    /// The number of instances seen during the last [`NODE_TTL`](crate::protocol::NODE_TTL).
    pub nodes: u64,
    /// The same instances, as `node/instance`, in the order of their names, at most
    /// [`MAX_PAGE`](crate::protocol::MAX_PAGE). Only the first page of a full pull lists them.
    pub members: Vec<String>,
    /// Why the store accepts no writes, if it does not.
    pub read_only: Option<String>,
    /// The records.
    pub records: Vec<RecordView>,
    /// All commands, or `None` if the store keeps none, or does not let this instance read them.
    pub commands: Option<Vec<Command>>,
}
