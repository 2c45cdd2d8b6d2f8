use super::Event;
use crate::contain::contain;
use std::fmt;
use std::sync::Arc;

/// Somebody's closure that is told events.
#[derive(Clone)]
pub(crate) struct Listener(Arc<dyn Fn(&Event) + Send + Sync>);

impl Listener {
    pub(crate) fn new(listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Whether it is the very same listener.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Calls the listener; a panic of it comes back as an event.
    fn tell(&self, event: &Event) -> Option<Event> {
        let panicked = contain(|| (self.0)(event)).err()?;
        let message = panicked.text().unwrap_or("a panic without a text");
        let message = crate::text::prefix(message, 256).into();
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
