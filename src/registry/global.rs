//! The registry of the process.

use super::breaker_registry::BreakerRegistry;
use super::error::RegistryError;
use once_cell::sync::OnceCell;

static GLOBAL: OnceCell<BreakerRegistry> = OnceCell::new();

impl BreakerRegistry {
    /// Returns the registry of the process.
    ///
    /// The first use creates it with the [default settings](crate::RegistryBuilder#default), unless
    /// [`install`](crate::RegistryBuilder::install) has created it.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::BreakerRegistry;
    ///
    /// let users = BreakerRegistry::global().breaker("users-api");
    /// assert_eq!(BreakerRegistry::global().get("users-api").unwrap().name(), users.name());
    /// ```
    pub fn global() -> &'static Self {
        GLOBAL.get_or_init(Self::new)
    }
}

pub(super) fn install(
    registry: BreakerRegistry,
) -> Result<&'static BreakerRegistry, RegistryError> {
    GLOBAL
        .set(registry)
        .map_err(|_| RegistryError::GlobalInUse)?;
    Ok(BreakerRegistry::global())
}
