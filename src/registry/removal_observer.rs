//! [`RemovalObserver`]: keeps the last totals of breakers that leave a registry.

use crate::circuit::Circuit;
use crate::sync::Mutex;
use std::sync::{Arc, Weak};

/// Is called with each breaker that leaves the registry.
///
/// An event would not do: events have names only, and another breaker may have the name by the time the
/// event is delivered.
pub(crate) trait RemovalObserver: Send + Sync {
    /// Called once, outside every lock, after the breaker left.
    fn on_removed(&self, circuit: &Arc<Circuit>);
}

#[derive(Default)]
pub(super) struct RemovalObservers(Mutex<Vec<Weak<dyn RemovalObserver>>>);

impl RemovalObservers {
    pub(super) fn add(&self, observer: Weak<dyn RemovalObserver>) {
        let mut observers = self.0.lock();
        observers.retain(|observer| observer.strong_count() > 0);
        observers.push(observer);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    pub(super) fn notify(&self, circuit: &Arc<Circuit>) {
        let observers = self.0.lock().clone();
        for observer in observers.iter().filter_map(Weak::upgrade) {
            observer.on_removed(circuit);
        }
    }
}
