//! The registry of the whole process.

use super::{BreakerRegistry, RegistryError};
use once_cell::sync::OnceCell;

static GLOBAL: OnceCell<BreakerRegistry> = OnceCell::new();

pub(super) fn get() -> &'static BreakerRegistry {
    GLOBAL.get_or_init(BreakerRegistry::new)
}

pub(super) fn install(
    registry: BreakerRegistry,
) -> Result<&'static BreakerRegistry, RegistryError> {
    GLOBAL.set(registry).map_err(|_| RegistryError::GlobalInUse)?;
    Ok(get())
}
