//! [`Pulls`]: when to pull, and from which version.

use super::timing::{
    BATCH_INTERVAL, MIN_PULL_LIMIT, PROMPT_PAGES, PULL_INTERVAL, PULL_LIMIT, PULL_LIMIT_STEP,
    PULLS_PER_FULL_PULL, Time,
};
use crate::protocol::{Message, Version};
use crate::store::Pulled;

/// Below the version of every record. A pull since zero is a full one, which also lists all members.
const BEFORE_ALL: Version = Version(1);

/// When to pull, and from which version.
#[derive(Debug)]
pub(crate) struct Pulls {
    /// The version up to which this node knows all changes.
    cursor: Version,
    /// Whether the next pull is a full one.
    full_due: bool,
    /// Whether messages were lost.
    gap: bool,
    /// The earliest time of the next pull after a gap, and the time of the next regular one.
    not_before: Time,
    next: Time,
    /// Regular pulls until the next full one.
    until_full: u32,
    /// The number of records in a page. Smaller at a store that answers too late, because the node would
    /// otherwise ask for the same page again and again.
    limit: usize,
    /// The pull whose pages are being read.
    current: Option<Pull>,
}

/// A pull whose pages are being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pull {
    pub(crate) full: bool,
    pub(crate) began: Time,
    pub(crate) since: Version,
    /// The cursor before the pull.
    cursor: Version,
    /// The pages that were read.
    pages: u32,
    /// When the next page is due.
    due: Time,
}

/// What a page of a pull means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// More pages follow.
    More,
    /// The pull has ended.
    Last,
    /// The store has lost its memory, or another store answers. A full pull follows.
    Regressed,
}

impl Pulls {
    pub(crate) fn new(rng: &mut fastrand::Rng) -> Self {
        Self {
            cursor: Version(0),
            full_due: true,
            gap: false,
            not_before: Time::ZERO,
            next: Time::ZERO,
            // The full pulls of a fleet that starts at once are spread.
            until_full: rng.u32(1..=PULLS_PER_FULL_PULL),
            limit: PULL_LIMIT,
            current: None,
        }
    }

    /// Prepares the full pull of a new connection.
    pub(crate) fn connected(&mut self, not_before: Time) {
        self.full_due = true;
        self.current = None;
        self.not_before = not_before;
        self.next = not_before;
    }

    pub(crate) fn note_gap(&mut self) {
        self.gap = true;
    }

    pub(crate) fn force_full(&mut self) {
        self.full_due = true;
        self.next = self.not_before;
    }

    /// Moves the cursor. Returns `true` if a message before this one is missing.
    pub(crate) fn note_message(&mut self, message: &Message) -> bool {
        if message.version <= self.cursor || self.full_due {
            return false;
        }
        if message.previous == self.cursor {
            self.cursor = message.version;
            return false;
        }
        let is_new = !self.gap;
        self.gap = true;
        is_new
    }

    /// Whether the latest version of the store is behind what this node knew when it asked.
    pub(crate) fn is_regressed(&self, head: Version, cursor: Version) -> bool {
        head < cursor && !self.full_due
    }

    pub(crate) fn cursor(&self) -> Version {
        self.cursor
    }

    pub(crate) fn current(&self) -> Option<Pull> {
        self.current
    }

    /// Returns when the next pull is due.
    pub(crate) fn due(&self) -> Time {
        if let Some(pull) = self.current {
            return pull.due;
        }
        if self.gap || self.full_due {
            return self.not_before;
        }
        self.next
    }

    /// Begins or continues a pull.
    pub(crate) fn begin(&mut self, now: Time) -> Pull {
        if let Some(current) = self.current {
            return current;
        }
        let full = self.full_due || self.until_full == 0;
        let since = if full {
            Version(0)
        } else {
            self.cursor.max(BEFORE_ALL)
        };
        let pull = Pull {
            full,
            began: now,
            since,
            cursor: self.cursor,
            pages: 0,
            due: Time::ZERO,
        };
        self.gap = false;
        self.current = Some(pull);
        pull
    }

    /// Returns the number of records in the next page.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// A page was not answered. The same connection continues the pull with a smaller page.
    pub(crate) fn failed(&mut self, now: Time) {
        self.limit = (self.limit / 2).max(MIN_PULL_LIMIT);
        if let Some(pull) = &mut self.current {
            pull.due = now + BATCH_INTERVAL;
        }
    }

    /// Notes a page of the present pull.
    pub(crate) fn answered(&mut self, pulled: &Pulled, now: Time) -> Page {
        let Some(mut pull) = self.current.take() else {
            return Page::Last;
        };
        self.limit = (self.limit + PULL_LIMIT_STEP).min(PULL_LIMIT);
        if !pull.full && pulled.head < pull.cursor {
            self.cursor = Version(0);
            self.full_due = true;
            return Page::Regressed;
        }
        // A store whose pages make no progress must not keep the node busy.
        if pulled.more && pulled.next > pull.since {
            pull.since = pulled.next;
            pull.pages += 1;
            pull.due = Time::ZERO;
            if pull.pages > PROMPT_PAGES {
                // A store whose pages never end must not keep the node busy.
                pull.due = now + BATCH_INTERVAL;
            }
            self.current = Some(pull);
            return Page::More;
        }
        let is_empty = pulled.next <= BEFORE_ALL;
        self.cursor = if is_empty { Version(0) } else { pulled.next };
        self.not_before = now + BATCH_INTERVAL;
        self.next = now + PULL_INTERVAL;
        if pull.full {
            self.full_due = false;
        }
        self.until_full = self
            .until_full
            .checked_sub(1)
            .unwrap_or(PULLS_PER_FULL_PULL - 1);
        Page::Last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Micros, NodeId, Op, Trip};
    use crate::store::{Hello, Table};
    use std::time::Duration;

    const NOW: Micros = Micros(1_790_000_000_000_000);

    fn pull(pulls: &mut Pulls, table: &mut Table) -> (Pulled, Page) {
        let node = NodeId::new("web-7", "web-7-1").unwrap();
        let hello = Hello::new("default", node, Duration::from_secs(600)).unwrap();
        let since = pulls.begin(Time::ZERO).since;
        let pulled = table.pull(&hello, since, 500, NOW);
        let page = pulls.answered(&pulled, Time::ZERO);
        (pulled, page)
    }

    #[test]
    fn store_without_records_lists_members_once() {
        let mut table = Table::default();
        let mut pulls = Pulls::new(&mut fastrand::Rng::with_seed(1));
        pulls.until_full = PULLS_PER_FULL_PULL;
        let (pulled, page) = pull(&mut pulls, &mut table);
        assert_eq!((pulled.members.len(), page), (1, Page::Last));
        for _ in 0..3 {
            let (pulled, page) = pull(&mut pulls, &mut table);
            assert_eq!((pulled.members.len(), page), (0, Page::Last));
        }
    }

    #[test]
    fn first_record_of_a_store_is_no_gap() {
        let mut table = Table::default();
        let mut pulls = Pulls::new(&mut fastrand::Rng::with_seed(1));
        pulls.until_full = PULLS_PER_FULL_PULL;
        pull(&mut pulls, &mut table);
        pull(&mut pulls, &mut table);
        let node = NodeId::new("web-8", "web-8-1").unwrap();
        let hello = Hello::new("default", node, Duration::from_secs(600)).unwrap();
        let op = Op::Trip {
            name: "users-api".into(),
            trip: Trip {
                duration: Duration::from_secs(30),
                at: NOW,
                attempt: 1,
                why: crate::protocol::Why::Rate,
                quorum: 1,
                alone: false,
                vote_ttl: Duration::from_secs(10),
                reset_backoff_after: Duration::from_secs(30),
            },
        };
        let (_, message) = table.submit(&hello, Version(0), &[op], NOW);
        assert!(!pulls.note_message(&message.unwrap()));
        assert_eq!(pulls.cursor(), table.head());
    }
}
