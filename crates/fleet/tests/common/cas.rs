//! [`CasTable`]: a store without scripts. It runs `transition` between a read and a compare-and-swap.

use breakerbox_fleet::protocol::{
    Answer, Change, Command, CommandTable, MAX_LEAD, MAX_PAGE, Message, Micros, NODE_TTL, Op,
    Phase, RETENTION, Record, RecordView, Version, Word, parse_number, transition,
};
use breakerbox_fleet::store::{Commanded, Hello, Pulled, Submitted};
use std::collections::BTreeMap;
use std::fmt;

/// A key-value store that knows nothing but revisions, like many.
#[derive(Default)]
pub(crate) struct Kv {
    entries: BTreeMap<String, (u64, String)>,
    revision: u64,
    /// What another client does right before the next swap.
    pub(crate) interruption: Option<Interruption>,
}

type Interruption = Box<dyn FnOnce(&mut Kv) + Send>;

impl fmt::Debug for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.fmt(f)
    }
}

impl Kv {
    fn get(&self, key: &str) -> Option<(u64, String)> {
        self.entries.get(key).cloned()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|(_, text)| text.as_str())
    }

    /// Writes or removes an entry, unless its revision is another one.
    fn swap(&mut self, key: &str, expected: Option<u64>, text: Option<String>) -> bool {
        if let Some(interrupt) = self.interruption.take() {
            interrupt(self);
        }
        let is_expected = self.entries.get(key).map(|(revision, _)| *revision) == expected;
        if is_expected {
            self.put(key, text);
        }
        is_expected
    }

    fn put(&mut self, key: &str, text: Option<String>) {
        self.revision += 1;
        match text {
            Some(text) => self.entries.insert(key.to_owned(), (self.revision, text)),
            None => self.entries.remove(key),
        };
    }

    /// Returns what follows the prefix in each key, and the text.
    fn list(&self, prefix: &str) -> Vec<(String, String)> {
        let listed = self.entries.range(prefix.to_owned()..);
        let listed = listed.map_while(|(key, (_, text))| Some((key.strip_prefix(prefix)?, text)));
        listed
            .map(|(key, text)| (key.to_owned(), text.clone()))
            .collect()
    }
}

const HEAD: &str = "head";
const COMMANDS: &str = "commands";
const RECORD: &str = "record/";
const LISTED: &str = "listed/";
const MEMBER: &str = "member/";
const TRIM: usize = 100;

fn record_key(name: &str) -> String {
    format!("{RECORD}{name}")
}

fn listed_key(name: &str) -> String {
    format!("{LISTED}{name}")
}

/// The data of one namespace in a [`Kv`].
#[derive(Debug, Default)]
pub(crate) struct CasTable {
    pub(crate) kv: Kv,
}

/// The answer to an operation, and if it was published, the head before it and the record.
struct Applied {
    answer: Answer,
    published: Option<(Version, RecordView)>,
}

impl CasTable {
    /// Applies operations. Other clients may write between any two of them, so each operation has its
    /// own link in the chain of messages. Links that follow each other become one message.
    pub(crate) fn submit(
        &mut self,
        hello: &Hello,
        seen: Version,
        ops: &[Op],
        now: Micros,
    ) -> (Submitted, Vec<Message>) {
        self.set_member(&hello.node.to_string(), now);
        let nodes = self.nodes(now);
        let mut messages: Vec<Message> = Vec::new();
        let mut answers = Vec::new();
        for op in ops {
            let applied = self.apply(hello, seen, op, now, nodes);
            answers.push(applied.answer);
            let Some((previous, record)) = applied.published else {
                continue;
            };
            match messages.last_mut() {
                Some(latest) if latest.version == previous => {
                    latest.version = record.version;
                    latest.records.push(record);
                }
                _ => messages.push(Message {
                    previous,
                    version: record.version,
                    instance: hello.node.instance().to_owned(),
                    has_commands: false,
                    records: vec![record],
                }),
            }
        }
        let submitted = Submitted {
            head: self.head().unless_ahead_of(now),
            now,
            nodes,
            is_unpublished: false,
            answers,
        };
        (submitted, messages)
    }

    fn apply(&mut self, hello: &Hello, seen: Version, op: &Op, now: Micros, nodes: u64) -> Applied {
        let name = op.name();
        loop {
            let stored = self.kv.get(&record_key(name));
            let revision = stored.as_ref().map(|(revision, _)| *revision);
            let record = self.record(name, hello, now);
            let (change, word) = transition(&record, op, now, &hello.node, op.quorum(nodes));
            let mut published = None;
            let kept = match change {
                Change::None => return applied(name, &record, word, now, None),
                Change::Remove => None,
                Change::Keep(record) => Some(record.cut(now, hello.max_open)),
                Change::Publish(mut record) => {
                    let (previous, version) = self.next_version(record.version, seen, now);
                    record.version = version;
                    published = Some(previous);
                    Some(record.cut(now, hello.max_open))
                }
            };
            let text = kept.as_ref().map(Record::to_string);
            if !self.kv.swap(&record_key(name), revision, text) {
                // The head has moved without a message, so subscribers see a gap and pull.
                continue;
            }
            match &kept {
                None => self.kv.put(&listed_key(name), None),
                Some(record) => {
                    if published.is_some() || self.kv.get(&listed_key(name)).is_none() {
                        self.kv
                            .put(&listed_key(name), Some(record.version.to_string()));
                    }
                }
            }
            return applied(name, &kept.unwrap_or_default(), word, now, published);
        }
    }

    /// Takes the next version. Returns the head before it as well.
    fn next_version(&mut self, of: Version, seen: Version, now: Micros) -> (Version, Version) {
        loop {
            let revision = self.kv.get(HEAD).map(|(revision, _)| revision);
            let head = self.head().unless_ahead_of(now);
            let version = Version::next(head.max(of), seen, now);
            if self.kv.swap(HEAD, revision, Some(version.to_string())) {
                return (head, version);
            }
        }
    }

    pub(crate) fn pull(
        &mut self,
        hello: &Hello,
        since: Version,
        limit: usize,
        now: Micros,
    ) -> Pulled {
        self.set_member(&hello.node.to_string(), now);
        for (member, seen) in self.kv.list(MEMBER) {
            if !is_recent(&seen, now) {
                self.kv.put(&format!("{MEMBER}{member}"), None);
            }
        }
        self.trim(hello, now);
        let head = self.head().unless_ahead_of(now);
        let since = since.unless_ahead_of(now);
        let limit = limit.clamp(1, MAX_PAGE);
        let mut listed = self.listed(since.0 + 1, now.after(MAX_LEAD).0 + 1);
        let more = listed.len() >= limit;
        listed.truncate(limit);
        let mut records = Vec::new();
        for (_, name) in &listed {
            if self.kv.text(&record_key(name)).is_none() {
                self.kv.put(&listed_key(name), None);
            }
            let record = self.record(name, hello, now);
            if !record.phase.is_unknown() {
                records.push(RecordView::of(name, &record, now));
            }
        }
        let next = match listed.last() {
            Some((version, _)) if more => Version(*version),
            _ => head.max(since),
        };
        let mut members = Vec::new();
        if since.0 == 0 {
            members = self
                .kv
                .list(MEMBER)
                .into_iter()
                .map(|(member, _)| member)
                .collect();
        }
        Pulled {
            head,
            next,
            more,
            now,
            nodes: self.nodes(now),
            members,
            read_only: None,
            records,
            commands: Some(self.table(now).commands(now)),
        }
    }

    /// Returns the names that are listed under these versions, oldest first.
    fn listed(&self, from: u64, to: u64) -> Vec<(u64, String)> {
        let listed = self.kv.list(LISTED).into_iter();
        let listed = listed.filter_map(|(name, version)| Some((parse_number(&version)?, name)));
        let mut listed: Vec<_> = listed
            .filter(|(version, _)| (from..to).contains(version))
            .collect();
        listed.sort();
        listed
    }

    fn trim(&mut self, hello: &Hello, now: Micros) {
        let oldest = now.before(RETENTION);
        for range in [0..1, 1..oldest.0.max(1)] {
            let candidates = self.listed(range.start, range.end);
            let surplus = candidates.len().saturating_sub(TRIM) as u64;
            let skipped = usize::try_from(now.0 % (surplus + 1)).unwrap();
            for (_, name) in candidates.into_iter().skip(skipped).take(TRIM) {
                let record = self.record(&name, hello, now);
                if record.phase == Phase::Absent || record.may_be_forgotten(now, oldest) {
                    self.kv.put(&record_key(&name), None);
                    self.kv.put(&listed_key(&name), None);
                }
            }
        }
    }

    /// Applies a command, which is decided again if another client writes meanwhile.
    pub(crate) fn command(
        &mut self,
        hello: &Hello,
        seen: Version,
        command: &Command,
        now: Micros,
    ) -> (Commanded, Option<Message>) {
        loop {
            let revision = self.kv.get(COMMANDS).map(|(revision, _)| revision);
            let mut table = self.table(now);
            let previous = self.head().unless_ahead_of(now);
            let seen = seen.unless_ahead_of(now);
            let (word, head) = table.say(command, previous, seen, now);
            let commanded = Commanded {
                head: head.unwrap_or(previous),
                now,
                word,
                is_unpublished: false,
                commands: table.commands(now),
            };
            let Some(version) = head else {
                return (commanded, None);
            };
            if !self.kv.swap(COMMANDS, revision, Some(table.to_string())) {
                continue;
            }
            self.kv.put(HEAD, Some(version.to_string()));
            let message = Message {
                previous,
                version,
                instance: hello.node.instance().to_owned(),
                has_commands: true,
                records: Vec::new(),
            };
            return (commanded, Some(message));
        }
    }

    fn table(&self, now: Micros) -> CommandTable {
        CommandTable::read(&self.commands(), now)
    }

    pub(crate) fn commands(&self) -> String {
        self.kv.text(COMMANDS).unwrap_or_default().to_owned()
    }

    pub(crate) fn put_commands(&mut self, text: &str) {
        self.kv.put(COMMANDS, Some(text.to_owned()));
    }

    pub(crate) fn leave(&mut self, hello: &Hello) {
        self.kv.put(&format!("{MEMBER}{}", hello.node), None);
    }

    pub(crate) fn put(&mut self, name: &str, text: &str, version: Version) {
        self.kv.put(&record_key(name), Some(text.to_owned()));
        self.kv.put(&listed_key(name), Some(version.to_string()));
    }

    pub(crate) fn set_head(&mut self, text: &str) {
        self.kv.put(HEAD, Some(text.to_owned()));
    }

    pub(crate) fn set_member(&mut self, member: &str, seen: Micros) {
        self.kv
            .put(&format!("{MEMBER}{member}"), Some(seen.to_string()));
    }

    pub(crate) fn records(&self) -> Vec<(String, String)> {
        self.kv.list(RECORD)
    }

    fn head(&self) -> Version {
        Version(self.kv.text(HEAD).and_then(parse_number).unwrap_or(0))
    }

    fn record(&self, name: &str, hello: &Hello, now: Micros) -> Record {
        let text = self.kv.text(&record_key(name)).unwrap_or_default();
        Record::read(text, now, hello.max_open)
    }

    fn nodes(&self, now: Micros) -> u64 {
        let members = self.kv.list(MEMBER);
        members
            .iter()
            .filter(|(_, seen)| is_recent(seen, now))
            .count() as u64
    }
}

fn applied(
    name: &str,
    record: &Record,
    word: Word,
    now: Micros,
    published: Option<Version>,
) -> Applied {
    let view = RecordView::of(name, record, now);
    Applied {
        published: published.map(|previous| (previous, view.clone())),
        answer: Answer { word, view },
    }
}

fn is_recent(seen: &str, now: Micros) -> bool {
    let recent = now.before(NODE_TTL).0..=now.after(MAX_LEAD).0;
    parse_number(seen).is_some_and(|seen| recent.contains(&seen))
}
