//! Stores that keep the records of a fleet in another way than `Table` answer alike.

mod common;

use async_trait::async_trait;
use breakerbox_fleet::protocol::{Op, Version, Word};
use breakerbox_fleet::store::{
    FleetStore, Hello, Item, Line, Link, NewsSender, Pulled, StoreError, Submitted, Table, news,
};
use common::cas::{CasTable, Kv};
use common::compare::Comparison;
use common::scenarios;
use common::steps::{START, hello, trip};
use std::sync::{Arc, Mutex};

#[test]
fn compare_and_swap_store_answers_like_table() {
    for seed in 0..150 {
        let (mut table, mut cas) = (Table::default(), CasTable::default());
        let compared = Comparison::new(vec![&mut table, &mut cas], START).run_random(seed, 150);
        compared.unwrap_or_else(|difference| panic!("{difference}"));
    }
}

#[test]
fn compare_and_swap_store_trims_like_table() {
    let (mut table, mut cas) = (Table::default(), CasTable::default());
    scenarios::trimming(&mut Comparison::new(vec![&mut table, &mut cas], START));
}

/// Lets another client submit an operation right before the next swap of this one.
fn interrupt(cas: &mut CasTable, op: Op) {
    cas.kv.interruption = Some(Box::new(move |kv: &mut Kv| {
        let mut other = CasTable {
            kv: std::mem::take(kv),
        };
        let (submitted, _) = other.submit(&hello("n2", "i2"), Version(0), &[op], START);
        assert!(!matches!(submitted.answers[0].word, Word::Bad));
        *kv = other.kv;
    }));
}

#[test]
fn lost_race_is_decided_again() {
    let mut cas = CasTable::default();
    interrupt(&mut cas, trip("x", 2));
    let (submitted, messages) = cas.submit(&hello("n1", "i1"), Version(0), &[trip("x", 2)], START);
    // The vote of the other node came first, and counts.
    assert_eq!(submitted.answers[0].word, Word::Opened);
    assert_eq!(messages.len(), 1);
}

#[test]
fn version_of_another_client_shows_in_the_chain() {
    let mut cas = CasTable::default();
    // The other client takes a version before the swap of the head.
    interrupt(&mut cas, trip("z", 1));
    let ops = [trip("a", 1), trip("b", 1)];
    let (_, messages) = cas.submit(&hello("n1", "i1"), Version(0), &ops, START);
    let chain = messages
        .iter()
        .map(|message| (message.previous, message.version));
    let versions = (Version(START.0), Version(START.0 + 2));
    assert_eq!(chain.collect::<Vec<_>>(), [versions]);
}

/// The adapter between [`CasTable`] and the traits of a store.
#[derive(Clone, Default)]
struct CasStore {
    shared: Arc<Mutex<(CasTable, Vec<NewsSender>)>>,
}

struct CasLine {
    store: CasStore,
    hello: Hello,
}

#[async_trait]
impl FleetStore for CasStore {
    async fn connect(&self, hello: &Hello) -> Result<Link, StoreError> {
        let (sender, news) = news();
        self.shared.lock().unwrap().1.push(sender);
        let line = CasLine {
            store: self.clone(),
            hello: hello.clone(),
        };
        Ok(Link::new(line, news))
    }
}

#[async_trait]
impl Line for CasLine {
    async fn submit(&mut self, seen: Version, ops: &[Op]) -> Result<Submitted, StoreError> {
        let mut shared = self.store.shared.lock().unwrap();
        let (submitted, messages) = shared.0.submit(&self.hello, seen, ops, START);
        for message in messages {
            shared
                .1
                .retain(|subscriber| subscriber.tell(message.clone()));
        }
        Ok(submitted)
    }

    async fn pull(&mut self, since: Version, limit: usize) -> Result<Pulled, StoreError> {
        let mut shared = self.store.shared.lock().unwrap();
        Ok(shared.0.pull(&self.hello, since, limit, START))
    }

    async fn leave(&mut self) -> Result<(), StoreError> {
        self.store.shared.lock().unwrap().0.leave(&self.hello);
        Ok(())
    }
}

#[tokio::test]
async fn store_without_scripts_implements_the_traits() {
    let store: Box<dyn FleetStore> = Box::new(CasStore::default());
    let mut one = store.connect(&hello("n1", "i1")).await.unwrap();
    let mut other = store.connect(&hello("n2", "i2")).await.unwrap();
    let submitted = one.line.submit(Version(0), &[trip("x", 1)]).await.unwrap();
    let Item::Told(message) = other.news.next().await else {
        panic!("no message")
    };
    assert_eq!(
        (message.version, message.instance.as_str()),
        (submitted.head, "i1")
    );
    let pulled = other.line.pull(Version(0), 10).await.unwrap();
    assert_eq!(pulled.records, message.records);
    one.line.leave().await.unwrap();
    assert_eq!(
        other.line.pull(Version(0), 10).await.unwrap().members,
        ["n2/i2"]
    );
}
