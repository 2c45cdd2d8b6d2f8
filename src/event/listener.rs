use super::Event;
use crate::panic::{Contained, catch};
use crate::state::Flags;
use std::fmt;
use std::sync::Arc;

/// Somebody who is told events.
#[derive(Clone)]
pub(crate) struct Listener(Arc<dyn Listen>);

/// Someone's closure, or an integration.
pub(crate) trait Listen: Send + Sync {
    fn tell(&self, event: &Event);

    /// Which calls it wants to hear of at present. Who wants more than before sees to it that the
    /// breakers' [flags](Calls::flags) are [raised](crate::circuit::Circuit::raise).
    fn calls(&self) -> Calls;

    /// Whether it passes mistakes on to people, as opposed to one that measures calls.
    fn shows_mistakes(&self) -> bool {
        true
    }

    /// Of two of one kind a breaker or a registry takes the first.
    #[cfg(any(feature = "metrics", feature = "tracing"))]
    fn kind(&self) -> Option<&'static str> {
        None
    }
}

/// How much somebody wants to hear of single calls. Who wants nothing costs a healthy call nothing:
/// it does not look at listeners then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Calls {
    #[default]
    None,
    /// That they ended or were refused.
    Told,
    /// How long they took besides, so that the clock is read when they begin.
    #[cfg(feature = "metrics")]
    Timed,
}

impl Calls {
    /// What every call has to do for it.
    pub(crate) fn flags(self) -> Flags {
        match self {
            Self::None => Flags::NONE,
            Self::Told => Flags::SLOW_PATH,
            #[cfg(feature = "metrics")]
            Self::Timed => Flags::SLOW_PATH | Flags::TIMED,
        }
    }
}

/// A closure hears everything.
struct Closure<F>(Contained<F>);

impl<F: Fn(&Event) + Send + Sync> Listen for Closure<F> {
    fn tell(&self, event: &Event) {
        (self.0)(event);
    }

    fn calls(&self) -> Calls {
        Calls::Told
    }
}

impl Listener {
    pub(crate) fn new(listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self::of(Closure(Contained::new(listener)))
    }

    pub(crate) fn of(listener: impl Listen + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub(super) fn calls(&self) -> Calls {
        self.0.calls()
    }

    pub(super) fn shows_mistakes(&self) -> bool {
        self.0.shows_mistakes()
    }

    #[cfg(any(feature = "metrics", feature = "tracing"))]
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.0.kind().is_some() && self.0.kind() == other.0.kind()
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        !event.is_of_a_call() || self.calls() > Calls::None
    }

    /// Calls the listener; a panic of it comes back as an event.
    fn tell(&self, event: &Event) -> Option<Event> {
        let panicked = catch(|| self.0.tell(event)).err()?;
        let message = panicked.text().unwrap_or("a panic without a text");
        let message = crate::text::prefix(message, 256).into();
        Some(Event::ListenerPanicked {
            breaker: event.breaker().into(),
            message,
        })
    }
}

/// Whether both are clones of one listener.
impl PartialEq for Listener {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
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
        if !listener.wants(event) {
            continue;
        }
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
