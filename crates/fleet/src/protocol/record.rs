//! [`Record`]: what a store knows of one circuit.

use super::limits::{MAX_ATTEMPT, MAX_LINE, RETENTION};
use super::text::{fields, or_none, parse_number, unless_none, word};
use super::units::{Micros, Version, in_micros};
use std::fmt::{self, Write};
use std::time::Duration;

/// What a store knows of one circuit.
///
/// # Format
///
/// Thirteen fields, then fields of later versions, which are kept:
///
/// ```text
/// version phase until duration attempt by why token lease_until lease_duration closed_at wanted votes …
/// ```
///
/// Instants and durations are microseconds. `phase` is `c`, `o`, `h` or `v`. Votes are
/// `node/cast/until`, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The version of the latest published change. Votes and renewed leases change no version.
    pub version: Version,
    /// The state of the circuit.
    pub phase: Phase,
    /// The end of the open period.
    pub until: Micros,
    /// The full length of the open period, in microseconds.
    pub duration: u64,
    /// The attempt of the backoff. A close keeps it.
    pub attempt: u32,
    /// The instance that made the latest published change, or an empty text.
    pub by: String,
    /// The code of the reason. See [`Why`](super::Why).
    pub why: String,
    /// The token of the lease, or an empty text. Only the holder knows it, so it is a fencing token.
    pub token: String,
    /// The end of the lease.
    pub lease_until: Micros,
    /// The full length of the lease, in microseconds.
    pub lease_duration: u64,
    /// When the circuit closed for the last time, or zero.
    pub closed_at: Micros,
    /// Whether another instance waits for the lease.
    pub wanted: bool,
    /// The nodes whose own circuits are open, although the fleet's is not.
    pub votes: Vec<Vote>,
    /// The fields of a later version of the protocol.
    pub rest: String,
}

/// The state of a circuit in a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The store has no record, or none that can be genuine.
    #[default]
    Absent,
    /// Only votes. For everything except trips, the circuit is [`Absent`](Phase::Absent).
    Votes,
    /// Closed.
    Closed,
    /// Open until the end of the open period, and then until a lease is granted.
    Open,
    /// Half-open: one instance holds the lease.
    Leased,
}

impl Phase {
    /// Returns the letter in records and messages.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Absent => "-",
            Self::Votes => "v",
            Self::Closed => "c",
            Self::Open => "o",
            Self::Leased => "h",
        }
    }

    pub(super) fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "v" => Some(Self::Votes),
            "c" => Some(Self::Closed),
            "o" => Some(Self::Open),
            "h" => Some(Self::Leased),
            _ => None,
        }
    }

    /// Returns `true` if the store knows no state of the circuit.
    pub fn is_unknown(self) -> bool {
        matches!(self, Self::Absent | Self::Votes)
    }
}

/// The vote of one node to open a circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The voter. See [`NodeId::node`](super::NodeId::node).
    pub node: String,
    /// When the circuit of the voter opened.
    pub cast: Micros,
    /// When the vote expires.
    pub until: Micros,
}

impl Vote {
    /// Returns `true` if the vote has not expired. A vote that lives longer than [`RETENTION`] cannot be
    /// genuine, and would count forever.
    pub fn is_live(&self, now: Micros) -> bool {
        now < self.until && self.until <= now.after(RETENTION)
    }
}

impl Record {
    /// Parses a record of a store whose time is `now`. Anything that cannot be genuine is
    /// [absent](Phase::Absent).
    ///
    /// Durations are cut to `max_open`, and remaining times to their durations. A close in the future
    /// is unknown, because it would reject every trip.
    pub fn read(text: &str, now: Micros, max_open: Duration) -> Self {
        let mut record = Self::parse(text).unwrap_or_default();
        if record.version.is_ahead_of(now) {
            return Self::default();
        }
        record.attempt = record.attempt.min(MAX_ATTEMPT);
        if record.closed_at > now {
            record.closed_at = Micros(0);
        }
        record.cut(now, max_open)
    }

    /// Cuts durations to `max_open`, which is at most [`RETENTION`], and remaining times to their
    /// durations. A store does so when it reads a record, and before it writes one.
    ///
    /// An open period also ends at its duration after the version, which is at or after the instant of
    /// the opening. Without this bound, an end in the far future would move along with `now`.
    #[must_use]
    pub fn cut(mut self, now: Micros, max_open: Duration) -> Self {
        let longest = in_micros(max_open.min(RETENTION));
        self.duration = self.duration.min(longest);
        self.lease_duration = self.lease_duration.min(longest);
        let opened_by = now.0.min(self.version.0);
        self.until = self.until.min(Micros(opened_by + self.duration));
        self.lease_until = self.lease_until.min(Micros(now.0 + self.lease_duration));
        self
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = fields(text)?;
        let mut next = || fields.next();
        let version = Version(parse_number(next()?)?);
        let phase = Phase::from_letter(next()?)?;
        let until = Micros(parse_number(next()?)?);
        let duration = parse_number(next()?)?;
        let attempt = u32::try_from(parse_number(next()?)?).unwrap_or(u32::MAX);
        let by = unless_none(word(next()?)?).to_owned();
        let why = unless_none(word(next()?)?).to_owned();
        let token = unless_none(word(next()?)?).to_owned();
        let lease_until = Micros(parse_number(next()?)?);
        let lease_duration = parse_number(next()?)?;
        let closed_at = Micros(parse_number(next()?)?);
        let wanted = next()? == "1";
        let votes = votes(next()?)?;
        let rest = fields.collect::<Vec<_>>().join(" ");
        Some(Self {
            version,
            phase,
            until,
            duration,
            attempt,
            by,
            why,
            token,
            lease_until,
            lease_duration,
            closed_at,
            wanted,
            votes,
            rest,
        })
    }

    /// Returns what is left of the open period or of the lease.
    pub fn left(&self, now: Micros) -> Duration {
        match self.phase {
            Phase::Open => self.until.since(now),
            Phase::Leased => self.lease_until.since(now),
            Phase::Absent | Phase::Votes | Phase::Closed => Duration::ZERO,
        }
    }

    /// Returns `true` while nothing but time ends the open period or the lease.
    pub fn holds(&self, now: Micros) -> bool {
        match self.phase {
            Phase::Open => now < self.until,
            Phase::Leased => now < self.lease_until,
            Phase::Absent | Phase::Votes | Phase::Closed => false,
        }
    }

    /// Returns `true` if a store may forget the record, which was last published before `since`.
    pub fn may_be_forgotten(&self, now: Micros, since: Micros) -> bool {
        match self.phase {
            Phase::Absent => true,
            Phase::Votes => !self.votes.iter().any(|vote| vote.is_live(now)),
            Phase::Closed => self.version.0 < since.0,
            Phase::Open => self.until < since,
            Phase::Leased => self.lease_until < since,
        }
    }
}

fn votes(field: &str) -> Option<Vec<Vote>> {
    let votes = unless_none(field);
    if votes.is_empty() {
        return Some(Vec::new());
    }
    votes.split(',').map(vote).collect()
}

fn vote(text: &str) -> Option<Vote> {
    let (node, times) = text.split_once('/')?;
    let (cast, until) = times.split_once('/')?;
    if node.is_empty() {
        return None;
    }
    Some(Vote {
        node: word(node)?.to_owned(),
        cast: Micros(parse_number(cast)?),
        until: Micros(parse_number(until)?),
    })
}

/// Displays the text of the record in a store.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            until,
            duration,
            attempt,
            ..
        } = self;
        let Self {
            lease_until,
            lease_duration,
            closed_at,
            ..
        } = self;
        let phase = self.phase.letter();
        let (by, why, token) = (or_none(&self.by), or_none(&self.why), or_none(&self.token));
        let wanted = u8::from(self.wanted);
        write!(
            f,
            "{version} {phase} {until} {duration} {attempt} {by} {why} {token} "
        )?;
        write!(f, "{lease_until} {lease_duration} {closed_at} {wanted} ")?;
        for (index, Vote { node, cast, until }) in self.votes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{node}/{cast}/{until}")?;
        }
        if self.votes.is_empty() {
            f.write_char('-')?;
        }
        if !self.rest.is_empty() {
            write!(f, " {}", self.rest)?;
        }
        Ok(())
    }
}

const _: () = assert!(MAX_LINE > 4 * super::limits::MAX_WORD);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_790_000_000_000_000);
    const MAX_OPEN: Duration = Duration::from_secs(600);
    const OPEN: &str =
        "1790000000000000 o 1790000005000000 30000000 2 web-1 rate - 0 0 1789999990000000 0 -";

    fn read(text: &str) -> Record {
        Record::read(text, NOW, MAX_OPEN)
    }

    #[test]
    fn record_survives_its_text() {
        for text in [
            OPEN,
            "1790000000000000 h 0 0 0 web-1 lease t-1 1790000003000000 3000000 0 1 -",
            "5 v 0 0 0 - - - 0 0 0 0 web-1/4/9,web-2/5/9",
            "5 c 0 0 0 web-1 other - 0 0 4 0 - later fields",
        ] {
            assert_eq!(read(text).to_string(), text);
        }
    }

    #[test]
    fn foreign_text_is_absent() {
        for text in [
            "",
            "junk",
            "5 x 0 0 0 - - - 0 0 0 0 -",
            "nan o 0 0 0 - - - 0 0 0 0 -",
            "5 o 0 0 0",
            "5 o 0 9e99 0 - - - 0 0 0 0 -",
        ] {
            assert_eq!(read(text), Record::default(), "{text:?}");
        }
    }

    #[test]
    fn version_two_hours_ahead_is_absent() {
        let text = OPEN.replacen("1790000000000000", "1790007200000000", 1);
        assert_eq!(read(&text), Record::default());
    }

    #[test]
    fn open_period_is_cut_to_its_duration() {
        let text = OPEN.replace("1790000005000000", "1790009999000000");
        assert_eq!(read(&text).left(NOW), Duration::from_secs(30));
        let text = OPEN
            .replace("30000000", "9000000000")
            .replace("1790000005000000", "1790009999000000");
        assert_eq!(read(&text).left(NOW), MAX_OPEN);
    }

    #[test]
    fn close_in_the_future_is_unknown() {
        let text = OPEN.replace("1789999990000000", "1790000000000001");
        assert_eq!(read(&text).closed_at, Micros(0));
    }
}
