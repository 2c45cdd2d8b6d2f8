//! [`Table`]: the data of one namespace, as every store keeps it.

use super::hello::Hello;
use super::traits::{Commanded, Pulled, Submitted};
use crate::protocol::{
    Answer, Change, Command, CommandTable, MAX_LEAD, MAX_PAGE, Message, Micros, NODE_TTL, Op,
    Phase, RETENTION, Record, RecordView, Version, transition,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// How many index entries of each kind a pull checks for records to forget.
const TRIM: usize = 100;

/// The data of one namespace, and the reference for stores in other languages.
///
/// Without a clock: each method gets the time of the store. A clone is a snapshot, which tests use for
/// failovers. Records are kept as text, as in other stores.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The latest version.
    head: Version,
    /// The text of each record.
    records: BTreeMap<String, String>,
    /// The names by version. A record that has only votes is listed with the version zero, so that no
    /// pull looks at it.
    index: BTreeSet<(u64, String)>,
    /// The version under which each name is listed.
    listed: BTreeMap<String, u64>,
    /// When each instance was last seen.
    members: BTreeMap<String, Micros>,
    /// The text of the [commands](CommandTable).
    commands: String,
}

impl Table {
    /// Applies operations. Returns the answer, and the message to publish if a record changed.
    pub fn submit(
        &mut self,
        hello: &Hello,
        seen: Version,
        ops: &[Op],
        now: Micros,
    ) -> (Submitted, Option<Message>) {
        self.members.insert(hello.node.to_string(), now);
        let nodes = self.nodes(now);
        let previous = self.head.unless_ahead_of(now);
        let mut head = previous;
        let mut published = Vec::new();
        let answers = ops.iter().map(|op| {
            let name = op.name();
            let record = self.record(name, hello, now);
            let (change, word) = transition(&record, op, now, &hello.node, op.quorum(nodes));
            let record = match change {
                Change::None => record,
                Change::Keep(record) => {
                    let record = record.cut(now, hello.max_open);
                    self.records.insert(name.to_owned(), record.to_string());
                    if !self.listed.contains_key(name) {
                        self.list(name, record.version.0);
                    }
                    record
                }
                Change::Publish(mut record) => {
                    // The head may have been lost. The versions of a record rise even then.
                    head = Version::next(head.max(record.version), seen, now);
                    self.head = head;
                    record.version = head;
                    let record = record.cut(now, hello.max_open);
                    self.records.insert(name.to_owned(), record.to_string());
                    self.list(name, record.version.0);
                    published.push(RecordView::of(name, &record, now));
                    record
                }
                Change::Remove => {
                    self.forget(name);
                    Record::default()
                }
            };
            let view = RecordView::of(name, &record, now);
            Answer { word, view }
        });
        let answers = answers.collect();
        let message = (!published.is_empty()).then(|| Message {
            previous,
            version: head,
            instance: hello.node.instance().to_owned(),
            has_commands: false,
            records: published,
        });
        let submitted = Submitted {
            head,
            now,
            nodes,
            is_unpublished: false,
            answers,
        };
        (submitted, message)
    }

    /// Applies a command. Returns the answer, and the message to publish if the command counts.
    pub fn command(
        &mut self,
        hello: &Hello,
        seen: Version,
        command: &Command,
        now: Micros,
    ) -> (Commanded, Option<Message>) {
        let previous = self.head.unless_ahead_of(now);
        let mut commands = CommandTable::read(&self.commands, now);
        let (word, head) = commands.say(command, previous, seen.unless_ahead_of(now), now);
        if let Some(head) = head {
            self.head = head;
            self.commands = commands.to_string();
        }
        let commanded = Commanded {
            head: head.unwrap_or(previous),
            now,
            word,
            is_unpublished: false,
            commands: commands.commands(now),
        };
        let message = head.map(|version| Message {
            previous,
            version,
            instance: hello.node.instance().to_owned(),
            has_commands: true,
            records: Vec::new(),
        });
        (commanded, message)
    }

    /// Returns the records that changed after `since`, oldest first, at most `limit`, which is cut to 1 to
    /// [`MAX_PAGE`].
    pub fn pull(&mut self, hello: &Hello, since: Version, limit: usize, now: Micros) -> Pulled {
        self.members.insert(hello.node.to_string(), now);
        self.members.retain(|_, seen| is_recent(*seen, now));
        self.trim(hello, now);
        let head = self.head.unless_ahead_of(now);
        let since = since.unless_ahead_of(now);
        let ahead = now.after(MAX_LEAD).0;
        let range = (since.0 + 1, String::new())..(ahead + 1, String::new());
        let limit = limit.clamp(1, MAX_PAGE);
        let looked_at: Vec<_> = self.index.range(range).take(limit).cloned().collect();
        let more = looked_at.len() == limit;
        let mut records = Vec::new();
        for (version, name) in &looked_at {
            if !self.records.contains_key(name) {
                self.index.remove(&(*version, name.clone()));
                self.listed.remove(name);
                continue;
            }
            let record = self.record(name, hello, now);
            if !record.phase.is_unknown() {
                records.push(RecordView::of(name, &record, now));
            }
        }
        let last = looked_at.last().map(|(version, _)| Version(*version));
        let next = if more {
            last.unwrap_or(since)
        } else {
            head.max(since)
        };
        let members = if since.0 == 0 {
            self.listed_members()
        } else {
            Vec::new()
        };
        Pulled {
            head,
            next,
            more,
            now,
            nodes: self.nodes(now),
            members,
            read_only: None,
            records,
            commands: Some(CommandTable::read(&self.commands, now).commands(now)),
        }
    }

    /// Removes the instance from the members.
    pub fn leave(&mut self, hello: &Hello) {
        self.members.remove(&hello.node.to_string());
    }

    /// Returns the latest version.
    pub fn head(&self) -> Version {
        self.head
    }

    /// Returns the names and texts of all records, in the order of the names.
    pub fn records(&self) -> impl Iterator<Item = (&str, &str)> {
        self.records
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Returns the text of the commands.
    pub fn commands(&self) -> &str {
        &self.commands
    }

    /// Writes the text of the commands as it stands. For tests with hostile data.
    pub fn put_commands(&mut self, text: &str) {
        text.clone_into(&mut self.commands);
    }

    /// Writes the text of a record as it stands, listed under `version`. For tests with hostile data.
    pub fn put(&mut self, name: &str, text: &str, version: Version) {
        self.records.insert(name.to_owned(), text.to_owned());
        self.list(name, version.0);
    }

    /// Sets the latest version. For tests with hostile data.
    pub fn set_head(&mut self, head: Version) {
        self.head = head;
    }

    /// Sets when a member was last seen. For tests with hostile data.
    pub fn set_member(&mut self, member: &str, seen: Micros) {
        self.members.insert(member.to_owned(), seen);
    }

    /// Returns the record of a name as it is to be believed.
    pub fn record(&self, name: &str, hello: &Hello, now: Micros) -> Record {
        let text = self.records.get(name);
        text.map_or_else(Record::default, |text| {
            Record::read(text, now, hello.max_open)
        })
    }

    /// Returns the members that were seen last, at most [`MAX_PAGE`], in the order of their names.
    fn listed_members(&self) -> Vec<String> {
        let by_time = self.members.iter().map(|(member, seen)| (*seen, member));
        let latest: BTreeSet<_> = by_time.collect();
        let listed = latest.iter().rev().take(MAX_PAGE);
        let mut listed: Vec<_> = listed.map(|(_, member)| (*member).clone()).collect();
        listed.sort();
        listed
    }

    fn nodes(&self, now: Micros) -> u64 {
        let recent = self.members.values().filter(|seen| is_recent(**seen, now));
        recent.count() as u64
    }

    fn list(&mut self, name: &str, version: u64) {
        if let Some(old) = self.listed.insert(name.to_owned(), version) {
            self.index.remove(&(old, name.to_owned()));
        }
        self.index.insert((version, name.to_owned()));
    }

    fn forget(&mut self, name: &str) {
        self.records.remove(name);
        if let Some(version) = self.listed.remove(name) {
            self.index.remove(&(version, name.to_owned()));
        }
    }

    /// Forgets old records, a bounded number at each pull.
    fn trim(&mut self, hello: &Hello, now: Micros) {
        let oldest = now.before(RETENTION);
        let votes = self.candidates(0..1, now);
        let old = self.candidates(1..oldest.0.max(1), now);
        for name in votes.into_iter().chain(old) {
            let record = self.record(&name, hello, now);
            if record.phase == Phase::Absent || record.may_be_forgotten(now, oldest) {
                self.forget(&name);
            }
        }
    }

    /// Returns at most [`TRIM`] names that are listed under these versions. The time selects which, so
    /// that records that stay keep no pull from reaching those behind them.
    fn candidates(&self, versions: Range<u64>, now: Micros) -> Vec<String> {
        let range = (versions.start, String::new())..(versions.end, String::new());
        let listed = self.index.range(range);
        let surplus = listed.clone().count().saturating_sub(TRIM);
        let skipped = usize::try_from(now.0).unwrap_or(0) % (surplus + 1);
        let names = listed.skip(skipped).take(TRIM);
        names.map(|(_, name)| name.clone()).collect()
    }
}

fn is_recent(seen: Micros, now: Micros) -> bool {
    seen >= now.before(NODE_TTL) && seen <= now.after(MAX_LEAD)
}
