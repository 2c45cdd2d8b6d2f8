//! The handles that a line of code keeps for itself: one [`Site`] for each `#[circuit]`.
//!
//! `key` tells which breaker a site means.
//!
//! A site is a `static`, so a handle in it can be lent for as long as the program runs: a call
//! touches no reference count, and the future of an async one is as `Send` and as `'static` as it
//! was. The price is that such a handle is never given back. So there are few of them
//! ([`SLOTS`]), which covers a site that always means one registry, or goes to and fro between a
//! few; for the others it falls back on the tables of the registry, as calls by name do.
//!
//! 1. A handle in a site is counted with its breaker, and is no reason to keep that: a breaker may be
//!    evicted although a site knows it. A call that runs then ends on a breaker that has left, as one
//!    does when its breaker is removed.
//! 2. The mark of a breaker that has left is read before each call, so it is never served again.

mod key;

pub use key::{Given, Global, In, Named, OfType};
use key::{Home, Name};

use super::{BreakerRegistry, Shared};
use crate::breaker::CircuitBreaker;
use crate::circuit::{CallSite, NameConflict};
use crate::config::BreakerBuilder;
use crate::event::Event;
use once_cell::sync::OnceCell;
use std::fmt;
use std::sync::Arc;

/// Breakers that one site keeps handles of, the ones that have left included.
const SLOTS: usize = 4;

/// The memory of one `#[circuit]`.
#[derive(Debug)]
pub struct Site {
    origin: CallSite,
    slots: [OnceCell<Slot>; SLOTS],
}

struct Slot {
    breaker: CircuitBreaker,
    self_type: &'static str,
}

/// The handle of one call.
#[derive(Clone, Debug)]
pub enum SiteHandle {
    /// The site's own.
    Kept(&'static CircuitBreaker),
    /// One of the registry's [tables](super::handle_table).
    Own(Arc<CircuitBreaker>),
}

impl SiteHandle {
    /// The breaker.
    #[inline]
    pub fn breaker(&self) -> &CircuitBreaker {
        match self {
            Self::Kept(breaker) => breaker,
            Self::Own(breaker) => breaker,
        }
    }
}

impl Site {
    /// For a `#[circuit]` at `place`, `src/users.rs:12`.
    pub const fn new(place: &'static str, settings: bool, named_by_default: bool) -> Self {
        Self {
            origin: CallSite {
                place,
                has_settings: settings,
                named_by_default,
            },
            slots: [const { OnceCell::new() }; SLOTS],
        }
    }

    /// The breaker of the next call; made with what `settings` gives when there is none.
    #[inline]
    pub fn find(
        &'static self,
        home: &impl Home,
        name: &impl Name,
        settings: impl FnOnce() -> Option<BreakerBuilder>,
    ) -> SiteHandle {
        match self.slots[0].get() {
            Some(slot) if slot.fits(home, name) => SiteHandle::Kept(&slot.breaker),
            _ => self.find_further(home, name, settings),
        }
    }

    /// The same for a future that waits meanwhile: a handle that needs no drop is at hand all the time. It is
    /// the site's own, or borrowed from `own`, where it is put then.
    #[inline]
    pub fn lend<'a>(
        &'static self,
        home: &impl Home,
        name: &impl Name,
        settings: impl FnOnce() -> Option<BreakerBuilder>,
        own: &'a mut Option<Arc<CircuitBreaker>>,
    ) -> &'a CircuitBreaker {
        match self.find(home, name, settings) {
            SiteHandle::Kept(breaker) => breaker,
            SiteHandle::Own(breaker) => own.insert(breaker),
        }
    }

    #[inline(never)]
    fn find_further(
        &'static self,
        home: &impl Home,
        name: &impl Name,
        settings: impl FnOnce() -> Option<BreakerBuilder>,
    ) -> SiteHandle {
        let mut slots = self.slots.iter().map_while(OnceCell::get);
        if let Some(slot) = slots.find(|slot| slot.fits(home, name)) {
            return SiteHandle::Kept(&slot.breaker);
        }
        let mut settings = Some(settings);
        let mut settings = || settings.take().and_then(|settings| settings());
        name.with(|text| self.look_up(home.registry(), text, name.self_type(), &mut settings))
    }

    fn look_up(
        &'static self,
        registry: &BreakerRegistry,
        name: &str,
        self_type: &'static str,
        settings: &mut dyn FnMut() -> Option<BreakerBuilder>,
    ) -> SiteHandle {
        let shared = &*registry.shared;
        let full = self.slots.iter().all(|slot| slot.get().is_some());
        let known = full.then(|| shared.find_handle(name)).flatten();
        // Used by name, which is not to speak of it.
        let known = known.filter(|own| !own.circuit.entry.is_config_only());
        if let Some(own) = known {
            self.meet(shared, &own);
            return SiteHandle::Own(own);
        }
        let (breaker, kept) = registry.find_or_create_with(name, Some(&self.origin), settings);
        self.meet(shared, &breaker);
        if !kept {
            return SiteHandle::Own(Arc::new(breaker));
        }
        match self.keep(&breaker, self_type) {
            Some(slot) => SiteHandle::Kept(&slot.breaker),
            None => SiteHandle::Own(shared.handles.insert(breaker)),
        }
    }

    /// The first free slot, with a handle of `breaker`; or one where another thread put it.
    fn keep(
        &'static self,
        breaker: &CircuitBreaker,
        self_type: &'static str,
    ) -> Option<&'static Slot> {
        let make = || {
            let breaker = breaker.clone();
            breaker.circuit.entry.call_sites.count_handle();
            Slot { breaker, self_type }
        };
        let mut slots = self.slots.iter().map(|slot| slot.get_or_init(make));
        slots.find(|slot| {
            Arc::ptr_eq(&slot.breaker.circuit, &breaker.circuit) && slot.self_type == self_type
        })
    }

    /// Says, once for each breaker, what its writer would want to know.
    fn meet(&'static self, shared: &Shared, breaker: &CircuitBreaker) {
        let CallSite {
            place,
            has_settings,
            named_by_default,
        } = self.origin;
        if !has_settings && !named_by_default {
            return;
        }
        let Some(conflict) = breaker.circuit.entry.call_sites.add(&self.origin) else {
            return;
        };
        if has_settings {
            shared.report(breaker, |breaker| Event::SettingsIgnored { breaker, place });
        }
        if let NameConflict(Some(first)) = conflict {
            shared.report(breaker, |breaker| Event::NameShared {
                breaker,
                place,
                first: first.place,
            });
        }
    }
}

impl Slot {
    #[inline]
    fn fits(&self, home: &impl Home, name: &impl Name) -> bool {
        let circuit = &self.breaker.circuit;
        home.is(circuit.context.registry)
            && name.is(&self.breaker, self.self_type)
            && circuit.entry.touch()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.breaker.fmt(f)
    }
}
