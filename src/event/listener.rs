use super::Event;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Somebody's closure that is told events.
#[derive(Clone)]
pub(crate) struct Listener(Arc<dyn Fn(&Event) + Send + Sync>);

impl Listener {
    pub(crate) fn new(listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Calls the listener; a panic of it comes back as an event.
    fn tell(&self, event: &Event) -> Option<Event> {
        let payload = catch_unwind(AssertUnwindSafe(|| (self.0)(event))).err()?;
        let message = match (
            payload.downcast_ref::<&str>(),
            payload.downcast_ref::<String>(),
        ) {
            (Some(text), _) => text,
            (_, Some(text)) => text.as_str(),
            _ => "a panic without a text",
        };
        let message = crate::text::prefix(message, 256).into();
        // A payload may panic when it is dropped, and there is nobody left to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        Some(Event::ListenerPanicked {
            breaker: event.breaker().into(),
            message,
        })
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// Tells `event` to all of `listeners`, and of a listener that panicked to all the others; gives back
/// those events, for who is no listener.
pub(super) fn tell<'a>(
    listeners: &(impl Iterator<Item = &'a Listener> + Clone),
    event: &Event,
) -> Vec<Event> {
    let mut panics = Vec::new();
    for (at, listener) in listeners.clone().enumerate() {
        let Some(panicked) = listener.tell(event) else {
            continue;
        };
        let others = listeners.clone().enumerate();
        for (_, other) in others.filter(|(other, _)| *other != at) {
            // One that panics at the news of a panic is not news.
            let _ = other.tell(&panicked);
        }
        panics.push(panicked);
    }
    panics
}
