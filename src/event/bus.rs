//! [`EventBus`]: stores the listeners of a registry or a breaker, and delivers events to them.

use super::stream::{self, EventStream};
use super::{CallInterest, Event, Listener, ListenerDepth, Recorders};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Delivers the events of a registry or of one breaker. A stream is a listener that queues events.
///
/// A listener is dead once its receiver has been dropped. Dead listeners are removed when a
/// listener is attached, or by the next call that looks for listeners. Dead listeners own no user
/// values, so they may be dropped while a lock is held.
#[derive(Debug, Default)]
pub(crate) struct EventBus {
    /// Loom and shuttle do not model `ArcSwap`. They model the flags in the packed states of the
    /// breakers, which tell calls that a listener was attached.
    listeners: ArcSwap<Vec<Listener>>,
    /// The observers of changes, which receive no events.
    #[cfg(feature = "fleet")]
    pub(crate) observers: super::Observers,
    /// The receivers of all calls, which receive no events.
    pub(crate) recorders: Recorders,
}

impl EventBus {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        Self {
            listeners: ArcSwap::from_pointee(listeners),
            #[cfg(feature = "fleet")]
            observers: super::Observers::default(),
            recorders: Recorders::default(),
        }
    }

    /// Returns the listeners of this bus only.
    pub(crate) fn listeners(&self) -> Listeners<'_> {
        Listeners {
            configured: &[],
            local: None,
            registry: Some(self),
        }
    }

    /// Adds `listener` unless a listener of the same kind is attached.
    pub(crate) fn attach(&self, listener: &Listener) {
        self.listeners.rcu(|current| {
            let mut next: Vec<_> = alive(current).cloned().collect();
            if !next.iter().any(|other| other.is_same_kind(listener)) {
                next.push(listener.clone());
            }
            next
        });
    }

    pub(crate) fn subscribe(&self, interest: CallInterest) -> EventStream {
        let (sender, stream) = stream::channel(interest);
        self.attach(&Listener::of(sender));
        stream
    }

    /// Closes all streams, and removes them, the observers and the recorders.
    ///
    /// Handles can keep the bus alive after its registry is gone, so dropping the registry must
    /// close the streams explicitly.
    pub(crate) fn close(&self) {
        #[cfg(feature = "fleet")]
        self.observers.clear();
        self.recorders.clear();
        let before = self.listeners.rcu(|current| {
            let others = current.iter().filter(|listener| !listener.is_stream());
            others.cloned().collect::<Vec<_>>()
        });
        before.iter().for_each(Listener::close);
    }

    #[cold]
    fn remove_dead(&self) {
        self.listeners
            .rcu(|current| alive(current).cloned().collect::<Vec<_>>());
    }
}

impl Drop for EventBus {
    fn drop(&mut self) {
        self.close();
    }
}

fn alive(listeners: &[Listener]) -> impl Iterator<Item = &Listener> {
    listeners.iter().filter(|listener| listener.is_alive())
}

/// All listeners that receive the events of one breaker.
#[derive(Clone, Copy)]
pub(crate) struct Listeners<'a> {
    /// Listeners from the settings.
    pub(crate) configured: &'a [Listener],
    /// Listeners that were attached to the breaker.
    pub(crate) local: Option<&'a EventBus>,
    /// Listeners that were attached to the registry.
    pub(crate) registry: Option<&'a EventBus>,
}

impl<'a> Listeners<'a> {
    pub(crate) fn has_any(self) -> bool {
        self.max(|_| true)
    }

    /// Returns `true` if any listener displays warnings about misuse.
    pub(crate) fn shows_mistakes(self) -> bool {
        self.max(Listener::shows_mistakes)
    }

    /// Returns the highest interest of any listener or recorder in single calls.
    pub(crate) fn call_interest(self) -> CallInterest {
        if self.has_recorders() {
            CallInterest::Timed
        } else {
            self.max(Listener::call_interest)
        }
    }

    /// Returns `true` if a listener wants the events of single calls.
    pub(crate) fn wants_call_events(self) -> bool {
        self.max(Listener::call_interest) > CallInterest::None
    }

    /// Returns `true` if the registry has recorders.
    pub(crate) fn has_recorders(self) -> bool {
        self.registry.is_some_and(|bus| bus.recorders.has_any())
    }

    /// Returns the maximum of `property` over all live listeners, and removes dead ones.
    fn max<T: Ord + Default>(self, property: impl Fn(&Listener) -> T) -> T {
        let of = |listeners: &[Listener]| alive(listeners).map(&property).max();
        let mut max = of(self.configured);
        for bus in self.buses() {
            let listeners = bus.listeners.load();
            max = max.max(of(&listeners));
            if !listeners.iter().all(Listener::is_alive) {
                bus.remove_dead();
            }
        }
        max.unwrap_or_default()
    }

    /// Delivers `event` to all listeners.
    ///
    /// If listeners are nested too deeply on this thread, only streams receive the event. If a
    /// listener panics, all other listeners then receive an event about the panic.
    pub(crate) fn emit(self, event: &Event) {
        let depth = ListenerDepth::enter();
        let attached: Vec<Arc<Vec<Listener>>> =
            self.buses().map(|bus| bus.listeners.load_full()).collect();
        let attached = attached.iter().flat_map(|listeners| listeners.iter());
        let listeners = self.configured.iter().chain(attached).enumerate();
        let mut panics = Vec::new();
        for (index, listener) in listeners.clone() {
            if listener.wants(event) && (depth.is_some() || listener.is_stream()) {
                panics.extend(listener.on_event(event).map(|event| (index, event)));
            }
        }
        for (panicked, event) in panics {
            for (_, other) in listeners.clone().filter(|(index, _)| *index != panicked) {
                // Not reported again: two panicking listeners would otherwise notify each other
                // endlessly.
                let _ = other.on_event(&event);
            }
        }
    }

    fn buses(self) -> impl Iterator<Item = &'a EventBus> {
        self.local.into_iter().chain(self.registry)
    }
}
