//! [`Unreliable`]: the store of a fleet that is away at times, and loses messages.

use async_trait::async_trait;
use breakerbox_fleet::FleetStore;
use breakerbox_fleet::protocol::{Op, Version};
use breakerbox_fleet::store::{
    Hello, Item, Line, Link, Memory, News, NewsSender, Pulled, StoreError, Submitted, news,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The way of one instance to the store. A clone is the same way.
#[derive(Clone)]
pub(crate) struct Unreliable {
    memory: Memory,
    is_away: Arc<AtomicBool>,
}

impl Unreliable {
    pub(crate) fn new(memory: Memory) -> Self {
        let is_away = Arc::default();
        Self { memory, is_away }
    }

    pub(crate) fn set_away(&self, is_away: bool) {
        // Ordering: `Relaxed`, because the flag publishes nothing.
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Disconnected("the store is away".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl FleetStore for Unreliable {
    async fn connect(&self, hello: &Hello) -> Result<Link, StoreError> {
        self.check()?;
        let Link {
            line, news: from, ..
        } = self.memory.connect(hello).await?;
        let (to, received) = news();
        tokio::spawn(forward(from, to));
        let store = self.clone();
        Ok(Link::new(UnreliableLine { store, line }, received))
    }
}

/// Passes messages on, and loses one of three.
async fn forward(mut from: News, to: NewsSender) {
    for number in 1_u64.. {
        let Item::Told(message) = from.next().await else {
            break;
        };
        if number % 3 != 2 && !to.tell(message) {
            break;
        }
    }
}

struct UnreliableLine {
    store: Unreliable,
    line: Box<dyn Line>,
}

#[async_trait]
impl Line for UnreliableLine {
    async fn submit(&mut self, seen: Version, ops: &[Op]) -> Result<Submitted, StoreError> {
        self.store.check()?;
        self.line.submit(seen, ops).await
    }

    async fn pull(&mut self, since: Version, limit: usize) -> Result<Pulled, StoreError> {
        self.store.check()?;
        self.line.pull(since, limit).await
    }

    async fn leave(&mut self) -> Result<(), StoreError> {
        self.store.check()?;
        self.line.leave().await
    }
}
