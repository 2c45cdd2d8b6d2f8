//! [`World`]: the network between the nodes and the store, and the order of its deliveries.

use crate::invariants::Audit;
use crate::store::{Condition, Primary, StoreMutant};
use crate::trace::{ShortOp, ShortView, Trace};
use breakerbox_fleet::protocol::{Command, Message, Op, Version};
use breakerbox_fleet::store::{
    Commanded, Hello, News, NewsSender, Pulled, StoreError, Submitted, news,
};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// The network path between one node and the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// The shortest and longest delay in milliseconds, each way.
    pub(crate) delay_ms: (u64, u64),
    /// An additional delay of replies in milliseconds.
    pub(crate) reply_ms: u64,
    /// The share of requests, replies and messages that get lost.
    pub(crate) loss: f64,
    /// The share of requests and messages that arrive twice.
    pub(crate) duplicate: f64,
    /// Whether messages overtake each other.
    pub(crate) reorder: bool,
    /// Whether nothing arrives, although no connection ends.
    pub(crate) is_cut: bool,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            delay_ms: (1, 3),
            reply_ms: 0,
            loss: 0.0,
            duplicate: 0.0,
            reorder: false,
            is_cut: false,
        }
    }
}

/// A request of a node.
#[derive(Debug)]
pub(crate) enum Body {
    Submit {
        seen: Version,
        ops: Vec<Op>,
        /// `None` in the duplicate of a request.
        reply: Option<oneshot::Sender<Result<Submitted, StoreError>>>,
    },
    Command {
        seen: Version,
        command: Command,
        /// `None` in the duplicate of a request.
        reply: Option<oneshot::Sender<Result<Commanded, StoreError>>>,
    },
    Pull {
        since: Version,
        limit: usize,
        reply: oneshot::Sender<Result<Pulled, StoreError>>,
    },
    Leave {
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
}

#[derive(Debug)]
enum Action {
    Arrive(Sender, Body),
    AnswerSubmit(
        u64,
        oneshot::Sender<Result<Submitted, StoreError>>,
        Submitted,
    ),
    AnswerCommand(
        u64,
        oneshot::Sender<Result<Commanded, StoreError>>,
        Commanded,
    ),
    AnswerPull(
        u64,
        oneshot::Sender<Result<Pulled, StoreError>>,
        Version,
        Pulled,
    ),
    AnswerLeave(oneshot::Sender<Result<(), StoreError>>),
    Refuse(Body, StoreError),
    Tell(u64, Arc<Message>),
}

/// The sender of a request. Known even after its connection has ended.
#[derive(Clone, Debug)]
struct Sender {
    link: u64,
    node: usize,
    hello: Hello,
}

#[derive(Debug)]
struct Delivery {
    at: Duration,
    number: u64,
    action: Action,
}

impl PartialEq for Delivery {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Delivery {}

impl PartialOrd for Delivery {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Reversed: the earliest delivery is the greatest.
impl Ord for Delivery {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

struct OpenLink {
    sender: Sender,
    run: u32,
    news: NewsSender,
    /// When the latest request arrives: requests of one connection arrive in order.
    last_request: Duration,
    last_message: Duration,
    /// Requests without an answer. Their senders wait until the connection ends.
    lost: Vec<Body>,
    lost_answers: Vec<Action>,
}

/// The network and the store.
pub(crate) struct World {
    start: Instant,
    state: Mutex<State>,
    changed: Notify,
}

/// The state of the network and of the store.
pub(crate) struct State {
    pub(crate) trace: Trace,
    pub(crate) audit: Audit,
    pub(crate) store: Primary,
    pub(crate) paths: Vec<Path>,
    pub(crate) rng: fastrand::Rng,
    links: BTreeMap<u64, OpenLink>,
    next_link: u64,
    wire: BinaryHeap<Delivery>,
    next_delivery: u64,
    /// The requests that wait while the store is hung.
    parked: VecDeque<(Sender, Body)>,
    /// How many requests the store has executed.
    pub(crate) counts: Counts,
}

/// What the store was asked to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Pulls.
    pub pulls: u64,
    /// Batches of operations.
    pub batches: u64,
    /// Operations.
    pub ops: u64,
    /// Published messages.
    pub messages: u64,
}

impl World {
    pub(crate) fn new(
        start: Instant,
        nodes: usize,
        rng: fastrand::Rng,
        mutant: Option<StoreMutant>,
        trace: Trace,
        audit: Audit,
    ) -> Arc<Self> {
        let state = State {
            trace,
            audit,
            store: Primary::new(mutant),
            paths: vec![Path::default(); nodes],
            rng,
            links: BTreeMap::new(),
            next_link: 0,
            wire: BinaryHeap::new(),
            next_delivery: 0,
            parked: VecDeque::new(),
            counts: Counts::default(),
        };
        Arc::new(Self {
            start,
            state: Mutex::new(state),
            changed: Notify::new(),
        })
    }

    /// Returns the time since the start of the simulation.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        let now = self.now();
        self.lock().trace.line(now, what);
    }

    /// Makes the deliveries when they are due, until it is dropped.
    pub(crate) async fn deliver(self: Arc<Self>) {
        loop {
            let changed = self.changed.notified();
            let due = self.lock().wire.peek().map(|delivery| delivery.at);
            match due {
                None => changed.await,
                Some(due) if due <= self.now() => self.deliver_due(),
                Some(due) => {
                    let _ = tokio::time::timeout_at(self.start + due, changed).await;
                }
            }
        }
    }

    fn deliver_due(&self) {
        let now = self.now();
        let mut state = self.lock();
        while let Some(delivery) = state.wire.peek() {
            if delivery.at > now {
                return;
            }
            if let Some(delivery) = state.wire.pop() {
                state.act(now, delivery.action);
            }
        }
    }

    pub(crate) async fn connect(
        &self,
        node: usize,
        run: u32,
        hello: &Hello,
    ) -> Result<(u64, News), StoreError> {
        let delay = self.change(|state, _| state.delay(node) + state.delay(node));
        tokio::time::sleep(delay).await;
        let is_silent = {
            let state = self.lock();
            state.paths[node].is_cut || state.store.condition == Condition::Hung
        };
        if is_silent {
            std::future::pending::<()>().await;
        }
        let now = self.now();
        let mut state = self.lock();
        if state.store.condition == Condition::Away {
            return Err(StoreError::Disconnected("connection refused".into()));
        }
        let (news_sender, news) = news();
        let link = state.next_link;
        state.next_link += 1;
        let sender = Sender {
            link,
            node,
            hello: hello.clone(),
        };
        let open = OpenLink {
            sender,
            run,
            news: news_sender,
            last_request: now,
            last_message: now,
            lost: Vec::new(),
            lost_answers: Vec::new(),
        };
        state.links.insert(link, open);
        state.trace.line(now, format_args!("n{node} connected"));
        Ok((link, news))
    }

    /// Sends a request. Its reply ends with an error when the connection ends.
    pub(crate) fn send(&self, link: u64, body: Body) {
        let now = self.now();
        self.lock().send(now, link, body);
        self.changed.notify_one();
    }

    /// Closes the connection at the request of its node.
    pub(crate) fn close(&self, link: u64) {
        self.lock().links.remove(&link);
    }

    /// Changes the network or the store.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State, Duration) -> T) -> T {
        let now = self.now();
        let result = change(&mut self.lock(), now);
        self.changed.notify_one();
        result
    }
}

impl State {
    fn delay(&mut self, node: usize) -> Duration {
        let (shortest, longest) = self.paths[node].delay_ms;
        Duration::from_millis(self.rng.u64(shortest..=longest))
    }

    fn is_lost(&mut self, node: usize) -> bool {
        let path = self.paths[node];
        path.is_cut || (path.loss > 0.0 && self.rng.f64() < path.loss)
    }

    fn is_doubled(&mut self, node: usize) -> bool {
        let share = self.paths[node].duplicate;
        share > 0.0 && self.rng.f64() < share
    }

    fn schedule(&mut self, at: Duration, action: Action) {
        let number = self.next_delivery;
        self.next_delivery += 1;
        self.wire.push(Delivery { at, number, action });
    }

    fn send(&mut self, now: Duration, link: u64, body: Body) {
        let Some(open) = self.links.get(&link) else {
            self.schedule(now, Action::Refuse(body, disconnected()));
            return;
        };
        let (sender, last) = (open.sender.clone(), open.last_request);
        if self.is_lost(sender.node) {
            if let Some(open) = self.links.get_mut(&link) {
                open.lost.push(body);
            }
            return;
        }
        let at = (now + self.delay(sender.node)).max(last);
        if let Some(open) = self.links.get_mut(&link) {
            open.last_request = at;
        }
        let twin = match &body {
            Body::Submit { seen, ops, .. } if self.is_doubled(sender.node) => Some(Body::Submit {
                seen: *seen,
                ops: ops.clone(),
                reply: None,
            }),
            Body::Command { seen, command, .. } if self.is_doubled(sender.node) => {
                Some(Body::Command {
                    seen: *seen,
                    command: command.clone(),
                    reply: None,
                })
            }
            _ => None,
        };
        self.schedule(at, Action::Arrive(sender.clone(), body));
        if let Some(twin) = twin {
            self.schedule(at, Action::Arrive(sender, twin));
        }
    }

    fn act(&mut self, now: Duration, action: Action) {
        match action {
            Action::Arrive(sender, body) => self.arrive(now, sender, body),
            Action::AnswerSubmit(link, reply, submitted) => {
                // A node that has given the request up learns nothing.
                let node = self.node_of(link).filter(|_| !reply.is_closed());
                if let Some(node) = node {
                    let views = submitted.answers.iter().map(|answer| &answer.view);
                    self.trace.line(now, format_args!("n{node} < answer"));
                    self.audit.delivered(now, node, views);
                    let _ = reply.send(Ok(submitted));
                }
            }
            Action::AnswerCommand(link, reply, commanded) => {
                let node = self.node_of(link).filter(|_| !reply.is_closed());
                if let Some(node) = node {
                    let commands = &commanded.commands;
                    self.trace.line(now, format_args!("n{node} < answer"));
                    self.audit.delivered_commands(now, node, commands);
                    let _ = reply.send(Ok(commanded));
                }
            }
            Action::AnswerPull(link, reply, since, pulled) => {
                let node = self.node_of(link).filter(|_| !reply.is_closed());
                if let Some(node) = node {
                    let (since_text, count) = (since.0, pulled.records.len());
                    self.trace.line(
                        now,
                        format_args!("n{node} < {count} records since {since_text}"),
                    );
                    if since == Version(0) {
                        self.audit.forgot(node);
                    }
                    self.audit.delivered(now, node, pulled.records.iter());
                    let commands = pulled.commands.as_deref().unwrap_or_default();
                    self.audit.delivered_commands(now, node, commands);
                    let _ = reply.send(Ok(pulled));
                }
            }
            Action::AnswerLeave(reply) => {
                let _ = reply.send(Ok(()));
            }
            Action::Refuse(body, error) => refuse(body, error),
            Action::Tell(link, message) => {
                if let Some(open) = self.links.get(&link) {
                    let node = open.sender.node;
                    let is_open = open.news.tell(Message::clone(&message));
                    self.trace
                        .line(now, format_args!("n{node} < message {}", message.version));
                    self.audit.delivered(now, node, message.records.iter());
                    if !is_open {
                        self.links.remove(&link);
                    }
                }
            }
        }
    }

    fn node_of(&self, link: u64) -> Option<usize> {
        self.links.get(&link).map(|open| open.sender.node)
    }

    fn arrive(&mut self, now: Duration, sender: Sender, body: Body) {
        match self.store.condition {
            Condition::Hung => self.parked.push_back((sender, body)),
            Condition::Away => refuse(body, disconnected()),
            Condition::Up | Condition::ReadOnly => self.execute(now, sender, body),
        }
    }

    fn execute(&mut self, now: Duration, sender: Sender, body: Body) {
        let Sender { link, node, hello } = sender;
        match body {
            Body::Submit { reply, .. } if self.store.condition == Condition::ReadOnly => {
                let error = StoreError::ReadOnly("the store is a replica".into());
                if let Some(reply) = reply {
                    let _ = reply.send(Err(error));
                }
            }
            Body::Command { reply, .. } if self.store.condition == Condition::ReadOnly => {
                let error = StoreError::ReadOnly("the store is a replica".into());
                if let Some(reply) = reply {
                    let _ = reply.send(Err(error));
                }
            }
            Body::Command {
                seen,
                command,
                reply,
            } => {
                let (commanded, message) = self.store.command(&hello, seen, &command, now);
                let Command {
                    pattern,
                    verb,
                    version,
                    ..
                } = &command;
                let (word, head) = (commanded.word, commanded.head);
                self.trace.line(
                    now,
                    format_args!("n{node} {pattern} {verb} {version} -> {word:?} {head}"),
                );
                if let Some(message) = message {
                    self.counts.messages += 1;
                    self.publish(now, message);
                }
                if let Some(reply) = reply {
                    let action = Action::AnswerCommand(link, reply, commanded);
                    self.answer(now, node, link, action);
                }
            }
            Body::Submit { seen, ops, reply } => {
                self.counts.batches += 1;
                self.counts.ops += ops.len() as u64;
                let (submitted, message, applied) = self.store.submit(&hello, seen, &ops, now);
                for applied in &applied {
                    let (op, answer) = (ShortOp(&applied.op), &applied.answer);
                    let view = ShortView(&answer.view);
                    self.trace
                        .line(now, format_args!("n{node} {op} -> {} {view}", answer.word));
                    self.audit.applied(now, node, self.store.epoch, applied);
                }
                if let Some(message) = message {
                    self.counts.messages += 1;
                    self.publish(now, message);
                }
                if let Some(reply) = reply {
                    self.answer(
                        now,
                        node,
                        link,
                        Action::AnswerSubmit(link, reply, submitted),
                    );
                }
            }
            Body::Pull {
                since,
                limit,
                reply,
            } => {
                self.counts.pulls += 1;
                let pulled = self.store.pull(&hello, since, limit, now);
                self.answer(
                    now,
                    node,
                    link,
                    Action::AnswerPull(link, reply, since, pulled),
                );
            }
            Body::Leave { reply } => {
                self.store.table.leave(&hello);
                self.trace.line(now, format_args!("n{node} leave"));
                self.answer(now, node, link, Action::AnswerLeave(reply));
            }
        }
    }

    fn answer(&mut self, now: Duration, node: usize, link: u64, action: Action) {
        if self.is_lost(node) {
            if let Some(open) = self.links.get_mut(&link) {
                open.lost_answers.push(action);
            }
            return;
        }
        let at = now + self.delay(node) + Duration::from_millis(self.paths[node].reply_ms);
        self.schedule(at, action);
    }

    fn publish(&mut self, now: Duration, message: Message) {
        let message = Arc::new(message);
        let links: Vec<u64> = self.links.keys().copied().collect();
        for link in links {
            let Some(open) = self.links.get(&link) else {
                continue;
            };
            let (node, last) = (open.sender.node, open.last_message);
            if self.is_lost(node) {
                continue;
            }
            let copies = 1 + u32::from(self.is_doubled(node));
            for _ in 0..copies {
                let mut at = now + self.delay(node);
                if self.paths[node].reorder {
                    at += Duration::from_millis(self.rng.u64(0..200));
                } else {
                    at = at.max(last);
                }
                if let Some(open) = self.links.get_mut(&link) {
                    open.last_message = at;
                }
                self.schedule(at, Action::Tell(link, Arc::clone(&message)));
            }
        }
    }

    /// Ends the connections of `node`, or all connections.
    pub(crate) fn kill_links(&mut self, node: Option<usize>) {
        let is_meant = |open: &OpenLink| node.is_none_or(|node| node == open.sender.node);
        let killed: Vec<u64> = self
            .links
            .iter()
            .filter(|(_, open)| is_meant(open))
            .map(|(link, _)| *link)
            .collect();
        for link in killed {
            if let Some(open) = self.links.remove(&link) {
                open.news.end(disconnected());
            }
        }
    }

    /// Ends what is left of a run of a node that has crashed.
    pub(crate) fn end_run(&mut self, node: usize, run: u32) {
        self.links
            .retain(|_, open| open.sender.node != node || open.run != run);
    }

    /// Tells a node that messages were lost, as after an overflow.
    pub(crate) fn overflow(&mut self, node: usize) {
        for open in self.links.values() {
            if open.sender.node == node {
                open.news.gap();
            }
        }
    }

    /// Executes the requests that waited while the store was hung.
    pub(crate) fn resume_store(&mut self, now: Duration) {
        self.store.condition = Condition::Up;
        while let Some((sender, body)) = self.parked.pop_front() {
            self.execute(now, sender, body);
        }
    }
}

fn disconnected() -> StoreError {
    StoreError::Disconnected("connection reset".into())
}

fn refuse(body: Body, error: StoreError) {
    match body {
        Body::Submit { reply, .. } => {
            if let Some(reply) = reply {
                let _ = reply.send(Err(error));
            }
        }
        Body::Command { reply, .. } => {
            if let Some(reply) = reply {
                let _ = reply.send(Err(error));
            }
        }
        Body::Pull { reply, .. } => drop(reply.send(Err(error))),
        Body::Leave { reply } => drop(reply.send(Err(error))),
    }
}
