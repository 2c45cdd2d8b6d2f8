//! Which breaker a site means: the registry, and the name.

use crate::breaker::CircuitBreaker;
use crate::names::{short_type, within_crate};
use crate::registry::BreakerRegistry;
use std::any::type_name;

/// Which registry a site means.
pub trait Home {
    /// Whether it is the one of that number.
    fn is(&self, number: u64) -> bool;
    /// The registry.
    fn registry(&self) -> &BreakerRegistry;
}

/// The global registry, of which there is one: its number need not be compared.
#[derive(Clone, Copy, Debug)]
pub struct Global;

impl Home for Global {
    #[inline]
    fn is(&self, _: u64) -> bool {
        true
    }

    fn registry(&self) -> &BreakerRegistry {
        BreakerRegistry::global()
    }
}

/// A registry that was given.
#[derive(Clone, Copy, Debug)]
pub struct In<'a>(pub &'a BreakerRegistry);

impl Home for In<'_> {
    #[inline]
    fn is(&self, number: u64) -> bool {
        self.0.shared.id == number
    }

    fn registry(&self) -> &BreakerRegistry {
        self.0
    }
}

/// Which name a site means.
pub trait Name {
    /// The type that the name is made of, if it is.
    fn self_type(&self) -> &'static str {
        ""
    }
    /// Whether it is the name of that breaker, which was found for that type.
    fn is(&self, breaker: &CircuitBreaker, self_type: &'static str) -> bool;
    /// Calls `with` with the name.
    fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T;
}

/// The same name at each call.
#[derive(Clone, Copy, Debug)]
pub struct Named(pub &'static str);

impl Name for Named {
    #[inline]
    fn is(&self, _: &CircuitBreaker, _: &'static str) -> bool {
        true
    }

    fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        with(self.0)
    }
}

/// A name that is made anew at each call.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a, S: ?Sized>(pub &'a S);

impl<S: AsRef<str> + ?Sized> Name for Given<'_, S> {
    #[inline]
    fn is(&self, breaker: &CircuitBreaker, _: &'static str) -> bool {
        breaker.name() == self.0.as_ref()
    }

    fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        with(self.0.as_ref())
    }
}

/// The default name of a method: one function may serve many types, as those of a trait do.
#[derive(Clone, Copy, Debug)]
pub struct OfType {
    module: &'static str,
    self_type: &'static str,
    method: &'static str,
}

impl OfType {
    /// The name of `method` of `T`, in `module`.
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

impl Name for OfType {
    #[inline]
    fn self_type(&self) -> &'static str {
        self.self_type
    }

    #[inline]
    fn is(&self, _: &CircuitBreaker, self_type: &'static str) -> bool {
        // One type's name may stand in the program more than once.
        std::ptr::eq(self.self_type, self_type) || self.self_type == self_type
    }

    fn with<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        let own = short_type(self.self_type);
        let module = within_crate(self.module);
        let method = self.method;
        if module.is_empty() {
            with(&format!("{own}::{method}"))
        } else {
            with(&format!("{module}::{own}::{method}"))
        }
    }
}
