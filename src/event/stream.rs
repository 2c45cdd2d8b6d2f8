use super::{Calls, Event};
use crate::panic::catch;
use crate::sync::Mutex;
use futures_core::Stream;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

/// The events of a breaker or of a registry, as a [`Stream`]; made by `subscribe`.
///
/// It holds up to 1,024 events that were not read yet. What comes while it is full is left out and
/// counted, and [`Event::Missed`] stands in its place: a slow reader delays nobody. It ends with the
/// breaker, or with the registry: when the last clone of it is dropped. Of a breaker that was called by
/// name or by a layer, threads [keep some](crate::BreakerRegistry#concurrency).
///
/// # Cancel safety
///
/// A read that is dropped loses no event.
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
///
/// let registry = BreakerRegistry::new();
/// let mut events = registry.subscribe();
/// registry.breaker("users-api").trip();
/// assert!(matches!(events.try_next(), Some(Event::BreakerAdded { .. })));
/// assert!(matches!(events.try_next(), Some(Event::StateChanged { to: State::Open, .. })));
/// assert!(events.try_next().is_none());
/// ```
#[derive(Debug)]
#[must_use = "a stream that nobody reads only fills"]
pub struct EventStream {
    mailbox: Arc<Mailbox>,
}

/// Events that nobody has read yet, of one reader.
#[derive(Debug)]
pub(super) struct Mailbox {
    inbox: Mutex<Inbox>,
    pub(super) calls: Calls,
}

#[derive(Debug, Default)]
struct Inbox {
    events: VecDeque<Event>,
    missed: u64,
    closed: bool,
    reader: Option<Waker>,
}

const CAPACITY: usize = 1_024;

impl Mailbox {
    pub(super) fn post(&self, event: &Event) {
        let event = event.clone();
        let reader = {
            let mut inbox = self.inbox.lock();
            if inbox.events.len() >= CAPACITY {
                inbox.missed += 1;
                return;
            }
            if let Some(missed) = inbox.take_missed() {
                inbox.events.push_back(missed);
            }
            inbox.events.push_back(event);
            inbox.reader.take()
        };
        // Wakers are somebody's code: called, and dropped, outside the lock.
        wake(reader);
    }

    pub(super) fn close(&self) {
        let reader = {
            let mut inbox = self.inbox.lock();
            inbox.closed = true;
            inbox.reader.take()
        };
        wake(reader);
    }
}

/// A waker that panics has its task to itself: it is no business of the call that had news for it.
fn wake(reader: Option<Waker>) {
    if let Some(reader) = reader {
        drop(catch(|| reader.wake()));
    }
}

impl Inbox {
    fn take_missed(&mut self) -> Option<Event> {
        let events = std::mem::take(&mut self.missed);
        (events > 0).then_some(Event::Missed { events })
    }

    fn next(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.take_missed())
    }
}

impl EventStream {
    pub(super) fn new(calls: Calls) -> (Self, Weak<Mailbox>) {
        let inbox = Mutex::default();
        let mailbox = Arc::new(Mailbox { inbox, calls });
        let weak = Arc::downgrade(&mailbox);
        (Self { mailbox }, weak)
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.mailbox.inbox.lock().next()
    }

    /// The next event; `None` when there will be none any more. For those who have no `StreamExt` at
    /// hand.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it loses no event.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        // Cloned before the lock, and the one before dropped after it.
        let waker = cx.waker().clone();
        let before;
        let polled = {
            let mut inbox = self.mailbox.inbox.lock();
            match inbox.next() {
                Some(event) => {
                    before = Some(waker);
                    Poll::Ready(Some(event))
                }
                None if inbox.closed => {
                    before = Some(waker);
                    Poll::Ready(None)
                }
                None => {
                    before = inbox.reader.replace(waker);
                    Poll::Pending
                }
            }
        };
        drop(before);
        polled
    }
}

// The shared state consists of atomics and of values behind locks, and every lock is released with the state
// whole: user code, which may panic, never runs while one is held. The compiler cannot see that
// through the closures of listeners and predicates.
impl UnwindSafe for EventStream {}
impl RefUnwindSafe for EventStream {}

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_recv(cx)
    }
}
