//! [`Word`] and [`Answer`]: the answers of a store.

use super::text::parse_number;
use super::view::RecordView;
use std::fmt;

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Word {
    /// The trip opened the circuit.
    Opened,
    /// The circuit was open already.
    Joined,
    /// Another node tries the dependency at this moment.
    Trying,
    /// The trip is a vote. Contains the number of votes.
    Voting(u16),
    /// The trip happened before the latest close.
    Stale,
    /// The lease was granted or renewed.
    Granted,
    /// The lease was renewed, and another node waits for it.
    Wanted,
    /// Another node holds the lease.
    Taken,
    /// The open period has not ended.
    Early,
    /// The circuit is closed.
    Closed,
    /// The lease was given back.
    Yielded,
    /// The token is not that of the lease: its verdict does not count.
    Fenced,
    /// The store does not know the circuit. Not a reason to close it.
    Absent,
    /// The lost record is known again.
    Restored,
    /// The vote was withdrawn, or there was none.
    Unvoted,
    /// An argument is out of bounds.
    Bad,
    /// The store could not apply the operation. Contains the reason.
    Failed(String),
}

impl Word {
    fn code(&self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Joined => "joined",
            Self::Trying => "trying",
            Self::Voting(_) => "voting",
            Self::Stale => "stale",
            Self::Granted => "granted",
            Self::Wanted => "wanted",
            Self::Taken => "taken",
            Self::Early => "early",
            Self::Closed => "closed",
            Self::Yielded => "yielded",
            Self::Fenced => "fenced",
            Self::Absent => "absent",
            Self::Restored => "restored",
            Self::Unvoted => "unvoted",
            Self::Bad => "bad",
            Self::Failed(_) => "failed",
        }
    }

    /// Parses the text that [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        let word = match code {
            "voting" => {
                let votes = u16::try_from(parse_number(rest)?).ok()?;
                return Some(Self::Voting(votes));
            }
            "failed" => return Some(Self::Failed(rest.chars().take(256).collect())),
            "opened" => Self::Opened,
            "joined" => Self::Joined,
            "trying" => Self::Trying,
            "stale" => Self::Stale,
            "granted" => Self::Granted,
            "wanted" => Self::Wanted,
            "taken" => Self::Taken,
            "early" => Self::Early,
            "closed" => Self::Closed,
            "yielded" => Self::Yielded,
            "fenced" => Self::Fenced,
            "absent" => Self::Absent,
            "restored" => Self::Restored,
            "unvoted" => Self::Unvoted,
            "bad" => Self::Bad,
            _ => return None,
        };
        rest.is_empty().then_some(word)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Voting(votes) => write!(f, "voting {votes}"),
            Self::Failed(reason) => write!(f, "failed {}", reason.replace('|', "?")),
            _ => f.write_str(self.code()),
        }
    }
}

/// The answer to one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What became of the operation.
    pub word: Word,
    /// The record after the operation.
    pub view: RecordView,
}

impl Answer {
    /// Parses the text that [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        // A name may contain the separator, and no word does.
        let (word, view) = text.split_once('|')?;
        Some(Self {
            word: Word::parse(word)?,
            view: RecordView::parse(view).ok()?,
        })
    }
}

/// Displays the word and the record: `opened|users-api 5 o 30000 0 web-1 rate 0`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.word, self.view)
    }
}
