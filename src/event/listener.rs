//! [`Listener`]: a receiver of events.

use super::Event;
use crate::panic::{Contained, catch};
use crate::state::Flags;
use std::fmt;
use std::sync::Arc;

/// A receiver of events: a user closure, a stream or an integration.
#[derive(Clone)]
pub(crate) struct Listener(Arc<dyn Listen>);

/// The implementation of a [`Listener`].
pub(crate) trait Listen: Send + Sync {
    fn on_event(&self, event: &Event);

    /// Returns what the listener needs to know about single calls.
    ///
    /// When the interest grows, the listener must
    /// [set the flags](crate::circuit::Circuit::set_flags) of the breakers.
    fn call_interest(&self) -> CallInterest;

    /// Returns `true` if the listener displays warnings about misuse.
    fn shows_mistakes(&self) -> bool {
        true
    }

    /// Returns `true` if the listener still has a receiver. A listener without a receiver is
    /// removed.
    fn is_alive(&self) -> bool {
        true
    }

    /// Returns the kind of the listener. An event bus keeps at most one listener of each kind.
    fn kind(&self) -> Option<&'static str> {
        None
    }

    /// Returns `true` for a stream. Apart from wakers, streams run no user code.
    fn is_stream(&self) -> bool {
        false
    }

    /// Closes the stream, if the listener is one.
    fn close(&self) {}
}

/// What a listener needs to know about single calls.
///
/// If no listener is interested in calls, healthy calls do not look for listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CallInterest {
    /// Nothing. The listener receives only changes.
    #[default]
    None,
    /// Each completion and each refusal.
    Events,
    /// Also the duration of each call. Admission reads the clock.
    Timed,
}

impl CallInterest {
    /// Returns the flags of the packed state that make calls provide this information.
    pub(crate) fn flags(self) -> Flags {
        match self {
            Self::None => Flags::NONE,
            Self::Events => Flags::SLOW_PATH,
            Self::Timed => Flags::SLOW_PATH | Flags::TIMED,
        }
    }
}

/// A user closure.
struct Closure<F> {
    closure: Contained<F>,
    interest: CallInterest,
}

impl<F: Fn(&Event) + Send + Sync> Listen for Closure<F> {
    fn on_event(&self, event: &Event) {
        (self.closure)(event);
    }

    fn call_interest(&self) -> CallInterest {
        self.interest
    }
}

impl Listener {
    pub(crate) fn new(
        interest: CallInterest,
        closure: impl Fn(&Event) + Send + Sync + 'static,
    ) -> Self {
        let closure = Contained::new(closure);
        Self::of(Closure { closure, interest })
    }

    pub(crate) fn of(listener: impl Listen + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub(crate) fn call_interest(&self) -> CallInterest {
        self.0.call_interest()
    }

    pub(super) fn shows_mistakes(&self) -> bool {
        self.0.shows_mistakes()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    pub(super) fn is_same_kind(&self, other: &Self) -> bool {
        self.0.kind().is_some() && self.0.kind() == other.0.kind()
    }

    pub(super) fn is_stream(&self) -> bool {
        self.0.is_stream()
    }

    pub(super) fn close(&self) {
        self.0.close();
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        !event.is_of_a_call() || self.call_interest() > CallInterest::None
    }

    /// Calls the listener. If the listener panics, returns an event about the panic.
    pub(super) fn on_event(&self, event: &Event) -> Option<Event> {
        let panicked = catch(|| self.0.on_event(event)).err()?;
        Some(Event::of_panic(event.breaker(), &panicked))
    }
}

/// Clones of one listener are equal. Closures cannot be compared otherwise.
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
