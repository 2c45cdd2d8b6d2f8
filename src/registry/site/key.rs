//! The key of a `#[circuit]`'s breaker: its registry and its name.

use super::default_name;
use crate::breaker::CircuitBreaker;
use crate::registry::breaker_registry::BreakerRegistry;
use std::any::type_name;

/// The registry of a `#[circuit]`.
pub trait RegistrySource {
    /// Returns whether `id` is the id of the registry.
    fn matches(&self, id: u64) -> bool;
    /// Returns the registry.
    fn registry(&self) -> &BreakerRegistry;
}

/// The global registry. A call site that uses it uses no other registry, so the id needs no comparison.
#[derive(Clone, Copy, Debug)]
pub struct Global;

impl RegistrySource for Global {
    #[inline]
    fn matches(&self, _: u64) -> bool {
        true
    }

    fn registry(&self) -> &BreakerRegistry {
        BreakerRegistry::global()
    }
}

/// The registry in the attribute: `registry = ..`.
#[derive(Clone, Copy, Debug)]
pub struct In<'a>(pub &'a BreakerRegistry);

impl RegistrySource for In<'_> {
    #[inline]
    fn matches(&self, id: u64) -> bool {
        self.0.inner.id == id
    }

    fn registry(&self) -> &BreakerRegistry {
        self.0
    }
}

/// The name of the breaker of a `#[circuit]`.
pub trait NameSource {
    /// Returns the full name of the type in the name, or an empty string.
    fn self_type(&self) -> &'static str {
        ""
    }
    /// Returns whether this is the name of `breaker`, which was found for `self_type`.
    fn matches(&self, breaker: &CircuitBreaker, self_type: &'static str) -> bool;
    /// Calls `with` with the name. The name is built only here, on the slow path.
    fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T;
}

/// A name that is the same for each call.
#[derive(Clone, Copy, Debug)]
pub struct Named(pub &'static str);

impl NameSource for Named {
    #[inline]
    fn matches(&self, _: &CircuitBreaker, _: &'static str) -> bool {
        true
    }

    fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        with(self.0)
    }
}

/// The default name of a free function with this path.
#[derive(Clone, Copy, Debug)]
pub struct DefaultName(pub &'static str);

impl NameSource for DefaultName {
    #[inline]
    fn matches(&self, _: &CircuitBreaker, _: &'static str) -> bool {
        true
    }

    fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        with(&default_name::of_function(self.0))
    }
}

/// A name that is computed for each call.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a, S: ?Sized>(pub &'a S);

impl<S: AsRef<str> + ?Sized> NameSource for Given<'_, S> {
    #[inline]
    fn matches(&self, breaker: &CircuitBreaker, _: &'static str) -> bool {
        breaker.name() == self.0.as_ref()
    }

    fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        with(self.0.as_ref())
    }
}

/// The default name of a method. The `Self` type of one method may vary, for example in a trait.
#[derive(Clone, Copy, Debug)]
pub struct OfType {
    module: &'static str,
    self_type: &'static str,
    method: &'static str,
}

impl OfType {
    /// Returns the default name of `method` of `T` in `module`.
    #[inline]
    pub fn new<T: ?Sized>(module: &'static str, method: &'static str) -> Self {
        let self_type = type_name::<T>();
        Self {
            module,
            self_type,
            method,
        }
    }
}

impl NameSource for OfType {
    #[inline]
    fn self_type(&self) -> &'static str {
        self.self_type
    }

    #[inline]
    fn matches(&self, _: &CircuitBreaker, self_type: &'static str) -> bool {
        // Equal names may be at different addresses, because the program may contain a name more than once.
        std::ptr::eq(self.self_type, self_type) || self.self_type == self_type
    }

    fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        with(&default_name::of_method(
            self.module,
            self.self_type,
            self.method,
        ))
    }
}
