//! The sites that a breaker has met.

use super::Origin;
use crate::sync::{Lock, Swap};
use once_cell::race::OnceBox;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The sites that know a breaker, the one that made it first. Read at look-ups that miss the
/// sites' own handles, so without a lock; few breakers have any.
#[derive(Default)]
pub(in crate::registry) struct Sites(OnceBox<Known>);

struct Known {
    sites: Swap<Vec<&'static Origin>>,
    writing: Lock<()>,
    /// Handles in sites, which stay there.
    handles: AtomicUsize,
}

/// The site that had the same default name before.
pub(super) struct Namesake(pub(super) Option<&'static Origin>);

impl Sites {
    /// The site that made the breaker, which nobody else has seen yet.
    pub(in crate::registry) fn found(&self, origin: &'static Origin) {
        self.0.get_or_init(|| Box::new(Known::new(vec![origin])));
    }

    fn known(&self) -> &Known {
        self.0.get_or_init(|| Box::new(Known::new(Vec::new())))
    }

    /// Counts a handle that goes to a site. The caller has it already.
    pub(super) fn keep_handle(&self) {
        // Ordering: `Release` here pairs with the `Acquire` load in `handles`; without it a reader
        // could see the number with a reference count from before the handle.
        self.known().handles.fetch_add(1, Ordering::Release);
    }

    /// How many handles sites keep.
    pub(in crate::registry) fn handles(&self) -> usize {
        // Ordering: see `keep_handle`.
        self.0
            .get()
            .map_or(0, |known| known.handles.load(Ordering::Acquire))
    }

    /// `None` for a site that it knows already.
    pub(super) fn meet(&self, origin: &'static Origin) -> Option<Namesake> {
        let known = self.known();
        let has_met =
            |sites: &[&'static Origin]| sites.iter().any(|site| std::ptr::eq(*site, origin));
        if has_met(&known.sites.load()) {
            return None;
        }
        let _writing = known.writing.lock();
        let mut sites = Vec::clone(&known.sites.load());
        if has_met(&sites) {
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
    fn new(sites: Vec<&'static Origin>) -> Self {
        Self {
            sites: Swap::new(Arc::new(sites)),
            writing: Lock::default(),
            handles: AtomicUsize::new(0),
        }
    }
}
