//! [`TapStore`]: a store that notes what reaches its node.

use super::ledger::Ledger;
use async_trait::async_trait;
use breakerbox_fleet::protocol::{Op, RecordView, Version};
use breakerbox_fleet::store::{
    FleetStore, Hello, Item, Line, Link, News, NewsSender, Pulled, StoreError, Submitted, news,
};
use breakerbox_redis::RedisStore;
use std::sync::Arc;

/// The store of one node, between the engine and the real one.
pub(crate) struct TapStore {
    pub(crate) store: RedisStore,
    pub(crate) node: usize,
    pub(crate) ledger: Arc<Ledger>,
    /// Answers of the store that the engine gets wrong, to see that the checks notice.
    pub(crate) lies: bool,
}

struct TapLine {
    line: Box<dyn Line>,
    tap: Tap,
    lies: bool,
}

#[derive(Clone)]
struct Tap {
    node: usize,
    ledger: Arc<Ledger>,
}

impl Tap {
    fn delivered(&self, views: Vec<RecordView>) {
        let node = self.node;
        self.ledger
            .note(move |audit, now| audit.delivered(now, node, views.iter()));
    }
}

#[async_trait]
impl FleetStore for TapStore {
    async fn connect(&self, hello: &Hello) -> Result<Link, StoreError> {
        let Link {
            line, news: heard, ..
        } = self.store.connect(hello).await?;
        let tap = Tap {
            node: self.node,
            ledger: Arc::clone(&self.ledger),
        };
        let (sender, news) = news();
        tokio::spawn(pass_on(heard, sender, tap.clone()));
        let lies = self.lies;
        Ok(Link::new(TapLine { line, tap, lies }, news))
    }
}

async fn pass_on(mut heard: News, sender: NewsSender, tap: Tap) {
    loop {
        match heard.next().await {
            Item::Told(message) => {
                tap.delivered(message.records.clone());
                if !sender.tell(message) {
                    return;
                }
            }
            Item::Gap => sender.gap(),
            Item::Ended(error) => {
                sender.end(error);
                return;
            }
        }
    }
}

#[async_trait]
impl Line for TapLine {
    async fn submit(&mut self, seen: Version, ops: &[Op]) -> Result<Submitted, StoreError> {
        let mut submitted = self.line.submit(seen, ops).await?;
        let views = submitted.answers.iter().map(|answer| answer.view.clone());
        self.tap.delivered(views.collect());
        if self.lies {
            for answer in &mut submitted.answers {
                if answer.word == breakerbox_fleet::protocol::Word::Taken {
                    answer.word = breakerbox_fleet::protocol::Word::Granted;
                }
            }
        }
        Ok(submitted)
    }

    async fn pull(&mut self, since: Version, limit: usize) -> Result<Pulled, StoreError> {
        let pulled = self.line.pull(since, limit).await?;
        let node = self.tap.node;
        if since == Version(0) {
            self.tap.ledger.note(move |audit, _| audit.forgot(node));
        }
        self.tap.delivered(pulled.records.clone());
        Ok(pulled)
    }

    async fn leave(&mut self) -> Result<(), StoreError> {
        self.line.leave().await
    }
}
