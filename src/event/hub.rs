use super::listener::tell;
use super::stream::Mailbox;
use super::{Calls, Event, EventStream, Level, Listener};
use crate::sync::Mutex;
use crate::sync::Ordering;
use crate::sync::unmodelled::AtomicBool;
use arc_swap::ArcSwap;
use std::sync::Weak;

/// Where the events of a registry go, or those of one breaker alone.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    /// Read where events are made, replaced when somebody comes; the real thing also under loom, whose
    /// models have nobody come.
    listeners: ArcSwap<Vec<Listener>>,
    streams: Streams,
}

impl Hub {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        Self {
            listeners: ArcSwap::from_pointee(listeners),
            streams: Streams::default(),
        }
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.streams.are_open() || !self.listeners.load().is_empty()
    }

    /// Whether anything listens that shows mistakes to people.
    pub(crate) fn shows_mistakes(&self) -> bool {
        self.streams.are_open() || self.listeners.load().iter().any(Listener::shows_mistakes)
    }

    /// How much anybody wants to hear of single calls.
    pub(crate) fn calls(&self) -> Calls {
        let listeners = self.listeners.load();
        let most = listeners.iter().map(Listener::calls).max();
        self.streams.calls().max(most.unwrap_or_default())
    }

    pub(crate) fn emit(&self, event: &Event) {
        let audience = Audience {
            listeners: &[],
            own: None,
            registry: Some(self),
        };
        audience.tell(event);
    }

    /// One more listener, unless there is one like it.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(crate) fn attach(&self, listener: &Listener) {
        self.listeners.rcu(|listeners| {
            let mut more = Vec::clone(listeners);
            if !more.iter().any(|other| other.is_like(listener)) {
                more.push(listener.clone());
            }
            more
        });
    }

    pub(crate) fn subscribe(&self, calls: Calls) -> EventStream {
        self.streams.subscribe(calls)
    }

    /// Ends the streams: the registry is gone, though handles may still hold its hub.
    pub(crate) fn end(&self) {
        self.streams.end();
    }
}

/// The streams that somebody reads. Dropped, it ends them.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    mailboxes: Mutex<Vec<Weak<Mailbox>>>,
    /// Whether there may be any; asked instead of the list.
    open: AtomicBool,
}

impl Streams {
    pub(crate) fn are_open(&self) -> bool {
        // Acquire: with the store below, who reads true finds the mailbox in the list.
        self.open.load(Ordering::Acquire)
    }

    fn calls(&self) -> Calls {
        if !self.are_open() {
            return Calls::None;
        }
        let mailboxes = self.mailboxes.lock();
        let open = mailboxes.iter().filter_map(Weak::upgrade);
        open.map(|mailbox| mailbox.calls).max().unwrap_or_default()
    }

    pub(crate) fn subscribe(&self, calls: Calls) -> EventStream {
        let (stream, mailbox) = EventStream::new(calls);
        let mut mailboxes = self.mailboxes.lock();
        mailboxes.retain(|mailbox| mailbox.strong_count() > 0);
        mailboxes.push(mailbox);
        self.open.store(true, Ordering::Release);
        stream
    }

    fn post(&self, event: &Event) {
        if !self.are_open() {
            return;
        }
        let readers: Vec<_> = {
            let mut mailboxes = self.mailboxes.lock();
            mailboxes.retain(|mailbox| mailbox.strong_count() > 0);
            self.open.store(!mailboxes.is_empty(), Ordering::Release);
            mailboxes.iter().filter_map(Weak::upgrade).collect()
        };
        // Outside the lock, since it wakes their tasks.
        for reader in readers {
            if reader.calls > Calls::None || !event.is_of_a_call() {
                reader.post(event);
            }
        }
    }
}

impl Streams {
    fn end(&self) {
        let mailboxes = std::mem::take(&mut *self.mailboxes.lock());
        for reader in mailboxes.iter().filter_map(Weak::upgrade) {
            reader.close();
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.end();
    }
}

/// All who hear of one breaker's events.
#[derive(Clone, Copy)]
pub(crate) struct Audience<'a> {
    /// Those of its settings.
    pub(crate) listeners: &'a [Listener],
    /// Those who came to it later.
    pub(crate) own: Option<&'a Hub>,
    pub(crate) registry: Option<&'a Hub>,
}

impl<'a> Audience<'a> {
    pub(crate) fn is_there(self) -> bool {
        !self.listeners.is_empty() || self.hubs().any(Hub::is_heard)
    }

    /// Whether anything listens that shows mistakes to people.
    pub(crate) fn shows_mistakes(self) -> bool {
        self.listeners.iter().any(Listener::shows_mistakes) || self.hubs().any(Hub::shows_mistakes)
    }

    /// How much anybody wants to hear of single calls.
    pub(crate) fn calls(self) -> Calls {
        let settings = self.listeners.iter().map(Listener::calls);
        let most = settings.chain(self.hubs().map(Hub::calls)).max();
        most.unwrap_or_default()
    }

    /// Tells the listeners, unless they are nested too deep on this thread, and the streams.
    pub(crate) fn tell(self, event: &Event) {
        let panics = match Level::enter() {
            Some(_level) => self.tell_listeners(event),
            None => Vec::new(),
        };
        for hub in self.hubs() {
            hub.streams.post(event);
            for panicked in &panics {
                hub.streams.post(panicked);
            }
        }
    }

    fn tell_listeners(self, event: &Event) -> Vec<Event> {
        let [own, registry] = [self.own, self.registry]
            .map(|hub| hub.map(|hub| hub.listeners.load_full()).unwrap_or_default());
        let listeners = self.listeners.iter().chain(&*own).chain(&*registry);
        tell(&listeners, event)
    }

    fn hubs(self) -> impl Iterator<Item = &'a Hub> {
        self.own.into_iter().chain(self.registry)
    }
}
