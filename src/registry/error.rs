use crate::error::ConfigError;
use crate::names;

/// Why a registry refused what it was told.
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
    /// No breaker can have that name, or no name can begin so.
    #[error("the name {value:?} is not allowed: it must be {allowed}")]
    #[non_exhaustive]
    InvalidName {
        /// The name, shortened, with its length when it is too long.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// The registry is full of breakers that must not go.
    #[error("no room for {name:?}: the registry holds {capacity} breakers that must not go")]
    #[non_exhaustive]
    Full {
        /// The name.
        name: String,
        /// The capacity of the registry.
        capacity: usize,
    },
    /// The global registry is in use, so no other can become it.
    #[error("the global registry is in use: install another one before anybody asks for it")]
    GlobalInUse,
    /// A setting cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl RegistryError {
    /// Refuses names that a registry cannot keep.
    pub(super) fn check_name(name: &str) -> Result<(), Self> {
        names::check(name).map_err(|(value, allowed)| Self::InvalidName {
            value,
            allowed: allowed.to_owned(),
        })
    }
}
