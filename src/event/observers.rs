//! [`Observers`]: receivers of the changes of a registry and its breakers.
//!
//! An observer is no [`Listener`](super::Listener). It receives neither events nor calls, and no
//! slow listener delays a change.

use super::depth::ObserverDepth;
use super::{Change, Event};
use crate::panic::{Contained, catch};
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::{Arc, Weak};

type Closure = Box<dyn Fn(&Change) + Send + Sync>;

/// A closure that receives changes.
pub(crate) struct Observer(Contained<Closure>);

impl Observer {
    pub(crate) fn new(told: impl Fn(&Change) + Send + Sync + 'static) -> Self {
        Self(Contained::new(Box::new(told)))
    }
}

/// The observers of a registry.
///
/// The list contains weak references. A detached observer is therefore dropped by its owner, or by
/// the thread that is calling it, and never while a lock is held.
#[derive(Default)]
pub(crate) struct Observers(ArcSwap<Vec<Weak<Observer>>>);

impl Observers {
    pub(crate) fn attach(&self, observer: &Arc<Observer>) {
        self.0.rcu(|current| {
            let alive = current.iter().filter(|other| other.strong_count() > 0);
            let mut next: Vec<_> = alive.cloned().collect();
            next.push(Arc::downgrade(observer));
            next
        });
    }

    pub(super) fn clear(&self) {
        self.0.store(Arc::default());
    }

    pub(crate) fn has_any(&self) -> bool {
        let observers = self.0.load();
        observers.iter().any(|observer| observer.strong_count() > 0)
    }

    /// Returns the number of observers that were not dropped.
    pub(crate) fn count(&self) -> usize {
        let observers = self.0.load();
        let alive = observers
            .iter()
            .filter(|observer| observer.strong_count() > 0);
        alive.count()
    }

    /// Reports a change, and returns an event for each observer that panicked. Must be called
    /// outside every lock.
    ///
    /// Observers that make changes are nested. Changes that are nested too deep are not reported.
    pub(crate) fn tell(&self, change: &Change) -> Vec<Event> {
        let Some(_depth) = ObserverDepth::enter() else {
            return Vec::new();
        };
        let observers = self.0.load_full();
        let observers = observers.iter().filter_map(Weak::upgrade);
        observers
            .filter_map(|observer| catch(|| (observer.0)(change)).err())
            .map(|panicked| Event::of_panic(change.breaker(), &panicked))
            .collect()
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.load().len())
    }
}
