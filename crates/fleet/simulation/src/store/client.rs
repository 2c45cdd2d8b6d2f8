//! [`SimStore`]: the connection of a node to the simulated store.

use crate::world::{Body, World};
use async_trait::async_trait;
use breakerbox_fleet::protocol::{Command, Op, Version};
use breakerbox_fleet::store::{
    Commanded, FleetStore, Hello, Line, Link, Pulled, StoreError, Submitted,
};
use std::sync::Arc;
use tokio::sync::oneshot;

/// The store as one run of one node reaches it.
#[derive(Clone)]
pub(crate) struct SimStore {
    pub(crate) world: Arc<World>,
    pub(crate) node: usize,
    /// Counts the starts of the node. Nothing of an earlier run reaches the store.
    pub(crate) run: u32,
}

#[async_trait]
impl FleetStore for SimStore {
    async fn connect(&self, hello: &Hello) -> Result<Link, StoreError> {
        let (link, news) = self.world.connect(self.node, self.run, hello).await?;
        let sender = SimLine {
            world: Arc::clone(&self.world),
            link,
        };
        Ok(Link::new(sender, news))
    }
}

struct SimLine {
    world: Arc<World>,
    link: u64,
}

async fn answer<T>(reply: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    let lost = || Err(StoreError::Disconnected("the connection was killed".into()));
    reply.await.unwrap_or_else(|_| lost())
}

#[async_trait]
impl Line for SimLine {
    async fn submit(&mut self, seen: Version, ops: &[Op]) -> Result<Submitted, StoreError> {
        let (reply, receiver) = oneshot::channel();
        let ops = ops.to_vec();
        self.world.send(
            self.link,
            Body::Submit {
                seen,
                ops,
                reply: Some(reply),
            },
        );
        answer(receiver).await
    }

    async fn pull(&mut self, since: Version, limit: usize) -> Result<Pulled, StoreError> {
        let (reply, receiver) = oneshot::channel();
        self.world.send(
            self.link,
            Body::Pull {
                since,
                limit,
                reply,
            },
        );
        answer(receiver).await
    }

    async fn command(&mut self, seen: Version, command: &Command) -> Result<Commanded, StoreError> {
        let (reply, receiver) = oneshot::channel();
        let command = command.clone();
        self.world.send(
            self.link,
            Body::Command {
                seen,
                command,
                reply: Some(reply),
            },
        );
        answer(receiver).await
    }

    async fn leave(&mut self) -> Result<(), StoreError> {
        let (reply, receiver) = oneshot::channel();
        self.world.send(self.link, Body::Leave { reply });
        answer(receiver).await
    }
}

impl Drop for SimLine {
    fn drop(&mut self) {
        self.world.close(self.link);
    }
}
