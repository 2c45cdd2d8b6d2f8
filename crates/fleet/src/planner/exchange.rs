//! The exchange with the store: what to send next, and what the answers mean.

use super::Planner;
use super::learn::Source;
use super::operation::Sent;
use super::pulls::{Page, Pull};
use super::request::Request;
use super::tally::Tally;
use super::timing::{BATCH_INTERVAL, COMMAND_RETRY, MAX_BATCH, Time};
use crate::protocol::{Command, CommandWord, Micros, Verb, Version};
use crate::store::{Commanded, Pulled, Submitted};
use breakerbox::fleet::Port;
use std::sync::Arc;

impl Planner {
    /// Returns when the next request is due, if the store is connected and nothing is on its way.
    pub(crate) fn next_request(&self) -> Time {
        let pull = self.pulls.due();
        let announcement = self.next_announcement().map(|at| at.max(self.next_batch));
        let pull = announcement.map_or(pull, |at| at.min(pull));
        if self.cx.synced && self.has_outgoing() {
            return pull.min(self.next_batch);
        }
        pull
    }

    fn has_outgoing(&self) -> bool {
        self.agenda.has_outgoing() || self.has_closes()
    }

    /// Returns the next request if one is due.
    pub(crate) fn request(&mut self, port: &Port, now: Time) -> Option<Request> {
        let no_pull = self.cx.synced && self.cx.settings.mutants.no_pull;
        if self.pulls.due() <= now && !no_pull && !self.is_turn_of_batch(now) {
            self.after_page = true;
            let is_new = self.pulls.current().is_none();
            let pull = self.pulls.begin(now);
            if is_new {
                self.note_pull_of_close(pull);
            }
            let Pull { since, .. } = pull;
            return Some(Request::Pull {
                since,
                limit: self.pulls.limit(),
            });
        }
        if !self.cx.synced || now < self.next_batch {
            return None;
        }
        self.after_page = false;
        if self.next_announcement().is_some_and(|at| at <= now) {
            if let Some(command) = self.cx.commands.announcement(now) {
                self.next_batch = now + BATCH_INTERVAL;
                return Some(self.command(command));
            }
        }
        let (mut ops, mut names) = (Vec::new(), Vec::new());
        while ops.len() < MAX_BATCH {
            let Some(name) = self.agenda.pop_outgoing() else {
                break;
            };
            // The circuit may have changed since: what is true now is sent.
            let Some((wanted, view)) = self.decide(&name, port, now) else {
                continue;
            };
            let Some(track) = self.tracks.get_mut(&name) else {
                continue;
            };
            let op = track.operation(&name, wanted, view.as_ref(), &mut self.cx, now);
            if let Some((op, sent)) = op {
                ops.push(op);
                names.push((name, sent));
            }
        }
        let closes = self.add_closes(&mut ops, MAX_BATCH - names.len());
        if ops.is_empty() {
            let pulled = self.cx.last_pull;
            let answers = pulled.is_some_and(|pulled| pulled > self.cx.unanswered_at);
            if self.cx.unanswered_submits > 0 && answers {
                // Nothing has to be sent again, and the store has answered a pull since.
                self.cx.unanswered_submits = 0;
                for name in self.extendable_again(false) {
                    self.look(&name, port, now);
                }
            } else if self.cx.unanswered_submits > 0 {
                // Only a pull can prove that the store answers.
                self.pulls.note_gap();
            }
            return None;
        }
        self.next_batch = now + BATCH_INTERVAL;
        Some(Request::Submit {
            seen: self.seen,
            ops,
            names,
            closes,
            cursor: self.pulls.cursor(),
        })
    }

    /// Whether a batch comes before the next page. The pages of a long pull must not delay the renewal of
    /// a lease beyond its end.
    fn is_turn_of_batch(&self, now: Time) -> bool {
        let may_send = self.cx.synced && self.has_outgoing() && self.next_batch <= now;
        may_send && self.after_page && self.pulls.current().is_some()
    }

    /// Returns when a command is given back to a store that has lost it.
    fn next_announcement(&self) -> Option<Time> {
        let may_announce = self.cx.synced && !self.cx.read_only && !self.cx.leaving;
        let may_announce = may_announce && !self.cx.settings.mutants.no_announcements;
        self.cx
            .commands
            .next_announcement()
            .filter(|_| may_announce)
    }

    /// Applies the answer to a command.
    pub(crate) fn commanded(&mut self, command: &Command, commanded: &Commanded, now: Time) {
        if commanded.word != CommandWord::Accepted {
            self.command_refused(command, now);
        }
        let is_new = command.version == Version(0);
        if is_new && command.verb == Verb::Close && commanded.word == CommandWord::Accepted {
            self.begin_close(&command.pattern);
        }
        self.learn_commands(&commanded.commands, now);
    }

    /// The store does not take a command from this node.
    pub(crate) fn command_refused(&mut self, command: &Command, now: Time) {
        let again = now + COMMAND_RETRY;
        self.cx.commands.postpone(command, again);
    }

    fn learn_commands(&mut self, commands: &[Command], now: Time) {
        self.cx.learn_commands(commands, now);
        self.seen = self.seen.max(self.cx.commands.latest());
    }

    /// Applies the answer to a pull. Returns the circuits to look at.
    pub(crate) fn pulled(&mut self, pulled: &Pulled, sent: Time, now: Time) -> Vec<Arc<str>> {
        let could_extend = self.cx.may_extend();
        self.note_answer(pulled.now, pulled.nodes, sent, now);
        self.cx.read_only = pulled.read_only.is_some();
        if let Some(commands) = &pulled.commands {
            self.learn_commands(commands, now);
        }
        let full = self.pulls.current().filter(|pull| pull.full);
        let source = full.map_or(Source::News, |pull| Source::FullPull(pull.began));
        let records = pulled.records.iter();
        let mut names: Vec<_> = records
            .filter_map(|record| self.learn(record, source, now))
            .collect();
        let page = self.pulls.answered(pulled, now);
        self.read_for_close(pulled, page);
        match page {
            Page::More => {}
            Page::Regressed => self.announce_again(now),
            Page::Last => {
                self.cx.last_pull = Some(now);
                if !self.has_outgoing() {
                    // No submit follows that could prove that the store answers.
                    self.cx.unanswered_submits = 0;
                }
                self.seen = self.seen.max(pulled.next);
                if let Some(pull) = full {
                    names.extend(self.find_lost(pull.began, now));
                }
                if !self.cx.synced && full.is_some() {
                    self.cx.synced = true;
                    self.cx.unanswered_submits = 0;
                    self.announce_again(now);
                }
            }
        }
        names.extend(self.extendable_again(could_extend));
        names
    }

    /// Applies the answers to a batch. Returns the circuits to look at.
    pub(crate) fn submitted(
        &mut self,
        submitted: &Submitted,
        names: Vec<(Arc<str>, Sent)>,
        closes: Vec<Arc<str>>,
        cursor: Version,
        sent: Time,
        now: Time,
    ) -> Vec<Arc<str>> {
        let could_extend = self.cx.may_extend();
        self.cx.unanswered_submits = 0;
        self.note_answer(submitted.now, submitted.nodes, sent, now);
        let mut looks = Vec::with_capacity(names.len());
        let mut answers = submitted.answers.iter();
        for (name, sent) in names {
            let answer = answers.next();
            let answer = answer.filter(|answer| *answer.view.name == *name);
            let Some(answer) = answer else {
                // The answer is missing, or it is that of another circuit.
                if let Some(track) = self.tracks.get_mut(&name) {
                    track.failed(&sent, &mut self.cx, now);
                }
                looks.push(name);
                continue;
            };
            self.learn(&answer.view, Source::Answer, now);
            if let Some(track) = self.tracks.get_mut(&name) {
                let before = Tally::of(track);
                track.answered(&name, &sent, answer, &mut self.cx, now);
                self.tally.update(before, track);
            }
            looks.push(name);
        }
        looks.extend(self.answered_closes(closes, answers, now));
        if self.pulls.is_regressed(submitted.head, cursor) {
            self.pulls.force_full();
            self.announce_again(now);
        }
        looks.extend(self.extendable_again(could_extend));
        looks
    }

    /// Returns the joined circuits if the fleet may move deadlines again. What it was told meanwhile has
    /// moved none.
    fn extendable_again(&self, could_extend: bool) -> Vec<Arc<str>> {
        if could_extend || !self.cx.may_extend() {
            return Vec::new();
        }
        let tracks = self.tracks.iter();
        tracks
            .filter(|(_, track)| track.joined.is_some())
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The request had no answer. It is unknown whether the store has executed it. Returns the circuits
    /// to look at.
    pub(crate) fn unanswered(&mut self, request: Request, now: Time) -> Vec<Arc<str>> {
        match request {
            Request::Pull { .. } => {
                self.pulls.failed(now);
                Vec::new()
            }
            Request::Command { .. } => Vec::new(),
            Request::Submit { names, .. } => {
                self.cx.unanswered_submits += 1;
                self.cx.unanswered_at = now;
                names.into_iter().map(|(name, _)| name).collect()
            }
        }
    }

    /// The store is connected. Nothing is sent before a full pull, which begins at `not_before`.
    pub(crate) fn connected(&mut self, not_before: Time) {
        self.pulls.connected(not_before);
        self.cx.synced = false;
        self.cx.read_only = false;
        self.cx.unanswered_submits = 0;
        self.cx.counters.connects += 1;
    }

    /// The store is not connected any more. Time alone moves circuits on. Returns the circuits to look
    /// at.
    pub(crate) fn disconnected(&mut self) -> Vec<Arc<str>> {
        self.cx.synced = false;
        self.closing = None;
        // Other instances may have started meanwhile.
        self.cx.alone_since = None;
        let tracks = self.tracks.iter();
        tracks
            .filter(|(_, track)| track.lease.is_some())
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn note_answer(&mut self, server: Micros, nodes: u64, sent: Time, now: Time) {
        if self.cx.clock.note(sent, now, server) && self.cx.synced {
            // The instants of earlier trips are unknown until a pull.
            self.pulls.force_full();
        }
        self.cx.note_nodes(nodes, now);
    }

    /// Prepares all circuits for a store that may know nothing of this node, and looks at them soon.
    fn announce_again(&mut self, now: Time) {
        for (name, track) in &mut self.tracks {
            if track.has_breaker {
                track.announce_again();
                self.agenda.set_due(name, Some(now));
            }
        }
    }

    /// Finds the circuits that a full pull did not find.
    fn find_lost(&mut self, began: Time, now: Time) -> Vec<Arc<str>> {
        let mut looks = Vec::new();
        let mut forgotten = Vec::new();
        for (name, track) in &mut self.tracks {
            if track
                .known
                .as_ref()
                .is_none_or(|known| known.heard >= began)
            {
                continue;
            }
            if self.cx.settings.mutants.close_on_absent && track.joined.is_some() {
                track.known = None;
                track.close_at = Some(now);
                looks.push(name.clone());
            } else if track.joined.is_some() || track.lease.is_some() {
                track.lost = true;
                looks.push(name.clone());
            } else {
                track.known = None;
                if track.has_breaker {
                    looks.push(name.clone());
                } else {
                    self.foreign.remove(name);
                    forgotten.push(name.clone());
                }
            }
        }
        for name in forgotten {
            self.tracks.remove(&name);
        }
        looks
    }
}
