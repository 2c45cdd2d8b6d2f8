//! [`ConfigError`] and [`StartError`]: why a fleet does not start. [`CommandError`]: why a command of an
//! operator was not given.

use crate::store::StoreError;
use std::fmt;
use std::time::Duration;

/// An invalid setting: its name, its value, and the values that are allowed.
///
/// # Examples
///
/// ```
/// use breakerbox::BreakerRegistry;
/// use breakerbox_fleet::store::Memory;
/// use breakerbox_fleet::{Fleet, StartError};
///
/// let registry = BreakerRegistry::new();
/// let error = Fleet::builder(&registry, Memory::new()).namespace("{shop}").start().unwrap_err();
/// let StartError::Config(error) = error else { panic!() };
/// assert_eq!(error.field(), "namespace");
/// assert_eq!(error.value(), "{shop}");
/// assert_eq!(
///     error.to_string(),
///     "namespace is {shop}, but must be 1 to 64 characters of `[A-Za-z0-9._:-]`, and not `-`",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, but must be {allowed}")]
pub struct ConfigError {
    field: &'static str,
    value: String,
    allowed: String,
}

impl ConfigError {
    pub(crate) fn new(
        field: &'static str,
        value: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            field,
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }

    /// Returns the name of the setting, which is the name of the builder's method.
    pub fn field(&self) -> &str {
        self.field
    }

    /// Returns the invalid value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the values that are allowed.
    pub fn allowed(&self) -> &str {
        &self.allowed
    }
}

/// Why a fleet did not start.
///
/// A store that cannot be reached is no such reason: the fleet starts, and connects later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The fleet was started outside a tokio runtime whose timers are enabled.
    #[error("a fleet starts on a tokio runtime, but there is none on this thread")]
    NoRuntime,
    /// The clock of the registry is not that of tokio, so the timers of the fleet would not agree with
    /// the deadlines of circuits.
    #[error(
        "the clock of the registry does not follow tokio's time: use the system's clock, or tokio's \
         in tests with paused time"
    )]
    OtherClock,
    /// The registry has a fleet already. Two fleets would undo each other's orders.
    #[error("the registry has a fleet already: shut that fleet down first")]
    HasFleet,
}

/// Why a command was not given, or may not have been given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The pattern is empty, longer than 256 bytes, or has a `*` that is not at its end.
    #[error(
        "{0:?} is no pattern: use the name of a breaker, or the beginning of names with `*` at its end"
    )]
    Pattern(String),
    /// The command would last too long.
    #[error("a command lasts 1 ms to 12 h, and not {0:?}")]
    Time(Duration),
    /// There are commands for 256 other patterns, with those that were released during the last 24 h, and
    /// those that have closed circuits during the last hour.
    #[error("the fleet has commands for 256 other patterns: wait until some of them have ended")]
    Full,
    /// The store did not accept the command, for example because this instance has no permission. If the
    /// connection was lost, the store may have accepted the command nevertheless.
    #[error("the store did not accept the command: {0}")]
    Store(#[from] StoreError),
    /// The store did not answer within 5 s, or did not close all circuits within 30 s. It may have accepted
    /// the command nevertheless.
    #[error("the store did not answer to the command in time")]
    TimedOut,
    /// The fleet has ended.
    #[error("the fleet has ended")]
    Ended,
}
