//! The call sites of one breaker: the `#[circuit]`s that use it.

use crate::sync::{ArcSwap, Mutex};
use once_cell::race::OnceBox;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The source position of a `#[circuit]`, and what it says about its breaker.
#[derive(Debug)]
pub(crate) struct CallSite {
    /// `src/users.rs:12`.
    pub(crate) place: &'static str,
    pub(crate) has_settings: bool,
    pub(crate) named_by_default: bool,
}

/// The call sites of a breaker, the one that created it first.
///
/// Lookups that miss a site's own handles read them, so without a lock. Few breakers have any.
#[derive(Default)]
pub(crate) struct CallSites(OnceBox<Known>);

struct Known {
    sites: ArcSwap<Vec<&'static CallSite>>,
    writing: Mutex<()>,
    /// Handles in sites, which stay there.
    handles: AtomicUsize,
}

/// A call site whose default name is that of the site that was added.
pub(crate) struct NameConflict(pub(crate) Option<&'static CallSite>);

impl CallSites {
    /// Adds the site that created the breaker, before the breaker is in the map.
    pub(crate) fn add_first(&self, origin: &'static CallSite) {
        self.0.get_or_init(|| Box::new(Known::new(vec![origin])));
    }

    fn known(&self) -> &Known {
        self.0.get_or_init(|| Box::new(Known::new(Vec::new())))
    }

    /// Counts a handle that a site keeps from now on. The caller has it already.
    pub(crate) fn count_handle(&self) {
        // Ordering: `Release` here pairs with the `Acquire` load in `handles`; without it a reader
        // could see the number with a reference count from before the handle.
        self.known().handles.fetch_add(1, Ordering::Release);
    }

    /// The number of handles that sites keep.
    pub(crate) fn handles(&self) -> usize {
        // Ordering: see `count_handle`.
        self.0
            .get()
            .map_or(0, |known| known.handles.load(Ordering::Acquire))
    }

    /// Adds a site. Returns `None` if it was added before.
    pub(crate) fn add(&self, origin: &'static CallSite) -> Option<NameConflict> {
        let known = self.known();
        let has =
            |sites: &[&'static CallSite]| sites.iter().any(|site| std::ptr::eq(*site, origin));
        if has(&known.sites.load()) {
            return None;
        }
        let _writing = known.writing.lock();
        let mut sites = Vec::clone(&known.sites.load());
        if has(&sites) {
            return None;
        }
        let conflict = sites.iter().find(|site| site.named_by_default);
        let conflict = NameConflict(conflict.copied().filter(|_| origin.named_by_default));
        sites.push(origin);
        drop(known.sites.swap(Arc::new(sites)));
        Some(conflict)
    }
}

impl Known {
    fn new(sites: Vec<&'static CallSite>) -> Self {
        Self {
            sites: ArcSwap::new(Arc::new(sites)),
            writing: Mutex::default(),
            handles: AtomicUsize::new(0),
        }
    }
}
