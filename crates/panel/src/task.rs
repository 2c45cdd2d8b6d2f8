//! The task of a panel: one per panel, however many viewers there are.
//!
//! It samples the breakers every 2 s for their histories, and takes over events. While a stream is
//! open, it also reads the breakers that events have named, at most four times a second.

use crate::lock::lock;
use crate::shared::Shared;
use breakerbox::{Event, EventStream};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;
use tokio::sync::watch;
use tokio::time::Instant;

/// Starts the task, unless it runs already or there is no tokio runtime with timers.
pub(crate) fn start(shared: &Arc<Shared>) {
    // Ordering: `Relaxed` suffices, because the flag publishes nothing.
    if shared.has_task.load(Ordering::Relaxed) || !shared.timers.are_here() {
        return;
    }
    if !shared.has_task.swap(true, Ordering::Relaxed) {
        let end = End(Arc::downgrade(shared));
        tokio::spawn(run(end, shared.events.clone(), shared.wake.subscribe()));
    }
}

/// Marks the end of the task in any way: its runtime may be dropped before the panel is.
struct End(Weak<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.has_task.store(false, Ordering::Relaxed);
        }
    }
}

/// What wakes the task.
enum Woken {
    Event(Event),
    /// The registry was dropped.
    Closed,
    Due,
}

/// Runs until the panel and its streams, or the registry, are dropped.
async fn run(end: End, events: Arc<Mutex<EventStream>>, mut wake: watch::Receiver<()>) {
    let mut is_closed = false;
    while let Some(shared) = end.0.upgrade() {
        shared.absorb();
        shared.refresh(false);
        let next = shared.next_wake();
        // The task must not keep the panel alive while it sleeps.
        drop(shared);
        match sleep(&events, &mut wake, next, is_closed).await {
            Some(Woken::Event(event)) => {
                let Some(shared) = end.0.upgrade() else {
                    return;
                };
                shared.note(&event);
                drop(shared);
                // Events may come faster than they are read, on the only thread of the runtime.
                tokio::task::yield_now().await;
            }
            Some(Woken::Closed) => is_closed = true,
            Some(Woken::Due) => {}
            None => return,
        }
    }
}

/// Returns `None` when the panel was dropped.
async fn sleep(
    events: &Mutex<EventStream>,
    wake: &mut watch::Receiver<()>,
    until: Instant,
    is_closed: bool,
) -> Option<Woken> {
    let mut timer = pin!(tokio::time::sleep_until(until));
    let mut wake = pin!(wake.changed());
    poll_fn(|cx| {
        if let Poll::Ready(woken) = wake.as_mut().poll(cx) {
            return Poll::Ready(woken.ok().map(|()| Woken::Due));
        }
        if !is_closed {
            let mut events = lock(events);
            if let Poll::Ready(event) = pin!(events.recv()).poll(cx) {
                return Poll::Ready(Some(event.map_or(Woken::Closed, Woken::Event)));
            }
        }
        timer.as_mut().poll(cx).map(|()| Some(Woken::Due))
    })
    .await
}
