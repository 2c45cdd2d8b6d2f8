//! [`EventStream`]: asynchronous delivery of events through a bounded queue.

use super::{BoundedQueue, CallInterest, Event, Listen};
use crate::panic::catch;
use crate::sync::Mutex;
use futures_core::Stream;
use std::future::poll_fn;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

/// A [`Stream`] of the events of a breaker or a registry, as returned by `subscribe` and
/// `subscribe_changes`.
///
/// The stream holds up to 1,024 events. While it is full, new events are dropped, and
/// [`Event::Missed`] reports their number. A slow reader therefore never delays a call.
///
/// The stream ends when the last handle of the breaker, or the last clone of the registry, is
/// dropped. A registry [keeps handles](crate::BreakerRegistry#concurrency) of breakers that were
/// called by name or through a keyed layer.
///
/// # Cancel safety
///
/// Dropping a pending read loses no event.
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
#[must_use = "events are queued until the stream is read"]
pub struct EventStream {
    channel: Arc<Channel>,
}

/// The state that a stream shares with its sender.
#[derive(Debug, Default)]
struct Channel(Mutex<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: BoundedQueue,
    closed: bool,
    reader: Option<Waker>,
}

/// The listener that fills a stream.
pub(super) struct StreamSender {
    channel: Weak<Channel>,
    interest: CallInterest,
}

/// Creates a stream and the listener that fills it.
pub(super) fn channel(interest: CallInterest) -> (StreamSender, EventStream) {
    let channel = Arc::<Channel>::default();
    let sender = StreamSender {
        channel: Arc::downgrade(&channel),
        interest,
    };
    (sender, EventStream { channel })
}

impl StreamSender {
    /// Applies `change` to the shared state, and wakes the reader.
    fn update(&self, change: impl FnOnce(&mut Shared)) {
        let Some(channel) = self.channel.upgrade() else {
            return;
        };
        let reader = {
            let mut shared = channel.0.lock();
            change(&mut shared);
            shared.reader.take()
        };
        // Wakers are user code, so the lock is released first. A panicking waker must not affect
        // the call that sent the event.
        if let Some(reader) = reader {
            drop(catch(|| reader.wake()));
        }
    }
}

impl Listen for StreamSender {
    fn on_event(&self, event: &Event) {
        let event = event.clone();
        self.update(|shared| {
            if !shared.closed {
                shared.queue.push(event);
            }
        });
    }

    fn call_interest(&self) -> CallInterest {
        self.interest
    }

    fn is_alive(&self) -> bool {
        self.channel.strong_count() > 0
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn close(&self) {
        self.update(|shared| shared.closed = true);
    }
}

impl EventStream {
    /// Returns the next event, or `None` if no event is queued.
    pub fn try_next(&mut self) -> Option<Event> {
        self.channel.0.lock().queue.pop()
    }

    /// Waits for the next event. Returns `None` after the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn recv(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        // Wakers are user code, so the new one is cloned before locking and the old one is dropped
        // after unlocking.
        let mut waker = Some(cx.waker().clone());
        let mut shared = self.channel.0.lock();
        let polled = match shared.queue.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if shared.closed => Poll::Ready(None),
            None => {
                mem::swap(&mut shared.reader, &mut waker);
                Poll::Pending
            }
        };
        drop(shared);
        drop(waker);
        polled
    }
}

// The shared state consists of atomics and of values behind locks. User code, which may panic,
// never runs while a lock is held, so the state is consistent whenever a lock is released. The
// compiler cannot derive this through the closures of listeners and predicates.
impl UnwindSafe for EventStream {}
impl RefUnwindSafe for EventStream {}

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_recv(cx)
    }
}
