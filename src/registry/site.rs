//! The handles that a line of code keeps for itself: one [`Site`] for each `#[circuit]`.
//!
//! A site is a `static`, so a handle in it can be lent for as long as the program runs: a call
//! touches no reference count, and the future of an async one is as `Send` and as `'static` as it
//! was. The price is that such a handle is never given back. So there are few of them
//! ([`SLOTS`]), which covers a site that always means one registry, or goes to and fro between a
//! few; for the others it falls back on the tables of the threads, as calls by name do.
//!
//! 1. A handle in a site is listed with its breaker, as those in the tables are (see
//!    [`Tenancy`](super::Tenancy)): a breaker may be evicted although a site knows it. A call that
//!    runs then ends on a breaker that has left, as one does when its breaker is removed.
//! 2. The mark of a breaker that has left is read before each call, so it is never served again.

use super::cache::{self, Kept};
use super::{BreakerRegistry, Shared};
use crate::breaker::CircuitBreaker;
use crate::config::BreakerBuilder;
use crate::event::Event;
use crate::sync::{Lock, Swap};
use once_cell::sync::OnceCell;
use std::any::type_name;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

/// Breakers that one site keeps handles of, the ones that have left included.
const SLOTS: usize = 4;

/// What stands at a `#[circuit]`.
#[derive(Debug)]
pub(super) struct Origin {
    place: &'static str,
    settings: bool,
    named_by_default: bool,
}

/// The memory of one `#[circuit]`.
#[derive(Debug)]
pub struct Site {
    origin: Origin,
    slots: [OnceCell<Slot>; SLOTS],
}

struct Slot {
    kept: Kept,
    self_type: &'static str,
}

/// The handle of one call.
#[derive(Clone, Debug)]
pub enum SiteHandle {
    /// The site's own.
    Kept(&'static CircuitBreaker),
    /// The thread's.
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
        let own = crate::expansion::short_type(self.self_type);
        let module = crate::expansion::within_crate(self.module);
        let method = self.method;
        if module.is_empty() {
            with(&format!("{own}::{method}"))
        } else {
            with(&format!("{module}::{own}::{method}"))
        }
    }
}

impl Site {
    /// For a `#[circuit]` at `place`, `src/users.rs:12`.
    pub const fn new(place: &'static str, settings: bool, named_by_default: bool) -> Self {
        Self {
            origin: Origin {
                place,
                settings,
                named_by_default,
            },
            slots: [const { OnceCell::new() }; SLOTS],
        }
    }

    /// The breaker of the next call; made with what `settings` gives when there is none.
    #[inline]
    pub fn find(
        &'static self,
        home: impl Home,
        name: impl Name,
        settings: impl FnOnce() -> Option<BreakerBuilder>,
    ) -> SiteHandle {
        match self.slots[0].get() {
            Some(slot) if slot.fits(&home, &name) => SiteHandle::Kept(&slot.kept.0),
            _ => self.find_further(&home, &name, settings),
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
            return SiteHandle::Kept(&slot.kept.0);
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
        let hash = shared.breakers.hasher().hash_one(name);
        let full = self.slots.iter().all(|slot| slot.get().is_some());
        let known = full.then(|| cache::find(hash, shared.id, name)).flatten();
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
            Some(slot) => SiteHandle::Kept(&slot.kept.0),
            None => SiteHandle::Own(cache::keep(hash, breaker)),
        }
    }

    /// The first free slot, with a handle of `breaker`; or one where another thread put it.
    fn keep(
        &'static self,
        breaker: &CircuitBreaker,
        self_type: &'static str,
    ) -> Option<&'static Slot> {
        let make = || Slot {
            kept: Kept::new(Arc::new(breaker.clone())),
            self_type,
        };
        let mut slots = self.slots.iter().map(|slot| slot.get_or_init(make));
        slots.find(|slot| {
            Arc::ptr_eq(&slot.kept.0.circuit, &breaker.circuit) && slot.self_type == self_type
        })
    }

    /// Says, once for each breaker, what its writer would want to know.
    fn meet(&'static self, shared: &Shared, breaker: &CircuitBreaker) {
        let Origin {
            place,
            settings,
            named_by_default,
        } = self.origin;
        if !settings && !named_by_default {
            return;
        }
        let Some(namesake) = breaker.circuit.tenancy.sites.meet(&self.origin) else {
            return;
        };
        if settings {
            shared.tell(breaker, |breaker| Event::SettingsIgnored { breaker, place });
        }
        if let Namesake(Some(first)) = namesake {
            shared.tell(breaker, |breaker| Event::NameShared {
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
        let breaker = &*self.kept.0;
        let circuit = &breaker.circuit;
        home.is(circuit.home.registry)
            && name.is(breaker, self.self_type)
            && circuit.tenancy.visit()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kept.0.fmt(f)
    }
}

/// The sites that know a breaker, the one that made it first. Read at look-ups that miss the
/// sites' own handles, so without a lock; few breakers have any.
#[derive(Default)]
pub(super) struct Sites(OnceLock<Box<Known>>);

struct Known {
    sites: Swap<Vec<&'static Origin>>,
    writing: Lock<()>,
}

/// The site that had the same default name before.
pub(super) struct Namesake(Option<&'static Origin>);

impl Sites {
    /// The site that made the breaker, which nobody else has seen yet.
    pub(super) fn found(&self, origin: &'static Origin) {
        self.0.get_or_init(|| Known::new(vec![origin]));
    }

    /// `None` for a site that it knows already.
    fn meet(&self, origin: &'static Origin) -> Option<Namesake> {
        let known = self.0.get_or_init(|| Known::new(Vec::new()));
        let knows =
            |sites: &[&'static Origin]| sites.iter().any(|site| std::ptr::eq(*site, origin));
        if knows(&known.sites.load()) {
            return None;
        }
        let _writing = known.writing.lock();
        let mut sites = Vec::clone(&known.sites.load());
        if knows(&sites) {
            return None;
        }
        let namesake = sites.iter().find(|site| site.named_by_default);
        let namesake = Namesake(namesake.copied().filter(|_| origin.named_by_default));
        sites.push(origin);
        drop(known.sites.swap(Arc::new(sites)));
        Some(namesake)
    }
}

impl Known {
    fn new(sites: Vec<&'static Origin>) -> Box<Self> {
        Box::new(Self {
            sites: Swap::new(Arc::new(sites)),
            writing: Lock::default(),
        })
    }
}
