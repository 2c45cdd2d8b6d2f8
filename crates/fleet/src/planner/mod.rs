//! The functional core of the engine: what a node knows of each circuit, and what it does next.
//!
//! A [`Planner`] has no clock, no connection and no thread. The [engine](crate::engine) tells it what
//! happened: a circuit changed, the store said something, a time has come. The planner looks at the
//! circuits that this concerns, gives them orders through the [`Port`], and says what to send.
//!
//! # Invariants
//!
//! 1. Level-triggered: each look decides on the circuit as it is, and an operation is built when it
//!    is sent. A change that is noticed late or twice therefore does no harm.
//! 2. The deadline of an open circuit moves only while the store answers and accepts writes. Time
//!    alone half-opens every circuit when the store, the network or the task is gone. Exception: a
//!    command of an operator moves the deadline from memory, until the command ends.
//! 3. A deadline is moved before the request that it covers is sent.
//! 4. Trials of a joined circuit run only with a lease, which counts from the time of sending.
//! 5. State that was adopted is never reported as an opening of this node.
//! 6. An absent record closes nothing.
//! 7. Each step costs the circuits that changed, not all circuits. Exceptions: a new connection, the
//!    end of a full pull, and the begin and end of a command.

mod agenda;
mod answer;
mod close;
mod closing;
mod commands;
mod context;
mod exchange;
mod foreign;
mod known;
mod learn;
mod mutants;
mod operation;
mod ordered;
mod pulls;
mod request;
mod server_clock;
mod settings;
mod step;
mod tally;
#[cfg(test)]
mod tests;
mod timing;
mod track;

pub use mutants::Mutants;
pub(crate) use request::Request;
pub(crate) use settings::Settings;
pub(crate) use timing::{LONGEST_WAIT, REQUEST_TIMEOUT, Time};

use crate::event::FleetEvent;
use crate::protocol::{Command, MAX_NAME, Message, Micros, Version};
use crate::share::Share;
use crate::status::FleetCounters;
use agenda::{Agenda, Urgency};
use breakerbox::fleet::{NotApplied, Port, View};
use closing::Closing;
use context::Context;
use foreign::Foreign;
use learn::Source;
use pulls::Pulls;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use step::{Step, Wanted};
use tally::Tally;
use track::Track;

/// The most orders that one look gives. Each order is followed by another decision.
const MAX_ROUNDS: usize = 8;

/// The most circuits that are looked at in one go because of the time.
const MAX_LOOKS: usize = 512;

/// What a node knows of each circuit, and what it does next.
#[derive(Debug)]
pub(crate) struct Planner {
    cx: Context,
    tracks: BTreeMap<Arc<str>, Track>,
    foreign: Foreign,
    agenda: Agenda,
    pulls: Pulls,
    /// The earliest time of the next batch.
    next_batch: Time,
    /// Whether a page of a pull was requested after the latest batch.
    after_page: bool,
    /// The latest version that this node has seen.
    seen: Version,
    tally: Tally,
    /// The command of this node that closes circuits.
    closing: Option<Closing>,
}

impl Planner {
    pub(crate) fn new(settings: Settings, seed: u64) -> Self {
        let mut cx = Context::new(settings, seed);
        let pulls = Pulls::new(&mut cx.rng);
        Self {
            cx,
            tracks: BTreeMap::new(),
            foreign: Foreign::default(),
            agenda: Agenda::default(),
            pulls,
            next_batch: Time::ZERO,
            after_page: false,
            seen: Version(0),
            tally: Tally::default(),
            closing: None,
        }
    }

    /// Looks at a circuit that may have changed.
    pub(crate) fn look(&mut self, name: &Arc<str>, port: &Port, now: Time) {
        if let Some((wanted, _)) = self.decide(name, port, now) {
            self.agenda.send(name, urgency(wanted));
        }
    }

    /// Looks at a circuit that has reported a change, unless the latest look has seen that change: orders
    /// are reported, too.
    pub(crate) fn look_at_change(&mut self, name: &Arc<str>, port: &Port, now: Time) {
        let settled = self.tracks.get(name).and_then(|track| track.settled);
        if settled.is_some() && settled == port.view(name).map(|view| view.mark) {
            return;
        }
        self.look(name, port, now);
    }

    /// Looks at circuits whose time has come. At most [`MAX_LOOKS`]: the rest stays due, so that many
    /// circuits do not keep the runtime busy.
    pub(crate) fn advance(&mut self, port: &Port, now: Time) {
        self.look_at_commanded(port, now);
        for _ in 0..MAX_LOOKS {
            let Some(name) = self.agenda.pop_due(now) else {
                break;
            };
            self.look(&name, port, now);
        }
    }

    /// Returns when to call [`advance`](Self::advance).
    pub(crate) fn next_due(&self) -> Option<Time> {
        let commands = self.cx.commands.due();
        self.agenda.next_due().into_iter().chain(commands).min()
    }

    /// Plans a look at each circuit whose command has changed or ended.
    fn look_at_commanded(&mut self, port: &Port, now: Time) {
        let changed = self.cx.commands.take_changed(now);
        if changed.is_empty() {
            return;
        }
        for name in port.names() {
            if changed
                .iter()
                .any(|pattern| Command::matches(pattern, &name))
            {
                self.agenda.set_due(&name, Some(now));
            }
        }
    }

    /// Gives orders to a circuit until there is nothing left to order. Returns the operation that is
    /// to be sent, and the view on which that was decided.
    fn decide(
        &mut self,
        name: &Arc<str>,
        port: &Port,
        now: Time,
    ) -> Option<(Wanted, Option<View>)> {
        let Some(mut view) = port.view(name) else {
            return self.decide_without_breaker(name, now);
        };
        let shares = &self.cx.settings.shares;
        let share = view.share.unwrap_or_else(|| shares.of(name));
        let track = match self.tracks.entry(name.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if share == Share::local() => return None,
            Entry::Vacant(entry) => entry.insert(Track::new(share)),
        };
        track.set_share(share);
        if !track.has_breaker {
            track.has_breaker = true;
            self.foreign.remove(name);
        }
        let before = Tally::of(track);
        track.settled = None;
        let mut wanted = None;
        let mut due = None;
        for _ in 0..MAX_ROUNDS {
            match track.step(name, &view, &mut self.cx, now) {
                Step::Rest(at) => {
                    due = at;
                    track.settled = Some(view.mark);
                    break;
                }
                Step::Send(op, at) => {
                    (wanted, due) = (Some(op), at);
                    break;
                }
                Step::Order(order, cause, effect) => {
                    match port.apply(name, view.mark, order, cause) {
                        Ok(mark) => {
                            track.ordered(name, effect, &view, &mut self.cx, now);
                            track.mark = Some(mark);
                            let Some(next) = port.view(name) else { break };
                            track.state = next.state;
                            view = next;
                        }
                        Err(NotApplied::Changed(next)) => view = *next,
                        Err(NotApplied::Rejected(next)) => {
                            // Decided again at the next change, unless the state differs.
                            let is_same = next.state == view.state;
                            view = *next;
                            if is_same && view.state != breakerbox::State::MetricsOnly {
                                break;
                            }
                        }
                        Err(_) => break,
                    }
                }
            }
        }
        self.tally.update(before, track);
        if track.is_empty() || track.has_left() {
            self.tracks.remove(name);
        }
        self.agenda.set_due(name, due);
        wanted.map(|wanted| (wanted, Some(view)))
    }

    /// The circuit has no breaker any more: gives back what the store may have of this node.
    fn decide_without_breaker(
        &mut self,
        name: &Arc<str>,
        now: Time,
    ) -> Option<(Wanted, Option<View>)> {
        self.agenda.set_due(name, None);
        let track = self.tracks.get_mut(name)?;
        let before = Tally::of(track);
        if track.has_breaker {
            let (share, known) = (track.share, track.known.take());
            let (voted, lease) = (track.voted, track.lease.take());
            *track = Track {
                known,
                voted,
                lease,
                ..Track::new(share)
            };
        }
        if track
            .lease
            .as_ref()
            .is_some_and(|lease| now >= lease.lost_at)
        {
            track.lease = None;
        }
        self.tally.update(before, track);
        let wanted = if track.lease.is_some() {
            Some(Wanted::Yield)
        } else {
            track.voted.then_some(Wanted::Unvote)
        };
        if wanted.is_some() {
            return wanted.map(|wanted| (wanted, None));
        }
        self.keep_foreign(name);
        None
    }

    /// Keeps what the store said about a circuit without a breaker, within bounds.
    fn keep_foreign(&mut self, name: &Arc<str>) {
        let Some(track) = self.tracks.get(name) else {
            return;
        };
        if track.known.is_none() {
            self.tracks.remove(name);
            return;
        }
        for forgotten in self.foreign.insert(name, track) {
            self.tracks.remove(&forgotten);
            self.cx.counters.forgotten += 1;
        }
    }

    /// Applies a message. Returns the circuits to look at.
    pub(crate) fn told(&mut self, message: &Message, now: Time) -> Vec<Arc<str>> {
        if message.instance != self.cx.settings.node.instance() {
            self.cx.alone_since = None;
        }
        let is_poison = |time| message.version.is_ahead_of(time);
        if self.cx.clock.now(now).is_some_and(is_poison) {
            self.cx.counters.refused_records += 1;
            return Vec::new();
        }
        if self.pulls.note_message(message) {
            self.cx.counters.gaps += 1;
        }
        if message.has_commands {
            self.pull_soon();
        }
        if cfg!(feature = "metrics") {
            let now = self.cx.clock.now(now);
            let delay = now.map(|now| now.since(Micros(message.version.0)));
            self.cx.delays.extend(delay);
        }
        let records = message.records.iter();
        records
            .filter_map(|record| self.learn(record, Source::News, now))
            .collect()
    }

    /// Notes that messages were lost.
    pub(crate) fn missed_messages(&mut self) {
        self.cx.counters.gaps += 1;
        self.pulls.note_gap();
    }

    /// Pulls soon, because the store may have changed.
    pub(crate) fn pull_soon(&mut self) {
        self.pulls.note_gap();
    }

    /// Applies a record. Returns the name of the circuit if the record is news.
    fn learn(
        &mut self,
        record: &crate::protocol::RecordView,
        source: Source,
        now: Time,
    ) -> Option<Arc<str>> {
        if !(1..=MAX_NAME).contains(&record.name.len()) {
            // No breaker has such a name.
            self.cx.counters.refused_records += 1;
            return None;
        }
        let name: Arc<str> = record.name.as_str().into();
        if !self.tracks.contains_key(&name) {
            if record.phase.is_unknown() {
                return None;
            }
            // The setting of the breaker, which the next look reads, may share what is local here.
            let share = self.cx.settings.shares.of(&name);
            self.tracks.insert(name.clone(), Track::new(share));
        }
        let track = self.tracks.get_mut(&name)?;
        if !track.has_breaker {
            self.foreign.remove(&name);
        }
        let before = Tally::of(track);
        let is_news = track.learn(record, source, &mut self.cx, now);
        self.tally.update(before, track);
        self.seen = self.seen.max(track.version());
        if is_news {
            return Some(name);
        }
        if !track.has_breaker {
            self.keep_foreign(&name);
        }
        None
    }

    /// Begins to give everything back. Pass [`names`](Self::names) to [`look`](Self::look) afterwards.
    pub(crate) fn leave(&mut self) {
        self.cx.leaving = true;
    }

    /// Whether there is nothing left to send.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.agenda.has_outgoing() && self.tally.leases == 0
    }

    /// Whether the store has no lease and no vote of this node, as far as this node knows.
    pub(crate) fn owes_nothing(&self) -> bool {
        let mut tracks = self.tracks.values();
        !tracks.any(|track| track.voted || track.lease.is_some())
    }

    /// Returns the names of all circuits with a breaker about which anything is known.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        let tracks = self.tracks.iter();
        tracks
            .filter(|(_, track)| track.has_breaker)
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(crate) fn take_events(&mut self) -> Vec<FleetEvent> {
        std::mem::take(&mut self.cx.events)
    }

    /// Returns the codes of published changes and the delays of messages, for metrics.
    #[cfg(feature = "metrics")]
    pub(crate) fn take_figures(&mut self) -> (Vec<&'static str>, Vec<std::time::Duration>) {
        let cx = &mut self.cx;
        (
            std::mem::take(&mut cx.published),
            std::mem::take(&mut cx.delays),
        )
    }

    pub(crate) fn counters(&self) -> FleetCounters {
        self.cx.counters
    }

    pub(crate) fn count(&mut self, count: impl FnOnce(&mut FleetCounters)) {
        count(&mut self.cx.counters);
    }

    /// Returns the numbers of known circuits, of circuits that are open with the fleet, and of leases.
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        (self.tracks.len(), self.tally.open, self.tally.leases)
    }

    /// Returns the names of the circuits that this node tries for the fleet.
    pub(crate) fn leased(&self) -> Vec<Arc<str>> {
        let leased = self
            .tracks
            .iter()
            .filter(|(_, track)| track.lease.is_some());
        leased.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the numbers of circuits that follow a command, and of those that a local command keeps
    /// from it.
    pub(crate) fn commanded_sizes(&self) -> (usize, usize) {
        (self.tally.commanded, self.tally.overruled)
    }

    /// Returns the commands of operators and their ends, if they have changed.
    pub(crate) fn take_commands(&mut self) -> Option<Vec<(Command, Time)>> {
        self.cx.commands.take_news()
    }

    /// Returns the request that gives a command of this node to the store.
    pub(crate) fn command(&self, command: Command) -> Request {
        Request::Command {
            seen: self.seen,
            command,
        }
    }

    pub(crate) fn last_pull(&self) -> Option<Time> {
        self.cx.last_pull
    }

    /// Whether so many requests had no answer that the connection is given up.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.cx.unanswered_submits >= 2
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.cx.synced
    }

    /// Returns a random time between zero and `max`.
    pub(crate) fn jitter(&mut self, max: std::time::Duration) -> std::time::Duration {
        self.cx.random((std::time::Duration::ZERO, max))
    }
}

fn urgency(wanted: Wanted) -> Urgency {
    match wanted {
        Wanted::Ask | Wanted::Renew | Wanted::Yield | Wanted::Verdict => Urgency::Lease,
        Wanted::Trip | Wanted::Unvote | Wanted::Restore => Urgency::Other,
    }
}
