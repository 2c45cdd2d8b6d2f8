//! Stores that answer with garbage, and settings and times at their limits.

use crate::support::*;
use async_trait::async_trait;
use breakerbox_fleet::FleetStore;
use breakerbox_fleet::protocol::{Micros, Op, Phase, RecordView, Version};
use breakerbox_fleet::store::{Hello, Line, Link, NewsSender, Pulled, StoreError, Submitted, news};

/// What a store does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// A batch has fewer answers than operations.
    MissingAnswers,
    /// The answers of a batch come in the reverse order.
    ReversedAnswers,
    /// Each page says that another one follows, and makes progress.
    EndlessPages,
    /// Each page says that another one follows, and makes none.
    StuckPages,
    /// All numbers are as large as possible.
    LargestNumbers,
    /// Versions fall with each pull.
    FallingVersions,
    /// Each connection ends at once.
    EndsAtOnce,
    /// Each connection ends after its first pull.
    EndsAfterPull,
    /// Messages are always missing.
    Gaps,
}

#[derive(Clone)]
struct Hostile {
    memory: Memory,
    state: Arc<Mutex<HostileState>>,
}

struct HostileState {
    fault: Fault,
    connects: u32,
    pulls: u32,
    senders: Vec<NewsSender>,
}

impl Hostile {
    fn new(fault: Fault) -> Self {
        let state = HostileState {
            fault,
            connects: 0,
            pulls: 0,
            senders: Vec::new(),
        };
        Self {
            memory: Memory::new(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn state<T>(&self, get: impl FnOnce(&mut HostileState) -> T) -> T {
        get(&mut self.state.lock().unwrap())
    }
}

struct HostileLine {
    store: Hostile,
    line: Box<dyn Line>,
    sender: NewsSender,
}

#[async_trait]
impl FleetStore for Hostile {
    async fn connect(&self, hello: &Hello) -> Result<Link, StoreError> {
        let Link { line, .. } = self.memory.connect(hello).await?;
        let (sender, news) = news();
        let fault = self.state(|state| {
            state.connects += 1;
            state.senders.push(sender.clone());
            state.fault
        });
        if fault == Fault::EndsAtOnce {
            sender.end(StoreError::Disconnected("at once".into()));
        }
        let store = self.clone();
        let line = HostileLine {
            store,
            line,
            sender,
        };
        Ok(Link::new(line, news))
    }
}

#[async_trait]
impl Line for HostileLine {
    async fn submit(&mut self, seen: Version, ops: &[Op]) -> Result<Submitted, StoreError> {
        let mut submitted = self.line.submit(seen, ops).await?;
        match self.store.state(|state| state.fault) {
            Fault::MissingAnswers => submitted.answers.truncate(ops.len() / 2),
            Fault::ReversedAnswers => submitted.answers.reverse(),
            Fault::LargestNumbers => {
                submitted.head = Version(u64::MAX);
                submitted.now = Micros(u64::MAX);
                submitted.nodes = u64::MAX;
                for answer in &mut submitted.answers {
                    enlarge(&mut answer.view);
                }
            }
            Fault::Gaps => self.sender.gap(),
            _ => {}
        }
        Ok(submitted)
    }

    async fn pull(&mut self, since: Version, limit: usize) -> Result<Pulled, StoreError> {
        let mut pulled = self.line.pull(since, limit).await?;
        let (fault, pulls) = self.store.state(|state| {
            state.pulls += 1;
            (state.fault, u64::from(state.pulls))
        });
        match fault {
            Fault::EndlessPages => {
                pulled.more = true;
                pulled.next = Version(since.0 + 1);
            }
            Fault::StuckPages => {
                pulled.more = true;
                pulled.next = since;
            }
            Fault::LargestNumbers => {
                pulled.head = Version(u64::MAX);
                pulled.next = Version(u64::MAX);
                pulled.now = Micros(u64::MAX);
                pulled.nodes = u64::MAX;
                for name in [NAME.to_owned(), String::new(), "x".repeat(100_000)] {
                    let mut view = RecordView {
                        name,
                        version: Version(0),
                        phase: Phase::Open,
                        left: Duration::ZERO,
                        attempt: 0,
                        by: String::new(),
                        why: "\n".repeat(1_000),
                        wanted: true,
                    };
                    enlarge(&mut view);
                    pulled.records.push(view);
                }
            }
            Fault::FallingVersions => {
                pulled.head = Version(1_000_000 - pulls);
                pulled.next = pulled.head;
            }
            Fault::EndsAfterPull => {
                self.sender
                    .end(StoreError::Disconnected("after a pull".into()));
            }
            Fault::Gaps => self.sender.gap(),
            _ => {}
        }
        Ok(pulled)
    }

    async fn leave(&mut self) -> Result<(), StoreError> {
        self.line.leave().await
    }
}

fn enlarge(view: &mut RecordView) {
    view.version = Version(u64::MAX - 1);
    view.left = Duration::MAX;
    view.attempt = u32::MAX;
}

/// Opens several circuits of a node whose store has `fault`, calls them for 100 s, and repairs the store.
async fn survive(fault: Fault, most_pulls: u32) {
    let store = Hostile::new(fault);
    let node = Node::start(0, store.clone(), |builder| builder.share(Share::always()));
    node.fleet.ready(secs(1)).await;
    let breakers: Vec<_> = (0..4)
        .map(|index| node.registry.breaker(format!("{NAME}-{index}")))
        .collect();
    for breaker in breakers.iter().chain([&node.breaker]) {
        for _ in 0..5 {
            if let Ok(permit) = breaker.try_acquire() {
                permit.failure();
            }
        }
        assert_eq!(breaker.state(), State::Open, "{fault:?}");
    }
    let mut admitted = [0; 4];
    for _ in 0..200 {
        pass(ms(500)).await;
        for (breaker, admitted) in breakers.iter().zip(&mut admitted) {
            if let Ok(permit) = breaker.try_acquire() {
                permit.success();
                *admitted += 1;
            }
        }
    }
    let (pulls, connects) = store.state(|state| (state.pulls, state.connects));
    assert!(pulls < most_pulls, "{fault:?}: {pulls} pulls");
    assert!(connects < 60, "{fault:?}: {connects} connections");
    let recovers = admitted.iter().all(|admitted| *admitted > 20);
    assert!(recovers, "{fault:?}: {admitted:?} admitted calls");
    store.state(|state| {
        state.fault = Fault::None;
        for sender in state.senders.drain(..) {
            sender.end(StoreError::Disconnected("repaired".into()));
        }
    });
    until(secs(30), || node.fleet.status().is_connected()).await;
    assert!(node.fleet.shutdown(secs(5)).await, "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn garbage_of_a_store_strands_no_circuit() {
    for (fault, most_pulls) in [
        (Fault::None, 40),
        (Fault::MissingAnswers, 40),
        (Fault::ReversedAnswers, 40),
        (Fault::EndlessPages, 2_500),
        (Fault::StuckPages, 40),
        (Fault::LargestNumbers, 2_500),
        (Fault::FallingVersions, 2_500),
        (Fault::EndsAtOnce, 100),
        (Fault::EndsAfterPull, 100),
        (Fault::Gaps, 2_500),
    ] {
        survive(fault, most_pulls).await;
    }
}

/// Opens two circuits at once at a node of a store, and returns how the other node sees them.
async fn told_by(fault: Fault) -> Vec<State> {
    let store = Hostile::new(fault);
    let node = Node::start(0, store.clone(), |builder| builder.share(Share::always()));
    let other = Node::start(1, store.memory.clone(), |builder| {
        builder.share(Share::always())
    });
    assert!(node.fleet.ready(secs(1)).await && other.fleet.ready(secs(1)).await);
    let names = ["a", "b"];
    for name in names {
        let breaker = node.registry.breaker(name);
        for _ in 0..5 {
            breaker.try_acquire().unwrap().failure();
        }
    }
    pass(ms(200)).await;
    store.state(|state| state.fault = Fault::None);
    pass(secs(2)).await;
    assert!(node.fleet.status().counters.failed_operations > 0);
    assert_eq!(node.fleet.status().open, 2);
    names
        .map(|name| other.registry.breaker(name))
        .map(|breaker| breaker.state())
        .into()
}

#[tokio::test(start_paused = true)]
async fn operation_without_its_answer_is_sent_again() {
    assert_eq!(told_by(Fault::MissingAnswers).await.len(), 2);
    assert_eq!(told_by(Fault::ReversedAnswers).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn opening_until_a_command_ends_no_fleet() {
    let store = Memory::new();
    let start = |index| {
        Node::start(index, store.clone(), |builder| {
            builder.share(Share::always())
        })
    };
    let (node, other) = (start(0), start(1));
    assert!(node.fleet.ready(secs(1)).await && other.fleet.ready(secs(1)).await);
    let settings = CircuitBreaker::builder().recovery_timeout(Duration::MAX);
    node.registry.configure(NAME, settings).unwrap();
    let breaker = node.registry.breaker(NAME);
    for _ in 0..5 {
        breaker.try_acquire().unwrap().failure();
    }
    until(secs(1), || other.state() == State::Open).await;
    pass(secs(700)).await;
    assert!(node.fleet.status().is_connected());
    assert_eq!(breaker.state(), State::Open);
    breaker.reset();
    breaker.force_open();
    pass(secs(10)).await;
    breaker.reset();
    breaker.trip_for(Duration::MAX);
    pass(secs(10)).await;
    assert!(node.fleet.status().is_connected());
    assert!(node.fleet.shutdown(Duration::MAX).await);
}

#[tokio::test(start_paused = true)]
async fn shutdown_says_what_was_not_given_back() {
    let store = Faulty::default();
    let nodes = fleet_on(2, Share::quorum(2), store.clone()).await;
    nodes[0].fail();
    pass(secs(1)).await;
    store.set(|faults| faults.away = true);
    store.cut();
    pass(secs(1)).await;
    let mut nodes = nodes.into_iter();
    // The store may still have the vote.
    assert!(!nodes.next().unwrap().fleet.shutdown(secs(1)).await);
    assert!(nodes.next().unwrap().fleet.shutdown(secs(1)).await);
}
