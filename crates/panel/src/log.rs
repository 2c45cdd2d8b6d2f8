//! [`Log`]: the latest events of the registry.

use crate::time::unix_millis;
use breakerbox::{Cause, Event, NotKept};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;

/// The number of entries that are kept.
const CAPACITY: usize = 1_000;

/// The latest entries, oldest first.
#[derive(Debug)]
pub(crate) struct Log {
    entries: VecDeque<Arc<Entry>>,
    /// The number of the first entry of this process.
    begin: u64,
    /// The number of the next entry.
    next: u64,
}

/// An event that the panel shows: a change of a state, or a warning.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    /// In unix milliseconds.
    pub(crate) at: u64,
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) from: Option<&'static str>,
    pub(crate) to: Option<&'static str>,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    State,
    WouldTrip,
    Warning,
    Command,
}

/// An entry as JSON.
#[derive(Serialize)]
pub(crate) struct EntryJson<'a> {
    id: String,
    at: u64,
    name: &'a str,
    kind: Kind,
    from: Option<&'static str>,
    to: Option<&'static str>,
    text: &'a str,
}

/// The entries after a position.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) entries: Vec<Arc<Entry>>,
    /// How many entries between the position and the first of these are gone.
    pub(crate) missed: u64,
}

impl Log {
    /// Creates an empty log. Numbers begin at the time `now`, so that they also grow from one process
    /// to the next.
    pub(crate) fn new(now: u64) -> Self {
        Self {
            entries: VecDeque::new(),
            begin: now,
            next: now,
        }
    }

    /// Returns the number that the next entry will have.
    pub(crate) fn end(&self) -> u64 {
        self.next
    }

    /// Adds an entry, in place of the oldest one if there are 1,000.
    pub(crate) fn push(&mut self, draft: Draft) {
        if self.entries.len() == CAPACITY {
            self.entries.pop_front();
        }
        self.entries.push_back(Arc::new(Entry {
            number: self.next,
            at: unix_millis(),
            name: draft.name,
            kind: draft.kind,
            from: draft.from,
            to: draft.to,
            text: draft.text,
        }));
        self.next += 1;
    }

    /// Returns at most `limit` entries from the number `from` on.
    ///
    /// Numbers of an earlier process are smaller than all numbers of this one, or larger if the clock
    /// went back. All entries are new to its reader, and how many it missed is not known.
    pub(crate) fn read(&self, from: u64, limit: usize) -> Read {
        let first = self.entries.front().map_or(self.next, |entry| entry.number);
        let is_of_here = (self.begin..=self.next).contains(&from);
        let from = if is_of_here { from } else { first };
        let missed = first.saturating_sub(from);
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        let entries = self.entries.iter().skip(skip.min(self.entries.len()));
        Read {
            entries: entries.take(limit).cloned().collect(),
            missed,
        }
    }

    /// Returns the latest entries about one breaker, oldest first.
    pub(crate) fn of(&self, name: &str, limit: usize) -> Vec<Arc<Entry>> {
        let about = |entry: &&Arc<Entry>| *entry.name == *name;
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .rev()
            .filter(about)
            .take(limit)
            .collect();
        entries.reverse();
        entries.into_iter().cloned().collect()
    }
}

impl Entry {
    pub(crate) fn id(&self, instance: &str) -> String {
        format!("{instance}:{}", self.number)
    }

    pub(crate) fn json(&self, instance: &str) -> EntryJson<'_> {
        EntryJson {
            id: self.id(instance),
            at: self.at,
            name: &self.name,
            kind: self.kind,
            from: self.from,
            to: self.to,
            text: &self.text,
        }
    }
}

/// Returns the number in an identifier `instance:number`, or `None` for another instance.
pub(crate) fn number_of(id: &str, instance: &str) -> Option<u64> {
    let (of, number) = id.rsplit_once(':')?;
    (of == instance).then(|| number.parse().ok())?
}

/// An entry without its number and time.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) from: Option<&'static str>,
    pub(crate) to: Option<&'static str>,
    pub(crate) text: String,
}

impl Draft {
    /// Returns the entry of an event, or `None` if the panel does not show the event.
    ///
    /// Texts of errors and panics are left out, because they may contain secrets.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let warning = |text: String| (Kind::Warning, None, None, text);
        let (kind, from, to, text) = match event {
            Event::StateChanged {
                from, to, cause, ..
            } => {
                let kind = match cause {
                    Cause::Manual { .. } => Kind::Command,
                    _ => Kind::State,
                };
                (
                    kind,
                    Some(from.as_str()),
                    Some(to.as_str()),
                    cause.to_string(),
                )
            }
            Event::WouldTrip { cause, .. } => (Kind::WouldTrip, None, None, cause.to_string()),
            Event::UnknownErrorType { error_type, .. } => {
                warning(format!("no rule matches errors of type {error_type}"))
            }
            Event::CancelledInARow { calls, .. } => warning(format!(
                "{calls} calls in a row were dropped before they completed"
            )),
            Event::TrialsOutlived { lease, trials, .. } => {
                warning(format!("{trials} trials outlived their lease of {lease:?}"))
            }
            Event::SettingsRefused { .. } => warning(
                "invalid settings were refused; the log of the program names them".to_owned(),
            ),
            Event::SettingsIgnored {
                settings,
                place,
                first,
                ..
            } => warning(format!(
                "{settings} at {place} is ignored, because {first} sets it"
            )),
            Event::NameShared { place, first, .. } => warning(format!(
                "the functions at {first} and {place} share this breaker"
            )),
            Event::NotKept { reason, .. } => warning(match reason {
                NotKept::NoRoom => "the registry is full and does not keep this breaker".to_owned(),
                _ => "the registry does not keep a breaker of this name".to_owned(),
            }),
            Event::Missed { events, .. } => warning(format!("{events} events were dropped")),
            Event::ListenerPanicked { .. } => {
                warning("a listener panicked; the log of the program has the message".to_owned())
            }
            _ => return None,
        };
        Some(Self {
            name: event.breaker().into(),
            kind,
            from,
            to,
            text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(entries: u64) -> Log {
        let mut log = Log::new(5_000);
        for number in 0..entries {
            log.push(Draft {
                name: format!("b{}", number % 2).into(),
                kind: Kind::State,
                from: None,
                to: None,
                text: number.to_string(),
            });
        }
        log
    }

    fn texts(read: &Read) -> Vec<&str> {
        read.entries.iter().map(|entry| &*entry.text).collect()
    }

    #[test]
    fn read_continues_after_position() {
        let log = log(5);
        let read = log.read(5_003, 10);
        assert_eq!((texts(&read), read.missed), (vec!["3", "4"], 0));
        assert_eq!(texts(&log.read(5_000, 2)), ["0", "1"]);
        assert!(texts(&log.read(log.end(), 10)).is_empty());
    }

    #[test]
    fn read_begins_again_for_numbers_of_other_process() {
        let log = log(2);
        for from in [0, 4_999, 5_003, u64::MAX] {
            let read = log.read(from, 10);
            assert_eq!((texts(&read), read.missed), (vec!["0", "1"], 0), "{from}");
        }
    }

    #[test]
    fn read_counts_entries_that_are_gone() {
        let log = log(1_007);
        let read = log.read(5_002, 2);
        assert_eq!((texts(&read), read.missed), (vec!["7", "8"], 5));
        let read = log.read(17, 1);
        assert_eq!(
            (texts(&read), read.missed),
            (vec!["7"], 0),
            "another process"
        );
    }

    #[test]
    fn of_returns_latest_entries_of_one_breaker() {
        let entries = log(10).of("b1", 2);
        let texts: Vec<_> = entries.iter().map(|entry| &*entry.text).collect();
        assert_eq!(texts, ["7", "9"]);
    }

    #[test]
    fn number_belongs_to_instance() {
        assert_eq!(number_of("web:1:77", "web:1"), Some(77));
        assert_eq!(number_of("web-2:77", "web-1"), None);
        assert_eq!(number_of("web-1:x", "web-1"), None);
        assert_eq!(number_of("web-1", "web-1"), None);
    }
}
