//! [`Site`]: the call site of one `#[circuit]`, which keeps handles of its first breakers.
//!
//! `key` defines which breaker a `#[circuit]` uses, and `default_name` its name.
//!
//! A site is a `static`, so a call can borrow a handle with the lifetime `'static` from it. The call
//! changes no reference count, and the future of an async call stays `Send` and `'static`. However, such a
//! handle is never released. A site therefore has at most [`SLOTS`] handles, which is enough for one
//! registry and a few names. Other breakers are found in the handle tables of the registry, as for calls
//! by name.
//!
//! # Invariants
//!
//! 1. Handles in sites do not hold a breaker: the breaker counts them, and an eviction subtracts them. A
//!    breaker may therefore be evicted although a site has a handle of it. The evicted breaker then records
//!    the calls in flight, as after a removal.
//! 2. Each call checks whether the breaker was removed before it uses a handle. A site therefore never
//!    returns a removed breaker again.

mod default_name;
mod key;

pub use key::{DefaultName, Given, Global, In, Named, OfType};
use key::{NameSource, RegistrySource};

use super::breaker_registry::BreakerRegistry;
use crate::breaker::CircuitBreaker;
use crate::circuit::{CallSite, NameConflict};
use crate::config::{BreakerBuilder, Layer, Origin};
use crate::event::Event;
use once_cell::sync::OnceCell;
use std::fmt;
use std::sync::Arc;

/// The maximum number of handles of one site, including those of removed breakers.
const SLOTS: usize = 4;

/// The call site of one `#[circuit]`, with its handles.
#[derive(Debug)]
pub struct Site {
    call_site: CallSite,
    slots: [OnceCell<Slot>; SLOTS],
}

struct Slot {
    breaker: CircuitBreaker,
    self_type: &'static str,
}

/// The handle for one call.
#[derive(Clone, Debug)]
pub enum SiteHandle {
    /// A handle in a slot of the site.
    Static(&'static CircuitBreaker),
    /// A handle from a handle table of the registry, or of a breaker that the registry does not keep.
    Shared(Arc<CircuitBreaker>),
}

impl SiteHandle {
    /// Returns the breaker.
    #[inline]
    pub fn breaker(&self) -> &CircuitBreaker {
        match self {
            Self::Static(breaker) => breaker,
            Self::Shared(breaker) => breaker,
        }
    }
}

impl Site {
    /// Creates the site of a `#[circuit]` at `place`, for example `src/users.rs:12`.
    pub const fn new(place: &'static str, has_settings: bool, named_by_default: bool) -> Self {
        Self {
            call_site: CallSite {
                place,
                has_settings,
                named_by_default,
            },
            slots: [const { OnceCell::new() }; SLOTS],
        }
    }

    /// Returns the breaker for the next call. A missing breaker is created with the settings that `settings`
    /// returns.
    #[inline]
    pub fn find(
        &'static self,
        registry: &impl RegistrySource,
        name: &impl NameSource,
        settings: impl FnOnce() -> Option<BreakerBuilder>,
    ) -> SiteHandle {
        match self.slots[0].get() {
            Some(slot) if slot.matches(registry, name) => SiteHandle::Static(&slot.breaker),
            _ => self.find_in_slots(registry, name, settings),
        }
    }

    /// Does the same as [`find`](Self::find), but returns a reference, which a future can store without a
    /// destructor. A handle that is not in a slot of the site is stored in `own`.
    #[inline]
    pub fn lend<'a>(
        &'static self,
        registry: &impl RegistrySource,
        name: &impl NameSource,
        settings: impl FnOnce() -> Option<BreakerBuilder>,
        own: &'a mut Option<Arc<CircuitBreaker>>,
    ) -> &'a CircuitBreaker {
        match self.find(registry, name, settings) {
            SiteHandle::Static(breaker) => breaker,
            SiteHandle::Shared(breaker) => own.insert(breaker),
        }
    }

    #[inline(never)]
    fn find_in_slots(
        &'static self,
        registry: &impl RegistrySource,
        name: &impl NameSource,
        settings: impl FnOnce() -> Option<BreakerBuilder>,
    ) -> SiteHandle {
        let mut slots = self.slots.iter().map_while(OnceCell::get);
        if let Some(slot) = slots.find(|slot| slot.matches(registry, name)) {
            return SiteHandle::Static(&slot.breaker);
        }
        let mut settings = Some(settings);
        let mut layer = None;
        let mut layer = || {
            if let Some(settings) = settings.take() {
                let origin = Origin::Site(self.call_site.place);
                layer = settings().map(|settings| Layer::new(settings, origin));
            }
            layer.clone()
        };
        name.with(|text| {
            self.find_in_registry(registry.registry(), text, name.self_type(), &mut layer)
        })
    }

    fn find_in_registry(
        &'static self,
        registry: &BreakerRegistry,
        name: &str,
        self_type: &'static str,
        layer: &mut dyn FnMut() -> Option<Layer>,
    ) -> SiteHandle {
        let inner = &*registry.inner;
        let full = self.slots.iter().all(|slot| slot.get().is_some());
        let handle = full.then(|| inner.breakers.get_handle(name)).flatten();
        if let Some(handle) = handle {
            self.register(registry, &handle, layer);
            return SiteHandle::Shared(handle);
        }
        let (breaker, tracked) = registry.get_or_create_layered(name, Some(&self.call_site), layer);
        self.register(registry, &breaker, layer);
        if !tracked {
            return SiteHandle::Shared(Arc::new(breaker));
        }
        match self.insert(&breaker, self_type) {
            Some(slot) => SiteHandle::Static(&slot.breaker),
            None => SiteHandle::Shared(inner.breakers.insert_handle(breaker)),
        }
    }

    /// Stores a handle of `breaker` in the first free slot. Returns that slot, or a slot in which another
    /// thread has stored such a handle. Returns `None` if all slots have other handles.
    fn insert(
        &'static self,
        breaker: &CircuitBreaker,
        self_type: &'static str,
    ) -> Option<&'static Slot> {
        let new_slot = || {
            // Cloned before it is counted: an eviction that sees the number also sees the reference.
            let breaker = breaker.clone();
            breaker.circuit.entry.call_sites.count_handle();
            Slot { breaker, self_type }
        };
        // Lazy: `get_or_init` is called for one slot after another, until a slot has the breaker.
        let mut slots = self.slots.iter().map(|slot| slot.get_or_init(new_slot));
        slots.find(|slot| {
            Arc::ptr_eq(&slot.breaker.circuit, &breaker.circuit) && slot.self_type == self_type
        })
    }

    /// Adds the site to the call sites of the breaker, and the settings of the site to those of the breaker.
    /// Reports a default name that another site has as well, once per breaker and site.
    fn register(
        &'static self,
        registry: &BreakerRegistry,
        breaker: &CircuitBreaker,
        layer: &mut dyn FnMut() -> Option<Layer>,
    ) {
        let CallSite {
            place,
            has_settings,
            named_by_default,
        } = self.call_site;
        breaker.circuit.entry.mark_used_by_code();
        if !has_settings && !named_by_default {
            return;
        }
        let Some(conflict) = breaker.circuit.entry.call_sites.add(&self.call_site) else {
            return;
        };
        if has_settings {
            if let Some(layer) = layer() {
                registry.add_layer(breaker, &layer);
            }
        }
        if let NameConflict(Some(first)) = conflict {
            let first = first.place;
            let event = |breaker| Event::NameShared {
                breaker,
                place,
                first,
            };
            registry.inner.report(breaker, event);
        }
    }
}

impl Slot {
    #[inline]
    fn matches(&self, registry: &impl RegistrySource, name: &impl NameSource) -> bool {
        let circuit = &self.breaker.circuit;
        registry.matches(circuit.context.registry)
            && name.matches(&self.breaker, self.self_type)
            && circuit.entry.touch()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.breaker.fmt(f)
    }
}
