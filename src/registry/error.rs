//! [`RegistryError`]: why a registry rejects a name or its settings.

use crate::error::ConfigError;
use crate::names;

/// Why a registry did not register or configure a breaker, add a preset, or become the global one.
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
/// assert_eq!(again.to_string(), "\"payments\" is registered already");
/// # Ok::<(), RegistryError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name was registered or configured before.
    #[error("{name:?} is registered already")]
    #[non_exhaustive]
    AlreadyRegistered {
        /// The name.
        name: String,
    },
    /// The name or the prefix is not allowed.
    #[error("the name {value:?} is not allowed: it must be {allowed}")]
    #[non_exhaustive]
    InvalidName {
        /// The name; shortened, and with its length, if it is too long.
        value: String,
        /// The allowed names.
        allowed: String,
    },
    /// The registry is full, and no breaker can be evicted.
    #[error("no room for {name:?}: the registry holds {capacity} breakers that must not go")]
    #[non_exhaustive]
    Full {
        /// The name.
        name: String,
        /// The capacity of the registry.
        capacity: usize,
    },
    /// The global registry was used or installed before.
    #[error("the global registry is in use: install another one before anybody asks for it")]
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
