//! [`CallSites`]: the `#[circuit]`s that use one breaker.

use crate::sync::{ArcSwap, Mutex};
use once_cell::race::OnceBox;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The source position of a `#[circuit]`, and what its arguments say about the breaker.
#[derive(Debug)]
pub(crate) struct CallSite {
    /// File and line, such as `src/users.rs:12`.
    pub(crate) place: &'static str,
    pub(crate) has_settings: bool,
    pub(crate) named_by_default: bool,
}

/// The call sites of a breaker. The site that created the breaker is the first.
///
/// Readers take no lock, because each lookup that misses the handles of its site reads the list.
/// The list is allocated with the first site, because few breakers have any.
#[derive(Default)]
pub(crate) struct CallSites(OnceBox<SiteList>);

struct SiteList {
    sites: ArcSwap<Vec<&'static CallSite>>,
    /// Serializes the writers of `sites`.
    writing: Mutex<()>,
    /// The number of handles that sites keep.
    handles: AtomicUsize,
}

/// The earlier call site with the same default name as an added site, if there is one.
pub(crate) struct NameConflict(pub(crate) Option<&'static CallSite>);

impl CallSites {
    /// Adds the site that created the breaker, before the breaker is in the map.
    pub(crate) fn add_first(&self, origin: &'static CallSite) {
        self.0.get_or_init(|| Box::new(SiteList::new(vec![origin])));
    }

    fn list(&self) -> &SiteList {
        self.0.get_or_init(|| Box::new(SiteList::new(Vec::new())))
    }

    /// Counts a handle that a site keeps from now on. The caller already has the handle.
    pub(crate) fn count_handle(&self) {
        // Ordering: `Release` here pairs with the `Acquire` load in `handles`; without it a reader
        // could combine the new number with a reference count that does not include the handle.
        self.list().handles.fetch_add(1, Ordering::Release);
    }

    /// Returns the number of handles that sites keep.
    pub(crate) fn handles(&self) -> usize {
        // Ordering: see `count_handle`.
        self.0
            .get()
            .map_or(0, |list| list.handles.load(Ordering::Acquire))
    }

    /// Adds a site. Returns `None` if it was added before.
    pub(crate) fn add(&self, origin: &'static CallSite) -> Option<NameConflict> {
        let list = self.list();
        let has =
            |sites: &[&'static CallSite]| sites.iter().any(|site| std::ptr::eq(*site, origin));
        if has(&list.sites.load()) {
            return None;
        }
        let _writing = list.writing.lock();
        // Checked again under the lock, because another thread may have added the site.
        let mut sites = Vec::clone(&list.sites.load());
        if has(&sites) {
            return None;
        }
        let conflict = sites.iter().find(|site| site.named_by_default);
        let conflict = NameConflict(conflict.copied().filter(|_| origin.named_by_default));
        sites.push(origin);
        drop(list.sites.swap(Arc::new(sites)));
        Some(conflict)
    }
}

impl SiteList {
    fn new(sites: Vec<&'static CallSite>) -> Self {
        Self {
            sites: ArcSwap::new(Arc::new(sites)),
            writing: Mutex::default(),
            handles: AtomicUsize::new(0),
        }
    }
}
