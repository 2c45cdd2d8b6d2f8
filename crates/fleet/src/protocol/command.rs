//! [`Command`]: what an operator tells all instances of a fleet.

use super::limits::{LONGEST_COMMAND, MAX_NAME, MAX_WORD, RETENTION};
use super::text::is_word;
use super::units::{Version, in_micros};
use std::fmt;
use std::time::Duration;

/// What an operator tells all instances of a fleet about the circuits of a pattern.
///
/// A pattern is the name of a circuit, or the beginning of names with `*` at its end. Of several
/// commands that match a name, the one with the longest pattern counts. A pattern has one command: the
/// one with the latest version. A [close](Verb::Close) is done at once, so it takes no part in this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The pattern.
    pub pattern: String,
    /// The version, which the store gives. Zero in a command that the store has not seen yet.
    pub version: Version,
    /// What the circuits do.
    pub verb: Verb,
    /// How long the command lasts: at most [`LONGEST_COMMAND`], and for a release [`RETENTION`].
    pub left: Duration,
    /// The instance that gave the command. Not empty.
    pub by: String,
    /// The operator, up to 256 bytes, or an empty text.
    pub actor: String,
    /// The reason, up to 256 bytes, or an empty text.
    pub reason: String,
}

/// What the circuits of a command do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// Refuse every call.
    ForceOpen,
    /// Admit every call, and record nothing.
    Disable,
    /// What they do without the command. Remembered, so that no store and no instance brings back an
    /// earlier command of the same pattern.
    Release,
    /// Close, if the fleet keeps them open. Done at once by [`Op::Close`](super::Op::Close): what a store
    /// keeps is a note of who has closed them, and why.
    Close,
}

impl Verb {
    /// Returns the letter in the text of a store.
    pub fn letter(self) -> &'static str {
        match self {
            Self::ForceOpen => "f",
            Self::Disable => "d",
            Self::Release => "r",
            Self::Close => "c",
        }
    }

    pub(super) fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "f" => Some(Self::ForceOpen),
            "d" => Some(Self::Disable),
            "r" => Some(Self::Release),
            "c" => Some(Self::Close),
            _ => None,
        }
    }

    /// Returns how long a command with this verb lasts at most.
    pub fn longest(self) -> Duration {
        match self {
            Self::ForceOpen | Self::Disable | Self::Close => LONGEST_COMMAND,
            Self::Release => RETENTION,
        }
    }

    /// Returns `true` if a command with this verb replaces one with the other verb for the same pattern. A
    /// close ends no command that lasts.
    pub(crate) fn replaces(self, other: Self) -> bool {
        (self == Self::Close) == (other == Self::Close)
    }
}

/// Displays what was done to the circuits: `forced open`, `disabled`, `released` or `closed`.
impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ForceOpen => "forced open",
            Self::Disable => "disabled",
            Self::Release => "released",
            Self::Close => "closed",
        })
    }
}

impl Command {
    /// Returns `true` if a text is a pattern: 1 to [`MAX_NAME`] bytes, with `*` at the end or not at all.
    pub fn is_pattern(pattern: &str) -> bool {
        let star = pattern.find('*');
        (1..=MAX_NAME).contains(&pattern.len()) && star.is_none_or(|star| star + 1 == pattern.len())
    }

    /// Returns `true` if the pattern matches a name.
    pub fn matches(pattern: &str, name: &str) -> bool {
        match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        }
    }

    /// Returns `true` if both commands have one place in a store.
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        self.pattern == other.pattern && self.verb.replaces(other.verb)
    }

    /// Returns `true` if the other command is this one, apart from its texts and the time that is left.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.version, self.verb, &self.by) == (other.version, other.verb, &other.by)
    }

    /// Returns `true` if all fields are within their bounds.
    pub(crate) fn is_valid(&self) -> bool {
        let left = in_micros(self.left);
        Self::is_pattern(&self.pattern)
            && (1..=in_micros(self.verb.longest())).contains(&left)
            && is_word(&self.by, MAX_WORD)
            && self.actor.len() <= MAX_NAME
            && self.reason.len() <= MAX_NAME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_is_allowed_at_the_end_only() {
        for pattern in ["*", "a", "payments:*", "é*"] {
            assert!(Command::is_pattern(pattern), "{pattern}");
        }
        for pattern in ["", "a*b", "**", "*a", &"a".repeat(257)] {
            assert!(!Command::is_pattern(pattern), "{pattern}");
        }
    }

    #[test]
    fn pattern_matches_name_or_beginning() {
        assert!(Command::matches("payments:*", "payments:card"));
        assert!(Command::matches("payments:*", "payments:"));
        assert!(!Command::matches("payments:*", "payments"));
        assert!(Command::matches("payments", "payments"));
        assert!(!Command::matches("payments", "payments:card"));
        assert!(Command::matches("*", "payments"));
    }
}
