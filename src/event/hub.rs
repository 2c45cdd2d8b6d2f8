use super::listener::tell;
use super::stream::Mailbox;
use super::{Event, EventStream, Listener};
use crate::sync::Lock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// Where the events of a registry go.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    listeners: Vec<Listener>,
    streams: Streams,
}

impl Hub {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        Self {
            listeners,
            streams: Streams::default(),
        }
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        !self.listeners.is_empty() || self.streams.are_open()
    }

    pub(crate) fn emit(&self, event: &Event) {
        let audience = Audience {
            listeners: &self.listeners,
            streams: Some(&self.streams),
            hub: None,
        };
        audience.tell(event);
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        self.streams.subscribe()
    }

    /// Ends the streams: the registry is gone, though handles may still hold its hub.
    pub(crate) fn end(&self) {
        self.streams.end();
    }
}

/// The streams that somebody reads. Dropped, it ends them.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    mailboxes: Lock<Vec<Weak<Mailbox>>>,
    /// Whether there may be any; asked instead of the list.
    open: AtomicBool,
}

impl Streams {
    pub(crate) fn are_open(&self) -> bool {
        // Acquire: with the store below, who reads true finds the mailbox in the list.
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        let (stream, mailbox) = EventStream::new();
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
            reader.post(event);
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
    pub(crate) listeners: &'a [Listener],
    pub(crate) streams: Option<&'a Streams>,
    pub(crate) hub: Option<&'a Arc<Hub>>,
}

impl Audience<'_> {
    pub(crate) fn is_there(self) -> bool {
        !self.listeners.is_empty()
            || self.streams.is_some_and(Streams::are_open)
            || self.hub.is_some_and(|hub| hub.is_heard())
    }

    pub(crate) fn tell(self, event: &Event) {
        let registry = self.hub.into_iter().flat_map(|hub| &hub.listeners);
        let panics = tell(&self.listeners.iter().chain(registry), event);
        let registry = self.hub.map(|hub| &hub.streams);
        for streams in self.streams.into_iter().chain(registry) {
            streams.post(event);
            for panicked in &panics {
                streams.post(panicked);
            }
        }
    }
}
