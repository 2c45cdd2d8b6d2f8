//! [`Task`]: drives the planner.

use super::dirty::Dirty;
use super::link::{Answer, Happened, Reply, Supervisor};
use super::operator::Operator;
use super::panic::catch;
use super::shared::{Progress, Shared, Stop};
use crate::event::{Degradation, FleetEvent};
use crate::planner::{Planner, Request, Time};
use crate::protocol::NodeId;
use crate::store::{FleetStore, Hello, Item, StoreError};
use breakerbox::fleet::{CauseKind, Order, Port};
use breakerbox::{Cause, State};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) type Listener = Arc<dyn Fn(&FleetEvent) + Send + Sync>;

/// The size of a fleet above which nodes spread the full pulls of new connections.
const SPREAD_ABOVE: u64 = 50;
const SPREAD: Duration = Duration::from_secs(5);
/// The longest time until the task looks again. Some circuits are open until a command.
const LONGEST_SLEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// The most messages that are read in one go.
const MAX_MESSAGES: usize = 1_024;
/// After this number of turns, the task lets others run, even if the store has more to say.
const TURNS: u32 = 32;

/// Drives the planner: one task per fleet.
pub(crate) struct Task {
    planner: Planner,
    port: Port,
    dirty: Arc<Dirty>,
    link: Supervisor,
    node: NodeId,
    shared: Arc<Shared>,
    stop: watch::Receiver<Stop>,
    operator: Operator,
    listener: Option<Listener>,
    #[cfg(feature = "metrics")]
    metrics: super::metrics::Metrics,
    /// When the request on its way was sent.
    sent_at: Time,
    /// How many requests in a row had no answer in time.
    timeouts: u32,
    read_only: Option<String>,
    unpublished: bool,
    error: Option<StoreError>,
    last_pull: Option<Time>,
    /// The number of leases, and how many were granted or lost, when their names were reported.
    leases: (usize, u64),
}

/// Enables the circuits that a command of an operator has disabled: no time would do so.
impl Drop for Task {
    fn drop(&mut self) {
        for name in self.port.names() {
            let view = self.port.view(&name);
            let is_ordered = |cause: &Option<Cause>| matches!(cause, Some(Cause::Fleet { .. }));
            let disabled =
                view.filter(|view| view.state == State::Disabled && is_ordered(&view.cause));
            if let Some(view) = disabled {
                let cause = Cause::fleet(self.node.instance(), CauseKind::Manual);
                // A circuit that has changed meanwhile is left alone.
                let _ = self.port.apply(&name, view.mark, Order::Enable, cause);
            }
        }
    }
}

/// Marks the fleet as ended when the task ends in any way: its runtime may be dropped.
struct EndOfTask(Arc<Shared>);

impl Drop for EndOfTask {
    fn drop(&mut self) {
        self.0.reached(Progress::Ended);
    }
}

/// What wakes the task.
enum Woken {
    Link(Happened),
    /// A circuit has changed, or a time has come.
    Due,
    Stop,
}

impl Task {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        planner: Planner,
        port: Port,
        dirty: Arc<Dirty>,
        store: Arc<dyn FleetStore>,
        hello: Hello,
        shared: Arc<Shared>,
        stop: watch::Receiver<Stop>,
        operator: Operator,
        listener: Option<Listener>,
    ) -> Self {
        let node = hello.node.clone();
        Self {
            planner,
            port,
            dirty,
            link: Supervisor::new(store, hello),
            node,
            shared,
            stop,
            operator,
            listener,
            #[cfg(feature = "metrics")]
            metrics: super::metrics::Metrics::default(),
            sent_at: Time::ZERO,
            timeouts: 0,
            read_only: None,
            unpublished: false,
            error: None,
            last_pull: None,
            leases: (0, 0),
        }
    }

    /// Runs until the fleet is shut down or dropped, or until its registry is dropped.
    pub(crate) async fn run(self) {
        // Dropped after the port, so that another fleet may start when this one has ended.
        let _end = EndOfTask(self.shared.clone());
        self.run_until_stopped().await;
    }

    async fn run_until_stopped(mut self) {
        for name in self.port.names() {
            self.dirty.insert(&name);
        }
        let mut stop_by: Option<Instant> = None;
        let mut turns = 0_u32;
        while let Some(now) = self.port.now() {
            turns = turns.wrapping_add(1);
            if turns % TURNS == 0 {
                tokio::task::yield_now().await;
            }
            // Changes of this node before news: a local command is compared with the record that was
            // known when it was given.
            for name in self.dirty.take() {
                self.planner.look_at_change(&name, &self.port, now);
            }
            self.planner.advance(&self.port, now);
            self.answer_close();
            if stop_by.is_some() && self.has_stopped(stop_by) {
                break;
            }
            self.send(now);
            self.publish(now);
            let wake = self.next_wake();
            match self.wait(wake, now, stop_by).await {
                Woken::Link(happened) => {
                    let Some(now) = self.port.now() else { break };
                    for name in self.dirty.take() {
                        self.planner.look_at_change(&name, &self.port, now);
                    }
                    self.happened(happened, now);
                }
                Woken::Due => {}
                Woken::Stop => {
                    let Stop::By(instant) = *self.stop.borrow_and_update() else {
                        // The handle was dropped.
                        return;
                    };
                    stop_by = Some(instant);
                    self.planner.leave();
                    self.look_at(self.planner.names(), now);
                }
            }
        }
        let left = stop_by.map_or(Duration::from_secs(1), |by| {
            by.saturating_duration_since(Instant::now())
        });
        self.link.leave(left).await;
        self.shared.report().given_back = self.planner.owes_nothing();
    }

    /// Whether everything was given back, or cannot be.
    fn has_stopped(&self, stop_by: Option<Instant>) -> bool {
        let is_late = stop_by.is_some_and(|by| Instant::now() >= by);
        let is_flushed = self.planner.is_flushed() && self.link.is_idle();
        is_late || is_flushed || !self.link.is_connected() || !self.planner.is_synced()
    }

    fn look_at(&mut self, names: impl IntoIterator<Item = Arc<str>>, now: Time) {
        for name in names {
            self.planner.look(&name, &self.port, now);
        }
    }

    /// Answers the handle whose circuits are closed, or gives up a close for which no handle waits.
    fn answer_close(&mut self) {
        if let Some(closed) = self.planner.take_closed() {
            self.operator.closed(closed);
        } else if self.operator.has_abandoned_close() {
            self.planner.stop_closing();
        }
    }

    fn send(&mut self, now: Time) {
        if !self.link.is_idle() {
            return;
        }
        let command = self.planner.is_synced().then(|| self.operator.next());
        let request = match command.flatten() {
            Some(command) => Some(self.planner.command(command)),
            None => self.planner.request(&self.port, now),
        };
        if let Some(request) = request {
            self.sent_at = now;
            self.link.send(request);
        }
    }

    fn next_wake(&self) -> Option<Time> {
        let request = self.link.is_idle().then(|| self.planner.next_request());
        [self.planner.next_due(), request]
            .into_iter()
            .flatten()
            .min()
    }

    async fn wait(&mut self, wake: Option<Time>, now: Time, stop_by: Option<Instant>) -> Woken {
        let mut link = pin!(self.link.next());
        let mut dirty = pin!(self.dirty.changed());
        let mut stop = pin!(self.stop.changed());
        // At least the resolution of the timer: a clock that stands still must not keep a core busy.
        let wait = wake.map_or(LONGEST_SLEEP, |wake| wake.saturating_sub(now));
        let wait = wait.clamp(Duration::from_millis(1), LONGEST_SLEEP);
        let timer = Instant::now() + wait;
        let timer = stop_by.map_or(timer, |by| by.min(timer));
        let mut timer = pin!(tokio::time::sleep_until(timer));
        let operator = &mut self.operator;
        poll_fn(|cx| {
            if stop_by.is_none() && stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woken::Stop);
            }
            if operator.poll_receive(cx).is_ready() || dirty.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woken::Due);
            }
            if let Poll::Ready(happened) = link.as_mut().poll(cx) {
                return Poll::Ready(Woken::Link(happened));
            }
            timer.as_mut().poll(cx).map(|()| Woken::Due)
        })
        .await
    }

    fn happened(&mut self, happened: Happened, now: Time) {
        match happened {
            Happened::Connected => {
                self.timeouts = 0;
                let nodes = self.shared.report().nodes;
                let wait = if nodes > SPREAD_ABOVE {
                    self.planner.jitter(SPREAD)
                } else {
                    Duration::ZERO
                };
                self.planner.connected(now + wait);
            }
            Happened::Disconnected(error) => self.disconnect(error, now),
            Happened::News(item) => self.news(item, now),
            Happened::Replied(reply) => self.replied(*reply, now),
        }
    }

    /// Applies all messages that have arrived, and then looks at the latest state of each circuit.
    fn news(&mut self, item: Item, now: Time) {
        let mut names = Vec::new();
        let mut next = Some(item);
        let mut read = 0;
        while let Some(item) = next {
            read += 1;
            match item {
                Item::Told(message) => names.extend(self.planner.told(&message, now)),
                Item::Gap => self.planner.missed_messages(),
                Item::Ended(error) => {
                    self.look_at(names, now);
                    self.disconnect(error, now);
                    return;
                }
            }
            // The messages may arrive faster than they are read.
            next = if read < MAX_MESSAGES {
                self.link.try_news()
            } else {
                None
            };
        }
        names.sort_unstable();
        names.dedup();
        self.look_at(names, now);
    }

    fn replied(&mut self, Reply { request, answer }: Reply, now: Time) {
        match (request, answer) {
            (Request::Pull { .. }, Answer::Pulled(pulled)) => {
                self.answered(pulled.nodes, now);
                if !pulled.members.is_empty() {
                    self.note_members(&pulled.members);
                }
                self.read_only.clone_from(&pulled.read_only);
                let names = self.planner.pulled(&pulled, self.sent_at, now);
                self.look_at(names, now);
                if self.planner.is_synced() {
                    self.shared.reached(Progress::Ready);
                }
            }
            (
                Request::Submit {
                    names,
                    closes,
                    cursor,
                    ..
                },
                Answer::Submitted(submitted),
            ) => {
                self.answered(submitted.nodes, now);
                self.unpublished = submitted.is_unpublished;
                let sent_at = self.sent_at;
                let names = self
                    .planner
                    .submitted(&submitted, names, closes, cursor, sent_at, now);
                self.look_at(names, now);
            }
            (Request::Command { command, .. }, Answer::Commanded(commanded)) => {
                self.timeouts = 0;
                self.operator.answered(Ok(commanded.word));
                self.unpublished = commanded.is_unpublished;
                self.planner.commanded(&command, &commanded, now);
            }
            (
                Request::Command { command, .. },
                Answer::Failed(
                    error @ (StoreError::Denied(_)
                    | StoreError::Protocol(_)
                    | StoreError::ReadOnly(_)),
                ),
            ) => {
                // The connection works: commands have a permission and data of their own.
                self.timeouts = 0;
                if matches!(error, StoreError::ReadOnly(_)) {
                    // The store is full, or is the wrong one. A pull ends the connection to a wrong one.
                    self.planner.pull_soon();
                }
                self.operator.answered(Err(error));
                self.planner.command_refused(&command, now);
            }
            (request, Answer::Failed(error)) => {
                self.operator.answered(Err(error.clone()));
                let names = self.planner.unanswered(request, now);
                self.timeouts += 1;
                let gives_up = self.timeouts >= 2 || self.planner.is_unanswered();
                if error != StoreError::TimedOut || gives_up {
                    self.disconnect(error, now);
                }
                self.look_at(names, now);
            }
            // A reply has the type of its request.
            (request, _) => {
                let names = self.planner.unanswered(request, now);
                self.look_at(names, now);
            }
        }
    }

    fn answered(&mut self, nodes: u64, now: Time) {
        self.timeouts = 0;
        let mut report = self.shared.report();
        report.nodes = nodes;
        report.round_trip = now.saturating_sub(self.sent_at);
        drop(report);
        #[cfg(feature = "metrics")]
        super::metrics::Metrics::round_trip(now.saturating_sub(self.sent_at));
    }

    fn note_members(&self, members: &[String]) {
        let instance = self.node.instance();
        let is_namesake = |member: &&String| {
            let (node, other) = member.split_once('/').unwrap_or((member, ""));
            node == self.node.node() && other != instance
        };
        let namesakes = members.iter().filter(is_namesake);
        self.shared.report().namesakes = namesakes.map(|name| name.as_str().into()).collect();
    }

    fn disconnect(&mut self, error: StoreError, now: Time) {
        self.operator.answered(Err(error.clone()));
        self.operator.closed(Err(error.clone()));
        self.error = Some(error);
        self.read_only = None;
        self.unpublished = false;
        let random = self.planner.jitter(Duration::from_secs(1)).as_secs_f64();
        self.link.reconnect(random);
        let names = self.planner.disconnected();
        self.look_at(names, now);
    }

    /// Sends the events, and reports the status.
    fn publish(&mut self, now: Time) {
        let degraded = self.degradation();
        let instant = Instant::now();
        let pulled = self.planner.last_pull();
        let coalesced = self.dirty.coalesced();
        self.planner
            .count(|counters| counters.coalesced = coalesced);
        let mut events = self.planner.take_events();
        let mut report = self.shared.report();
        let is_other = match (&report.degraded, &degraded) {
            (Some(before), Some(after)) => {
                std::mem::discriminant(before) != std::mem::discriminant(after)
            }
            (None, None) => false,
            _ => true,
        };
        if is_other {
            let after = instant.saturating_duration_since(report.since);
            if report.degraded.is_none() || degraded.is_none() {
                report.since = instant;
            }
            events.push(match &degraded {
                Some(why) => FleetEvent::Degraded { why: why.clone() },
                None => FleetEvent::Recovered { after },
            });
        }
        report.degraded = degraded;
        if pulled != self.last_pull {
            self.last_pull = pulled;
            report.last_pull = pulled.map(|pulled| instant - now.saturating_sub(pulled));
        }
        let (_, _, leases) = self.planner.sizes();
        let counters = self.planner.counters();
        let ended = counters.leases_granted + counters.leases_lost;
        // A pass over all circuits, so only when the leases may have changed.
        if (leases, ended) != self.leases {
            self.leases = (leases, ended);
            report.leased = self.planner.leased();
        }
        report.sizes = self.planner.sizes();
        report.commanded = self.planner.commanded_sizes();
        if let Some(commands) = self.planner.take_commands() {
            let end = |end: Time| instant + end.saturating_sub(now);
            let commands = commands.into_iter();
            report.commands = commands.map(|(command, at)| (command, end(at))).collect();
        }
        report.counters = self.planner.counters();
        drop(report);
        #[cfg(feature = "metrics")]
        {
            let report = self.shared.report();
            let figures = super::metrics::Figures {
                connected: report.degraded.is_none(),
                nodes: report.nodes,
                counters: report.counters,
            };
            drop(report);
            let (published, delays) = self.planner.take_figures();
            self.metrics
                .report(now, figures, &events, &published, &delays);
        }
        self.emit(&events);
    }

    fn degradation(&self) -> Option<Degradation> {
        if !self.planner.is_synced() {
            let link = self.error.clone().map(Degradation::Link);
            return Some(link.unwrap_or(Degradation::Connecting));
        }
        if let Some(why) = &self.read_only {
            return Some(Degradation::ReadOnly(why.clone()));
        }
        self.unpublished.then_some(Degradation::Unpublished)
    }

    /// Calls the listener, without any lock. Its panics are caught.
    fn emit(&mut self, events: &[FleetEvent]) {
        let Some(listener) = &self.listener else {
            return;
        };
        for event in events {
            if catch(|| listener(event)).is_err() {
                self.planner.count(|counters| counters.listener_panics += 1);
            }
        }
    }
}
