//! [`RecordView`]: the public part of a record, in messages, pulls and answers.

use super::limits::{MAX_ATTEMPT, RETENTION};
use super::record::{Phase, Record};
use super::text::{decode_name, encode_name, fields, or_none, parse_number, unless_none, word};
use super::units::{Micros, Version, in_millis};
use std::fmt;
use std::time::Duration;

/// The public part of a record: no token, no votes, and times that are left instead of instants.
///
/// # Format
///
/// ```text
/// name version phase left_ms attempt by why wanted
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordView {
    /// The name of the circuit.
    pub name: String,
    /// The version of the record, or zero if it is absent.
    pub version: Version,
    /// The state of the circuit.
    pub phase: Phase,
    /// What was left of the open period or of the lease, in whole milliseconds. At most [`RETENTION`].
    pub left: Duration,
    /// The attempt of the backoff.
    pub attempt: u32,
    /// The instance that made the latest published change, or an empty text.
    pub by: String,
    /// The code of the reason. See [`Why`](super::Why).
    pub why: String,
    /// Whether another instance waits for the lease.
    pub wanted: bool,
}

/// A line that is not a [`RecordView`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line is not a record of a circuit")]
pub struct ViewError;

impl RecordView {
    /// Returns what `record` shows at `now`.
    pub fn of(name: &str, record: &Record, now: Micros) -> Self {
        Self {
            name: name.to_owned(),
            version: record.version,
            phase: record.phase,
            left: Duration::from_millis(in_millis(record.left(now))),
            attempt: record.attempt,
            by: record.by.clone(),
            why: record.why.clone(),
            wanted: record.wanted,
        }
    }

    /// Parses a line. The attempt and the time are cut to their bounds; later fields are ignored.
    ///
    /// # Errors
    ///
    /// Returns [`ViewError`] if the line has another format.
    pub fn parse(line: &str) -> Result<Self, ViewError> {
        Self::parse_fields(line).ok_or(ViewError)
    }

    fn parse_fields(line: &str) -> Option<Self> {
        let mut fields = fields(line)?;
        let mut next = || fields.next();
        let name = decode_name(next()?)?;
        let version = Version(parse_number(next()?)?);
        let phase = match next()? {
            "-" => Phase::Absent,
            letter => Phase::from_letter(letter)?,
        };
        let left = Duration::from_millis(parse_number(next()?)?).min(RETENTION);
        let attempt = u32::try_from(parse_number(next()?)?).unwrap_or(MAX_ATTEMPT);
        Some(Self {
            name,
            version,
            phase,
            left,
            attempt: attempt.min(MAX_ATTEMPT),
            by: unless_none(word(next()?)?).to_owned(),
            why: unless_none(word(next()?)?).to_owned(),
            wanted: next()? == "1",
        })
    }
}

/// Displays the line of the record.
impl fmt::Display for RecordView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = encode_name(&self.name);
        let Self {
            version, attempt, ..
        } = self;
        let (phase, left) = (self.phase.letter(), in_millis(self.left));
        let (by, why, wanted) = (or_none(&self.by), or_none(&self.why), u8::from(self.wanted));
        write!(
            f,
            "{name} {version} {phase} {left} {attempt} {by} {why} {wanted}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_beyond_the_bounds_is_cut() {
        let view = RecordView::parse("a 9 h 9222222222990 7000 web-1 lease 1").unwrap();
        assert_eq!((view.left, view.attempt), (RETENTION, MAX_ATTEMPT));
        assert_eq!(RecordView::parse(&view.to_string()), Ok(view));
    }
}
