//! [`StoreError`]: why a connection to a store ended.

use std::fmt;

/// Why an operation of a store failed.
///
/// No error of a store reaches a call. The fleet reports it, and local rules continue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The connection was lost, or could not be made.
    Disconnected(String),
    /// The store did not answer in time.
    TimedOut,
    /// The store accepts no writes: it is full, read-only or loading.
    ReadOnly(String),
    /// The credentials are wrong, or do not allow an operation.
    Denied(String),
    /// The answer of the store is not one of the protocol.
    Protocol(String),
    /// The server speaks only RESP2, the older protocol of Redis, in which one connection cannot both
    /// send commands and receive messages.
    Resp3Required,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected(why) => write!(f, "the store is not connected: {why}"),
            Self::TimedOut => f.write_str("the store did not answer in time"),
            Self::ReadOnly(why) => write!(f, "the store accepts no writes: {why}"),
            Self::Denied(why) => write!(f, "the store denies access: {why}"),
            Self::Protocol(why) => write!(f, "the store gave an unexpected answer: {why}"),
            Self::Resp3Required => f.write_str(
                "the server does not speak RESP3: use Redis 6 or later, or Valkey, without a proxy \
                 that speaks only RESP2",
            ),
        }
    }
}

impl std::error::Error for StoreError {}
