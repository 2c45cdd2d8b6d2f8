use async_trait::async_trait;
pub(crate) use breakerbox::BreakerBuilder;
pub(crate) use breakerbox::prelude::*;
use breakerbox_fleet::FleetStore;
use breakerbox_fleet::protocol::{Command, Op, Version};
pub(crate) use breakerbox_fleet::store::Memory;
use breakerbox_fleet::store::{Commanded, Hello, Line, Link, Pulled, StoreError, Submitted};
pub(crate) use breakerbox_fleet::{
    Degradation, Fleet, FleetBuilder, FleetEvent, LinkStatus, Share,
};
use std::future::pending;
pub(crate) use std::sync::{Arc, Mutex};
pub(crate) use std::time::Duration;
use tokio::time::Instant;

pub(crate) const NAME: &str = "users-api";

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One instance of a service.
pub(crate) struct Node {
    pub(crate) registry: BreakerRegistry,
    pub(crate) breaker: CircuitBreaker,
    pub(crate) fleet: Fleet,
    pub(crate) events: Arc<Mutex<Vec<FleetEvent>>>,
}

impl Node {
    pub(crate) fn start(
        index: usize,
        store: impl FleetStore,
        set: impl Fn(FleetBuilder) -> FleetBuilder,
    ) -> Self {
        let registry = BreakerRegistry::new();
        let events = Arc::<Mutex<Vec<_>>>::default();
        let log = events.clone();
        let builder = Fleet::builder(&registry, store)
            .node(format!("node-{index}"))
            .seed(index as u64)
            .on_event(move |event| log.lock().unwrap().push(event.clone()));
        let fleet = set(builder).start().unwrap();
        Self {
            breaker: registry.breaker(NAME),
            registry,
            fleet,
            events,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.breaker.state()
    }

    /// Fails until the circuit opens.
    pub(crate) fn fail(&self) {
        for _ in 0..5 {
            if let Ok(permit) = self.breaker.try_acquire() {
                permit.failure();
            }
        }
    }

    /// Calls the breaker. Returns whether the call was admitted.
    pub(crate) fn call(&self) -> bool {
        self.breaker.try_acquire().map(Permit::success).is_ok()
    }

    pub(crate) fn count(&self, is_such: impl Fn(&FleetEvent) -> bool) -> usize {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| is_such(event)).count()
    }
}

/// Starts a fleet whose nodes are connected.
pub(crate) async fn fleet(nodes: usize, share: Share) -> Vec<Node> {
    let store = Memory::new();
    fleet_on(nodes, share, store).await
}

pub(crate) async fn fleet_on(
    nodes: usize,
    share: Share,
    store: impl FleetStore + Clone,
) -> Vec<Node> {
    let start = |index| Node::start(index, store.clone(), |builder| builder.share(share));
    let nodes: Vec<_> = (0..nodes).map(start).collect();
    for node in &nodes {
        assert!(node.fleet.ready(secs(1)).await);
    }
    nodes
}

/// Starts two nodes. The circuit of the first opens for all, and a trial of the second closes it.
pub(crate) async fn fleet_after_outage() -> Vec<Node> {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(secs(31)).await;
    nodes[1].call();
    until(secs(2), || nodes[1].state() == State::HalfOpen).await;
    nodes[1].call();
    pass(ms(400)).await;
    nodes
}

pub(crate) fn states(nodes: &[Node]) -> Vec<State> {
    nodes.iter().map(Node::state).collect()
}

/// Lets time pass.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Waits until the condition holds. Panics after `time`.
pub(crate) async fn until(time: Duration, condition: impl Fn() -> bool) {
    let end = Instant::now() + time;
    while !condition() {
        assert!(Instant::now() < end, "the condition never holds");
        pass(ms(5)).await;
    }
}

/// A store that can be away, hang, fill up, or lose its memory.
#[derive(Clone, Default)]
pub(crate) struct Faulty(Arc<Mutex<Faults>>);

// The faults are independent of each other.
#[allow(clippy::struct_excessive_bools)]
#[derive(Default)]
pub(crate) struct Faults {
    memory: Memory,
    pub(crate) away: bool,
    pub(crate) hangs: bool,
    pub(crate) full: bool,
    pub(crate) panics: bool,
    /// Whether the store takes commands of operators.
    pub(crate) takes_commands: bool,
    /// How long the answer to a pull takes for each of its records.
    pub(crate) time_per_record: Duration,
    /// The versions from which pulls began.
    pub(crate) pulled_since: Vec<Version>,
    /// The connections that were attempted.
    pub(crate) connects: u32,
    /// The operations that were sent.
    pub(crate) ops: Vec<Op>,
    pub(crate) pulls: u32,
    senders: Vec<breakerbox_fleet::store::NewsSender>,
}

impl Faulty {
    pub(crate) fn set(&self, set: impl FnOnce(&mut Faults)) {
        set(&mut self.0.lock().unwrap());
    }

    pub(crate) fn get<T>(&self, get: impl FnOnce(&Faults) -> T) -> T {
        get(&self.0.lock().unwrap())
    }

    /// Returns a store over the same memory, with faults of its own.
    pub(crate) fn over(memory: &Memory) -> Self {
        let faulty = Self::default();
        faulty.set(|faults| faults.memory = memory.clone());
        faulty
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        let senders = std::mem::take(&mut self.0.lock().unwrap().senders);
        for sender in senders {
            sender.end(gone());
        }
    }

    /// Replaces the store with an empty one, and cuts all connections.
    pub(crate) fn forget(&self) {
        self.set(|faults| faults.memory = Memory::new());
        self.cut();
    }

    async fn check(&self) -> Result<(), StoreError> {
        let (away, hangs, panics) = self.get(|faults| (faults.away, faults.hangs, faults.panics));
        assert!(!panics, "a store that panics");
        if away {
            return Err(gone());
        }
        if hangs {
            pending::<()>().await;
        }
        Ok(())
    }
}

fn gone() -> StoreError {
    StoreError::Disconnected("it is away".into())
}

#[async_trait]
impl FleetStore for Faulty {
    async fn connect(&self, hello: &Hello) -> Result<Link, StoreError> {
        self.set(|faults| faults.connects += 1);
        self.check().await?;
        let memory = self.get(|faults| faults.memory.clone());
        let Link { line, mut news, .. } = memory.connect(hello).await?;
        let (sender, forwarded) = breakerbox_fleet::store::news();
        self.set(|faults| faults.senders.push(sender.clone()));
        tokio::spawn(async move {
            while let breakerbox_fleet::store::Item::Told(message) = news.next().await {
                if !sender.tell(message) {
                    break;
                }
            }
        });
        let line = FaultyLine {
            store: self.clone(),
            line,
        };
        Ok(Link::new(line, forwarded))
    }
}

struct FaultyLine {
    store: Faulty,
    line: Box<dyn Line>,
}

#[async_trait]
impl Line for FaultyLine {
    async fn submit(&mut self, seen: Version, ops: &[Op]) -> Result<Submitted, StoreError> {
        self.store.check().await?;
        self.store.set(|faults| faults.ops.extend_from_slice(ops));
        if self.store.get(|faults| faults.full) {
            let mut submitted = self.line.submit(seen, &[]).await?;
            submitted.answers = ops
                .iter()
                .map(|op| breakerbox_fleet::protocol::Answer {
                    word: breakerbox_fleet::protocol::Word::Failed("OOM".into()),
                    view: breakerbox_fleet::protocol::RecordView::of(
                        op.name(),
                        &breakerbox_fleet::protocol::Record::default(),
                        submitted.now,
                    ),
                })
                .collect();
            return Ok(submitted);
        }
        self.line.submit(seen, ops).await
    }

    async fn pull(&mut self, since: Version, limit: usize) -> Result<Pulled, StoreError> {
        self.store.check().await?;
        self.store.set(|faults| {
            faults.pulls += 1;
            faults.pulled_since.push(since);
        });
        let mut pulled = self.line.pull(since, limit).await?;
        let records = u32::try_from(pulled.records.len()).unwrap();
        tokio::time::sleep(self.store.get(|faults| faults.time_per_record) * records).await;
        if self.store.get(|faults| faults.full) {
            pulled.read_only = Some("OOM".into());
        }
        Ok(pulled)
    }

    async fn command(&mut self, seen: Version, command: &Command) -> Result<Commanded, StoreError> {
        self.store.check().await?;
        if !self.store.get(|faults| faults.takes_commands) {
            return Err(StoreError::Denied("a store without commands".into()));
        }
        self.line.command(seen, command).await
    }

    async fn leave(&mut self) -> Result<(), StoreError> {
        self.store.check().await?;
        self.line.leave().await
    }
}
