//! The fixed bounds of the protocol.

use std::time::Duration;

/// How long a store keeps a record after its circuit has closed, or after its open period has ended:
/// 24 hours.
pub const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an instance counts as a member of the fleet after it was last seen: 20 seconds.
pub const NODE_TTL: Duration = Duration::from_secs(20);

/// How far a version may be ahead of the time of its store: one hour. Versions further ahead are
/// ignored, because a single such version would otherwise hide all later ones.
pub const MAX_LEAD: Duration = Duration::from_secs(60 * 60);

/// The largest attempt in a record.
pub const MAX_ATTEMPT: u32 = 1_000;

/// The largest quorum.
pub const MAX_QUORUM: u16 = 64;

/// The largest name of a circuit, in bytes before encoding, as in the registry.
pub const MAX_NAME: usize = 256;

/// The longest time that a command of an operator lasts: 12 hours.
pub const LONGEST_COMMAND: Duration = Duration::from_secs(12 * 60 * 60);

/// The largest number of commands, with those that were released or have closed circuits lately.
pub const MAX_COMMANDS: usize = 256;

/// The largest number of records or members in the answer to a pull.
pub const MAX_PAGE: usize = 1_000;

/// The largest record or message line, in bytes.
pub(crate) const MAX_LINE: usize = 8 * 1_024;

/// The largest label or token, in bytes.
pub(crate) const MAX_WORD: usize = 256;

/// The largest number in a record. Lua represents all integers up to this one exactly.
pub(crate) const MAX_NUMBER: u64 = (1 << 53) - 1;
