//! [`Message`]: what a store publishes when records change.

use super::limits::MAX_NUMBER;
use super::text::{fields, parse_number, word};
use super::units::Version;
use super::view::RecordView;
use std::fmt;

const PROTOCOL: &str = "bb1";

/// The line that says that a command was given. No encoded name contains braces.
const COMMANDS: &str = "{commands}";

/// The largest number of records in a message. A batch has at most 256 operations.
const MAX_RECORDS: usize = 1_024;

/// The records that changed in one batch.
///
/// Messages form a chain: `previous` is the `version` of the message before. A subscriber that sees a
/// gap has missed a message and pulls.
///
/// # Format
///
/// The line `bb1 previous version instance`, then the line `{commands}` if a command was given, then one
/// line per record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The head of the store before the batch.
    pub previous: Version,
    /// The head of the store after the batch.
    pub version: Version,
    /// The instance that sent the batch.
    pub instance: String,
    /// Whether a command was given. A subscriber then pulls all commands.
    pub has_commands: bool,
    /// The changed records, oldest first.
    pub records: Vec<RecordView>,
}

/// A text that is not a [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The text has another format.
    #[error("the message is not one of the protocol `bb1`")]
    Format,
    /// A record of the message has another format.
    #[error("a record of the message is malformed")]
    Record,
    /// The message has more records than a batch can change.
    #[error("the message has too many records")]
    TooLong,
}

impl Message {
    /// Parses a message.
    ///
    /// # Errors
    ///
    /// Returns a [`MessageError`] if any line has another format. A subscriber then pulls.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let (head, lines) = text.split_once('\n').unwrap_or((text, ""));
        let mut message = Self::parse_head(head).ok_or(MessageError::Format)?;
        for line in lines.split('\n').filter(|line| !line.is_empty()) {
            if line == COMMANDS {
                message.has_commands = true;
                continue;
            }
            if message.records.len() == MAX_RECORDS {
                return Err(MessageError::TooLong);
            }
            let record = RecordView::parse(line).map_err(|_| MessageError::Record)?;
            message.records.push(record);
        }
        Ok(message)
    }

    fn parse_head(line: &str) -> Option<Self> {
        let mut fields = fields(line)?;
        if fields.next()? != PROTOCOL {
            return None;
        }
        let previous = Version(parse_number(fields.next()?)?);
        let version = Version(parse_number(fields.next()?)?);
        let instance = word(fields.next()?)?.to_owned();
        let is_chain = previous < version && version.0 <= MAX_NUMBER;
        is_chain.then_some(Self {
            previous,
            version,
            instance,
            has_commands: false,
            records: Vec::new(),
        })
    }
}

/// Displays the text that is published.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            previous,
            version,
            instance,
            ..
        } = self;
        write!(f, "{PROTOCOL} {previous} {version} {instance}")?;
        if self.has_commands {
            write!(f, "\n{COMMANDS}")?;
        }
        self.records
            .iter()
            .try_for_each(|record| write!(f, "\n{record}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_survives_its_text() {
        let text =
            "bb1 4 9 web-1\nusers-api 8 o 30000 0 web-1 rate 0\na%20b 9 h 2990 1 web-1 lease 1";
        assert_eq!(Message::parse(text).unwrap().to_string(), text);
        let text = "bb1 4 9 web-1\n{commands}";
        let message = Message::parse(text).unwrap();
        assert!(message.has_commands);
        assert_eq!(message.to_string(), text);
    }

    #[test]
    fn malformed_message_is_rejected() {
        for (text, error) in [
            ("", MessageError::Format),
            ("bb2 4 9 web-1", MessageError::Format),
            ("bb1 9 4 web-1", MessageError::Format),
            ("bb1 4 9", MessageError::Format),
            ("bb1 4 9 web-1\nusers-api 8 o", MessageError::Record),
            (
                "bb1 4 9 web-1\nusers-api nan o 1 0 - - 0",
                MessageError::Record,
            ),
        ] {
            assert_eq!(Message::parse(text), Err(error), "{text:?}");
        }
        let long = "\nx 1 c 0 0 - - 0".repeat(MAX_RECORDS + 1);
        assert_eq!(
            Message::parse(&format!("bb1 4 9 web-1{long}")),
            Err(MessageError::TooLong)
        );
    }
}
