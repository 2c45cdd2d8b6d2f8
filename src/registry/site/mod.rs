//! [`Site`]: the handles that one `#[circuit]` keeps.
//!
//! `key` defines which breaker a `#[circuit]` uses.
//!
//! A site is a `static`, so a call can borrow a handle from it for as long as the program runs. The call
//! touches no reference count, and the future of an async call stays `Send` and `'static`. In return, such a
//! handle is never released, so a site has at most [`SLOTS`] of them. They cover a site that uses one registry
//! and one name, or a few. Other breakers are found in the handle tables of the registry, as calls by name
//! find them.
//!
//! # Invariants
//!
//! 1. A breaker counts the handles in sites, and they do not hold it. So a breaker may be evicted although a
//!    site has a handle of it. A call in flight is then recorded by the evicted breaker, as after a removal.
//! 2. Each call reads the mark of a removed breaker before it uses a handle, so a site never returns a
//!    removed breaker again.

mod key;

pub use key::{Given, Global, In, Named, OfType};
use key::{NameSource, RegistrySource};

use super::breaker_registry::BreakerRegistry;
use crate::breaker::CircuitBreaker;
use crate::circuit::{CallSite, NameConflict};
use crate::config::{BreakerBuilder, Layer, Origin};
use crate::event::Event;
use once_cell::sync::OnceCell;
use std::fmt;
use std::sync::Arc;

/// The handles that one site keeps, including those of removed breakers.
const SLOTS: usize = 4;

/// The handles of one `#[circuit]`.
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
    /// A handle that the site keeps.
    Static(&'static CircuitBreaker),
    /// A handle of one of the handle tables of the registry.
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

    /// Returns the breaker for the next call. A missing breaker is created with what `settings` returns.
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

    /// The same as [`find`](Self::find), for a future: returns a reference, which needs no drop. A handle
    /// that the site does not keep is stored in `own`.
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

    /// Stores a handle of `breaker` in the first free slot. Returns that slot, or one in which another thread
    /// stored such a handle before.
    fn insert(
        &'static self,
        breaker: &CircuitBreaker,
        self_type: &'static str,
    ) -> Option<&'static Slot> {
        let new_slot = || {
            let breaker = breaker.clone();
            breaker.circuit.entry.call_sites.count_handle();
            Slot { breaker, self_type }
        };
        let mut slots = self.slots.iter().map(|slot| slot.get_or_init(new_slot));
        slots.find(|slot| {
            Arc::ptr_eq(&slot.breaker.circuit, &breaker.circuit) && slot.self_type == self_type
        })
    }

    /// Adds the site to the call sites of the breaker, and its settings to those of the breaker. Reports
    /// default names that conflict, once per breaker.
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
