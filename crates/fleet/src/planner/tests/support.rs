//! Nodes and a store in one thread, with a clock that the test moves.

use crate::event::FleetEvent;
use crate::planner::{Mutants, Planner, Request, Settings};
use crate::protocol::{Message, Micros, NodeId, Op, Phase, RecordView};
use crate::share::{Share, Shares};
use crate::store::{Hello, Table};
use breakerbox::clock::{Clock, ManualClock};
use breakerbox::fleet::Port;
use breakerbox::{BreakerRegistry, CircuitBreaker, RegistryBuilder, State};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) const NAME: &str = "users-api";
pub(super) const EPOCH: Micros = Micros(1_790_000_000_000_000);

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) struct World {
    pub(super) clock: ManualClock,
    pub(super) table: Table,
    pub(super) nodes: Vec<Node>,
    /// Whether the store answers.
    pub(super) available: bool,
    /// Added to the clock of the store.
    pub(super) skew: i64,
    /// All operations that the store has applied, by the sender.
    pub(super) log: Vec<(usize, Op)>,
    /// Whether messages are lost.
    pub(super) drops_messages: bool,
}

pub(super) struct Node {
    pub(super) registry: BreakerRegistry,
    pub(super) breaker: CircuitBreaker,
    pub(super) planner: Planner,
    pub(super) port: Port,
    pub(super) hello: Hello,
    pub(super) events: Vec<FleetEvent>,
    dirty: Arc<Mutex<BTreeSet<Arc<str>>>>,
    inbox: Vec<Message>,
    connected: bool,
    pub(super) clock: ManualClock,
    /// Whether the node and its monotonic clock stand still, as those of a paused machine.
    pub(super) frozen: bool,
}

impl World {
    /// Creates a fleet of nodes with the breaker [`NAME`], which opens for 30 s after 5 failures.
    pub(super) fn new(nodes: usize, share: Share) -> Self {
        Self::with(nodes, share, Mutants::default(), |builder| builder)
    }

    pub(super) fn with(
        nodes: usize,
        share: Share,
        mutants: Mutants,
        settings: impl Fn(RegistryBuilder) -> RegistryBuilder,
    ) -> Self {
        let clock = ManualClock::new();
        let mut world = Self {
            clock: clock.clone(),
            table: Table::default(),
            nodes: Vec::new(),
            available: true,
            skew: 0,
            log: Vec::new(),
            drops_messages: false,
        };
        for index in 0..nodes {
            let clock = ManualClock::new();
            let builder = BreakerRegistry::builder().clock(clock.clone());
            let registry = settings(builder).build().unwrap();
            let node = Node::new(&registry, clock, index, share, mutants);
            world.nodes.push(node);
        }
        world.run(ms(20));
        world
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    pub(super) fn server_now(&self) -> Micros {
        let now = EPOCH.after(self.now());
        Micros(now.0.saturating_add_signed(self.skew))
    }

    /// Lets `time` pass.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now() + time;
        self.turn();
        while self.now() < end {
            let step = ms(5).min(end - self.now());
            self.advance(step);
            self.turn();
        }
    }

    /// Moves all clocks except those of frozen nodes. No node reacts.
    pub(super) fn advance(&mut self, step: Duration) {
        self.clock.advance(step);
        for node in self.nodes.iter().filter(|node| !node.frozen) {
            node.clock.advance(step);
        }
    }

    /// Lets time pass until `condition` holds. Panics after `time`.
    pub(super) fn run_until(&mut self, time: Duration, condition: impl Fn(&Self) -> bool) {
        let end = self.now() + time;
        while !condition(self) {
            assert!(self.now() < end, "the condition never holds");
            self.run(ms(5));
        }
    }

    /// Lets all nodes react to what has happened.
    pub(super) fn turn(&mut self) {
        for index in 0..self.nodes.len() {
            self.turn_node(index);
        }
        // Answers and messages of one turn are handled in the same instant.
        for index in 0..self.nodes.len() {
            self.turn_node(index);
        }
    }

    fn turn_node(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.frozen {
            return;
        }
        let now = node.clock.now();
        if self.available != node.connected {
            node.connected = self.available;
            if self.available {
                node.planner.connected(now);
            } else {
                let names = node.planner.disconnected();
                node.look(names, now);
            }
        }
        let dirty = std::mem::take(&mut *node.dirty.lock().unwrap());
        node.look(dirty, now);
        for message in std::mem::take(&mut node.inbox) {
            let names = node.planner.told(&message, now);
            node.look(names, now);
        }
        node.planner.advance(&node.port, now);
        for _ in 0..20 {
            if !self.exchange(index, now) {
                break;
            }
        }
        let events = self.nodes[index].planner.take_events();
        self.nodes[index].events.extend(events);
    }

    /// Sends a request, and applies the answer.
    fn exchange(&mut self, index: usize, now: Duration) -> bool {
        let server = self.server_now();
        let node = &mut self.nodes[index];
        if !node.connected {
            return false;
        }
        let Some(request) = node.planner.request(&node.port, now) else {
            return false;
        };
        match request {
            Request::Pull { since, limit } => {
                let pulled = self.table.pull(&node.hello, since, limit, server);
                let names = node.planner.pulled(&pulled, now, now);
                node.look(names, now);
            }
            Request::Submit {
                seen,
                ops,
                names,
                cursor,
            } => {
                let (submitted, message) = self.table.submit(&node.hello, seen, &ops, server);
                self.log.extend(ops.into_iter().map(|op| (index, op)));
                let names = node.planner.submitted(&submitted, names, cursor, now, now);
                node.look(names, now);
                if let Some(message) = message.filter(|_| !self.drops_messages) {
                    for node in self.nodes.iter_mut().filter(|node| node.connected) {
                        node.inbox.push(message.clone());
                    }
                }
            }
        }
        true
    }

    pub(super) fn trip(&mut self, node: usize) {
        self.nodes[node].fail();
        self.turn();
    }

    pub(super) fn state(&self, node: usize) -> State {
        self.nodes[node].breaker.state()
    }

    pub(super) fn states(&self) -> Vec<State> {
        (0..self.nodes.len()).map(|node| self.state(node)).collect()
    }

    pub(super) fn record(&self) -> RecordView {
        let now = self.server_now();
        let record = self.table.record(NAME, &self.nodes[0].hello, now);
        RecordView::of(NAME, &record, now)
    }

    pub(super) fn phase(&self) -> Phase {
        self.record().phase
    }

    /// The number of operations of a kind that were sent so far.
    pub(super) fn count(&self, is_such: impl Fn(&Op) -> bool) -> usize {
        self.log.iter().filter(|(_, op)| is_such(op)).count()
    }

    /// Opens the circuit of the fleet at node 0, whose policy must allow it.
    pub(super) fn open_all(&mut self) {
        self.trip(0);
        self.run(ms(100));
        assert_eq!(self.phase(), Phase::Open);
        let all_open = self.states().iter().all(|state| *state == State::Open);
        assert!(all_open, "{:?}", self.states());
    }
}

impl Node {
    fn new(
        registry: &BreakerRegistry,
        clock: ManualClock,
        index: usize,
        share: Share,
        mutants: Mutants,
    ) -> Self {
        let id = NodeId::new(&format!("node-{index}"), &format!("node-{index}-1")).unwrap();
        let max_open = secs(600);
        let mut shares = Shares::default();
        shares.set_default(share);
        let settings = Settings {
            node: id.clone(),
            shares,
            grace: secs(3),
            lease: secs(3),
            close_spread: ms(300),
            max_open,
            mutants,
        };
        let dirty = Arc::new(Mutex::new(BTreeSet::new()));
        let told = dirty.clone();
        let port = Port::attach(registry, move |change| {
            told.lock().unwrap().insert(change.breaker().clone());
        });
        Self {
            registry: registry.clone(),
            breaker: registry.breaker(NAME),
            planner: Planner::new(settings, index as u64),
            port,
            hello: Hello::new("test", id, max_open).unwrap(),
            events: Vec::new(),
            dirty,
            inbox: Vec::new(),
            connected: false,
            clock,
            frozen: false,
        }
    }

    fn look(&mut self, names: impl IntoIterator<Item = Arc<str>>, now: Duration) {
        for name in names {
            self.planner.look(&name, &self.port, now);
        }
    }

    /// Fails until the circuit opens, or the trial ends.
    pub(super) fn fail(&self) {
        for _ in 0..5 {
            if let Ok(permit) = self.breaker.try_acquire() {
                permit.failure();
            }
        }
    }

    /// Calls the breaker once, successfully if it is allowed. Returns whether it was.
    pub(super) fn succeed(&self) -> bool {
        let permit = self.breaker.try_acquire();
        permit.map(|permit| permit.success()).is_ok()
    }

    pub(super) fn remaining(&self) -> Duration {
        self.breaker.open_remaining().unwrap_or_default()
    }

    pub(super) fn told(&mut self, message: &Message, now: Duration) {
        let names = self.planner.told(message, now);
        self.look(names, now);
    }
}
