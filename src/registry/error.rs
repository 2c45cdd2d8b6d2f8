//! [`RegistryError`]: why a registry rejects a name or settings.

use crate::error::ConfigError;
use crate::names;

/// The error of registering or configuring a breaker, adding a preset, or installing the global registry.
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
/// use breakerbox::RegistryError;
///
/// let registry = BreakerRegistry::new();
/// registry.register("payments", CircuitBreaker::builder())?;
/// let again = registry.register("payments", CircuitBreaker::builder()).unwrap_err();
/// assert!(matches!(again, RegistryError::AlreadyRegistered { .. }));
/// assert_eq!(again.to_string(), "\"payments\" is already registered; change its settings with `configure`");
/// # Ok::<(), RegistryError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name was registered or configured before.
    #[error("{name:?} is already registered; change its settings with `configure`")]
    #[non_exhaustive]
    AlreadyRegistered {
        /// The name.
        name: String,
    },
    /// The name or the prefix is not allowed.
    #[error("the name {value:?} is not allowed: it must be {allowed}")]
    #[non_exhaustive]
    InvalidName {
        /// The name. A name that is too long is shortened, and followed by its length.
        value: String,
        /// The lengths that are allowed.
        allowed: String,
    },
    /// The registry is full, and found no breaker to evict.
    #[error(
        "the registry has no room for {name:?}: it is full ({capacity} breakers), and none of them can be evicted; raise its capacity"
    )]
    #[non_exhaustive]
    Full {
        /// The name.
        name: String,
        /// The capacity of the registry.
        capacity: usize,
    },
    /// The global registry was used or installed before.
    #[error("the global registry is already in use; install another registry before the first use")]
    GlobalInUse,
    /// A setting is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl RegistryError {
    /// Returns an error for a name that no breaker can have.
    pub(super) fn check_name(name: &str) -> Result<(), Self> {
        names::check(name).map_err(|(value, allowed)| Self::InvalidName {
            value,
            allowed: allowed.to_owned(),
        })
    }
}
