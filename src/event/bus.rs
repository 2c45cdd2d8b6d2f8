//! [`EventBus`]: the listeners of a registry or of one breaker, and event delivery.

use super::stream::{self, EventStream};
use super::{CallInterest, Event, Listener, ListenerDepth};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Delivers the events of a registry, or those of one breaker. A stream is a listener that queues events.
///
/// Listeners whose receiver was dropped are removed by the next call that looks for listeners, or when a
/// listener comes. They hold no user values, so that they may be dropped under a lock.
#[derive(Debug, Default)]
pub(crate) struct EventBus {
    /// Not modelled by loom and shuttle: the flags in the state words of the breakers, which are modelled,
    /// tell calls that a listener came.
    listeners: ArcSwap<Vec<Listener>>,
}

impl EventBus {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        Self {
            listeners: ArcSwap::from_pointee(listeners),
        }
    }

    /// Returns the listeners of this bus alone.
    pub(crate) fn listeners(&self) -> Listeners<'_> {
        Listeners {
            configured: &[],
            local: None,
            registry: Some(self),
        }
    }

    /// Adds a listener, unless there is one of the same kind.
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

    /// Ends the streams. Handles may hold the bus of a registry that has ended.
    pub(crate) fn close(&self) {
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

/// All listeners of one breaker.
#[derive(Clone, Copy)]
pub(crate) struct Listeners<'a> {
    /// The listeners in the settings.
    pub(crate) configured: &'a [Listener],
    /// The listeners that were attached to the breaker.
    pub(crate) local: Option<&'a EventBus>,
    pub(crate) registry: Option<&'a EventBus>,
}

impl<'a> Listeners<'a> {
    pub(crate) fn has_any(self) -> bool {
        self.max(|_| true)
    }

    /// Whether any listener shows mistakes to people.
    pub(crate) fn shows_mistakes(self) -> bool {
        self.max(Listener::shows_mistakes)
    }

    /// What the listeners need to know about single calls.
    pub(crate) fn call_interest(self) -> CallInterest {
        self.max(Listener::call_interest)
    }

    /// Returns the maximum of `property` over all listeners that are alive, and removes the others.
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

    /// Delivers `event`. If listeners are nested too deep on this thread, only streams get it.
    ///
    /// If a listener panics, all others get an event about the panic afterwards.
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
                // A panic about the news of a panic is not reported.
                let _ = other.on_event(&event);
            }
        }
    }

    fn buses(self) -> impl Iterator<Item = &'a EventBus> {
        self.local.into_iter().chain(self.registry)
    }
}
