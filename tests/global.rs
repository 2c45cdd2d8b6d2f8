//! The global registry. It has a test binary of its own, because a process has only one.
#![cfg(not(loom))]
#![allow(missing_docs)]

use breakerbox::RegistryError;
use breakerbox::prelude::*;

#[test]
fn global_registry_is_installed_once() {
    let installed = BreakerRegistry::builder().capacity(7).install().unwrap();
    assert_eq!(installed.capacity(), 7);
    installed.breaker("users");
    assert!(BreakerRegistry::global().get("users").is_some());
    let again = BreakerRegistry::builder().install().unwrap_err();
    assert!(matches!(again, RegistryError::GlobalInUse), "{again}");
    assert_eq!(BreakerRegistry::global().capacity(), 7);
}
