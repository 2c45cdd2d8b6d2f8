//! [`Share`]: how far a circuit is shared with a fleet.

use crate::error::ConfigError;
use std::fmt;
use std::str::FromStr;

/// How far a node shares a circuit with its fleet, and follows the circuits of other nodes.
///
/// The default is [`quorum(2)`](Share::quorum).
///
/// As text, which documents and [`FromStr`] read and `Display` writes, a policy is `quorum:2`,
/// `always`, `evidence:3`, `observe` or `local`.
///
/// # Examples
///
/// ```
/// use breakerbox::fleet::Share;
///
/// assert_eq!("quorum:3".parse(), Ok(Share::quorum(3)));
/// assert_eq!(Share::with_evidence(1).to_string(), "evidence:1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Share(Policy);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Policy {
    Quorum(u16),
    Always,
    WithEvidence(u32),
    Observe,
    Local,
}

impl Share {
    /// The largest quorum.
    const MAX_QUORUM: u16 = 64;

    /// The texts that stand for a policy, for messages.
    pub(crate) const ALLOWED: &'static str =
        "quorum:1 to quorum:64, always, evidence:1 or more, observe or local";

    /// The circuit opens everywhere as soon as the circuits of `nodes` nodes are open: 1 to 64.
    ///
    /// Below the quorum, each circuit is local, including its trials. One node with a broken network
    /// therefore stops no other node. A node that has been the only one for a minute needs no quorum.
    ///
    /// A quorum of 2 never shares anything between two nodes of which one has no calls. Use
    /// [`always`](Share::always) for these.
    pub const fn quorum(nodes: u16) -> Self {
        Self(Policy::Quorum(nodes))
    }

    /// The circuit opens everywhere as soon as one opens.
    ///
    /// A node with a broken network then stops all other nodes.
    pub const fn always() -> Self {
        Self(Policy::Always)
    }

    /// As [`always`](Share::always), but a circuit follows only if it has recorded this number of
    /// failures: at least 1.
    ///
    /// The failures are those of [`View::recorded_failures`](crate::fleet::View). They are compared
    /// while the open period of the fleet lasts.
    pub const fn with_evidence(failures: u32) -> Self {
        Self(Policy::WithEvidence(failures))
    }

    /// The node reports its openings as with [`quorum(2)`](Share::quorum), but follows no other
    /// node.
    ///
    /// Its circuits are local, including their trials. The fleet reports what would have been
    /// adopted. For rollouts.
    pub const fn observe() -> Self {
        Self(Policy::Observe)
    }

    /// The circuit is not shared. Its name never leaves the process.
    pub const fn local() -> Self {
        Self(Policy::Local)
    }

    /// Returns how many nodes must have an open circuit before the circuit opens everywhere.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::fleet::Share;
    ///
    /// assert_eq!(Share::quorum(3).needed(), 3);
    /// assert_eq!(Share::always().needed(), 1);
    /// assert_eq!(Share::observe().needed(), 2);
    /// ```
    pub const fn needed(self) -> u16 {
        match self.0 {
            Policy::Quorum(nodes) => nodes,
            Policy::Observe => 2,
            Policy::Always | Policy::WithEvidence(_) | Policy::Local => 1,
        }
    }

    /// Returns `true` if a circuit with this number of recorded failures follows the fleet.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::fleet::Share;
    ///
    /// assert!(Share::quorum(2).follows(0));
    /// assert!(!Share::with_evidence(3).follows(2));
    /// assert!(!Share::observe().follows(u32::MAX));
    /// ```
    pub const fn follows(self, recorded_failures: u32) -> bool {
        match self.0 {
            Policy::Quorum(_) | Policy::Always => true,
            Policy::WithEvidence(failures) => recorded_failures >= failures,
            Policy::Observe | Policy::Local => false,
        }
    }

    /// Returns `true` if the number of the policy is in its range.
    pub(crate) fn is_valid(self) -> bool {
        match self.0 {
            Policy::Quorum(nodes) => (1..=Self::MAX_QUORUM).contains(&nodes),
            Policy::WithEvidence(failures) => failures > 0,
            Policy::Always | Policy::Observe | Policy::Local => true,
        }
    }

    /// Reads a policy whose number may be out of range.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (word, number) = match text.split_once(':') {
            Some((word, number)) => (word, Some(number)),
            None => (text, None),
        };
        let is_digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let policy = match (word, number.filter(is_digits), number) {
            ("quorum", Some(nodes), _) => Policy::Quorum(nodes.parse().ok()?),
            ("evidence", Some(failures), _) => Policy::WithEvidence(failures.parse().ok()?),
            ("always", _, None) => Policy::Always,
            ("observe", _, None) => Policy::Observe,
            ("local", _, None) => Policy::Local,
            _ => return None,
        };
        Some(Self(policy))
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::quorum(2)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Policy::Quorum(nodes) => write!(f, "quorum:{nodes}"),
            Policy::Always => f.write_str("always"),
            Policy::WithEvidence(failures) => write!(f, "evidence:{failures}"),
            Policy::Observe => f.write_str("observe"),
            Policy::Local => f.write_str("local"),
        }
    }
}

/// Reads the text that `Display` writes.
impl FromStr for Share {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let share = Self::parse(text).filter(|share| share.is_valid());
        share.ok_or_else(|| ConfigError::new("fleet", crate::text::prefix(text, 64), Self::ALLOWED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_what_display_writes() {
        for (text, share) in [
            ("quorum:1", Share::quorum(1)),
            ("quorum:64", Share::quorum(64)),
            ("always", Share::always()),
            ("evidence:1", Share::with_evidence(1)),
            ("evidence:4294967295", Share::with_evidence(u32::MAX)),
            ("observe", Share::observe()),
            ("local", Share::local()),
        ] {
            assert_eq!(text.parse(), Ok(share));
            assert_eq!(share.to_string(), text);
        }
    }

    #[test]
    fn parse_rejects_other_texts_and_numbers_out_of_range() {
        for text in [
            "",
            "quorum",
            "quorum:",
            "quorum:0",
            "quorum:65",
            "quorum:65536",
            "quorum:+2",
            "quorum: 2",
            "quorum:2:",
            "quorum of 2",
            "Quorum:2",
            "always:",
            "always:1",
            "evidence:0",
            "evidence:-1",
            "evidence:4294967296",
            "local ",
            "none",
        ] {
            let error = text.parse::<Share>().unwrap_err();
            let message = format!("fleet is {text:?}, but must be {}", Share::ALLOWED);
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn default_is_quorum_of_two() {
        assert_eq!(Share::default(), Share::quorum(2));
    }
}
