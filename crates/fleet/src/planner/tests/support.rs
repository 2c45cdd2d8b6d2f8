//! Nodes and a store in one thread, with a clock that the test moves.

use crate::event::FleetEvent;
use crate::planner::operation::Sent;
use crate::planner::{Mutants, Planner, Request, Settings};
use crate::protocol::{
    Answer, Command, Message, Micros, NodeId, Op, Phase, Record, RecordView, Version, Word,
};
use crate::share::{Share, Shares};
use crate::store::{Commanded, Hello, Pulled, Submitted, Table};
use breakerbox::clock::{Clock, ManualClock};
use breakerbox::fleet::Port;
use breakerbox::{BreakerRegistry, CircuitBreaker, Permit, RegistryBuilder, State};
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
    /// Whether the store cannot apply operations.
    pub(super) fails: bool,
    /// The longest time that requests, answers and messages are on their way. Each is random.
    pub(super) delay: Duration,
    pub(super) rng: fastrand::Rng,
}

/// A request on its way.
struct Exchange {
    request: Option<Request>,
    /// When the node sent it, by the clock of the node.
    sent: Duration,
    /// When the store executes it, and when the answer arrives, by the clock of the world.
    executed_at: Duration,
    answered_at: Duration,
    answer: Option<Reply>,
}

enum Reply {
    Pulled(Pulled),
    Submitted(Submitted, Vec<(Arc<str>, Sent)>, Version),
    Commanded(Command, Commanded),
}

pub(super) struct Node {
    pub(super) registry: BreakerRegistry,
    pub(super) breaker: CircuitBreaker,
    pub(super) planner: Planner,
    pub(super) port: Port,
    pub(super) hello: Hello,
    pub(super) events: Vec<FleetEvent>,
    dirty: Arc<Mutex<BTreeSet<Arc<str>>>>,
    /// Messages with the time of their arrival, by the clock of the world.
    inbox: Vec<(Duration, Message)>,
    exchange: Option<Exchange>,
    pub(super) connected: bool,
    pub(super) clock: ManualClock,
    /// Whether the node and its monotonic clock stand still, as those of a paused machine.
    pub(super) frozen: bool,
    /// Whether the node does not reach the store.
    pub(super) cut: bool,
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
            fails: false,
            delay: Duration::ZERO,
            rng: fastrand::Rng::with_seed(7),
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
            let step = ms(5).min(end.saturating_sub(self.now()));
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
        let available = self.available && !node.cut;
        if available != node.connected {
            node.connected = available;
            if available {
                node.planner.connected(now);
            } else {
                let names = node.planner.disconnected();
                node.look(names, now);
            }
        }
        let dirty = std::mem::take(&mut *node.dirty.lock().unwrap());
        node.look(dirty, now);
        let world_now = self.clock.now();
        let (arrived, later): (Vec<_>, Vec<_>) = std::mem::take(&mut node.inbox)
            .into_iter()
            .partition(|(at, _)| *at <= world_now);
        node.inbox = later;
        let mut names = Vec::new();
        for (_, message) in arrived {
            names.extend(node.planner.told(&message, now));
        }
        node.look(names, now);
        node.planner.advance(&node.port, now);
        for _ in 0..20 {
            if !self.exchange(index, now) {
                break;
            }
        }
        let events = self.nodes[index].planner.take_events();
        self.nodes[index].events.extend(events);
    }

    /// Sends a request, executes it, or applies its answer. Returns whether anything happened.
    fn exchange(&mut self, index: usize, now: Duration) -> bool {
        let world_now = self.clock.now();
        let node = &mut self.nodes[index];
        if !node.connected {
            node.exchange = None;
            return false;
        }
        let Some(mut exchange) = node.exchange.take() else {
            let Some(request) = node.planner.request(&node.port, now) else {
                return false;
            };
            let executed_at = world_now + self.delay.mul_f64(self.rng.f64());
            let answered_at = executed_at + self.delay.mul_f64(self.rng.f64());
            node.exchange = Some(Exchange {
                request: Some(request),
                sent: now,
                executed_at,
                answered_at,
                answer: None,
            });
            return true;
        };
        if exchange.answer.is_none() && world_now >= exchange.executed_at {
            let request = exchange.request.take().unwrap();
            exchange.answer = Some(self.execute(index, request));
        }
        let node = &mut self.nodes[index];
        match exchange.answer {
            Some(answer) if world_now >= exchange.answered_at => {
                let sent = exchange.sent;
                let names = match answer {
                    Reply::Pulled(pulled) => node.planner.pulled(&pulled, sent, now),
                    Reply::Submitted(submitted, names, cursor) => {
                        node.planner
                            .submitted(&submitted, names, Vec::new(), cursor, sent, now)
                    }
                    Reply::Commanded(command, commanded) => {
                        node.planner.commanded(&command, &commanded, now);
                        Vec::new()
                    }
                };
                node.look(names, now);
                true
            }
            answer => {
                exchange.answer = answer;
                node.exchange = Some(exchange);
                false
            }
        }
    }

    fn execute(&mut self, index: usize, request: Request) -> Reply {
        let server = self.server_now();
        let hello = self.nodes[index].hello.clone();
        match request {
            Request::Pull { since, limit } => {
                Reply::Pulled(self.table.pull(&hello, since, limit, server))
            }
            Request::Command { seen, command } => {
                let (commanded, message) = self.table.command(&hello, seen, &command, server);
                self.publish(message);
                Reply::Commanded(command, commanded)
            }
            Request::Submit {
                seen,
                ops,
                names,
                cursor,
                ..
            } => {
                if self.fails {
                    let (mut submitted, _) = self.table.submit(&hello, seen, &[], server);
                    let failed = ops.iter().map(|op| Answer {
                        word: Word::Failed("OOM".into()),
                        view: RecordView::of(op.name(), &Record::default(), server),
                    });
                    submitted.answers = failed.collect();
                    return Reply::Submitted(submitted, names, cursor);
                }
                let (submitted, message) = self.table.submit(&hello, seen, &ops, server);
                self.log.extend(ops.into_iter().map(|op| (index, op)));
                self.publish(message);
                Reply::Submitted(submitted, names, cursor)
            }
        }
    }

    pub(super) fn publish(&mut self, message: Option<Message>) {
        if let Some(message) = message.filter(|_| !self.drops_messages) {
            for node in self.nodes.iter_mut().filter(|node| node.connected) {
                let at = self.clock.now() + self.delay.mul_f64(self.rng.f64());
                node.inbox.push((at, message.clone()));
            }
        }
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
            accept_commands: true,
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
            exchange: None,
            connected: false,
            clock,
            frozen: false,
            cut: false,
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
        permit.map(Permit::success).is_ok()
    }

    pub(super) fn remaining(&self) -> Duration {
        self.breaker.open_remaining().unwrap_or_default()
    }

    pub(super) fn told(&mut self, message: &Message, now: Duration) {
        let names = self.planner.told(message, now);
        self.look(names, now);
    }
}
