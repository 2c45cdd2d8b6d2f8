//! [`BuildError`] and [`ShareError`]: why a store is not built, and why sharing does not start.

use breakerbox_fleet::StartError;
use std::time::Duration;

/// Why a [`RedisStore`](crate::RedisStore) was not built. A server that cannot be reached is not
/// an error of the build.
///
/// No message contains a URL, because URLs contain passwords.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL of the server is invalid. Contains the reason.
    #[error("the URL of the server is invalid: {0}")]
    Url(String),
    /// The URL of a Sentinel is invalid. Contains the reason.
    #[error("the URL of a Sentinel is invalid: {0}")]
    SentinelUrl(String),
    /// There is a name for Sentinels, but no Sentinel.
    #[error("at least one Sentinel is needed to find the server")]
    NoSentinel,
    /// A certificate or a key is invalid, or the URL is not that of an encrypted connection. Contains the
    /// reason.
    #[error("the certificates are invalid: {0}")]
    Certificates(String),
    /// The timeout is too short or too long.
    #[error("timeout is {0:?}, but must be 10ms to 5s")]
    Timeout(Duration),
    /// The prefix has other characters.
    #[error("prefix is {0}, but must be 1 to 64 characters of `[A-Za-z0-9._:-]`")]
    Prefix(String),
}

/// Why [`share`](crate::share) failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The URL is invalid.
    #[error(transparent)]
    Store(#[from] BuildError),
    /// There is no tokio runtime on this thread, or the clock of the registry is not that of tokio.
    #[error(transparent)]
    Start(#[from] StartError),
}
