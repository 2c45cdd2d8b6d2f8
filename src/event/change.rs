use crate::state::State;
use std::sync::Arc;

/// A change of a breaker that a [`Port`](crate::fleet::Port) reports.
///
/// A change says which breaker to look at; [`Port::view`](crate::fleet::Port::view) says what is
/// true. When a change is reported, a view is at least as new as the change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The registry has a new breaker.
    #[non_exhaustive]
    Added {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// A breaker left the registry: it was removed or evicted.
    #[non_exhaustive]
    Removed {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// The state of a circuit changed.
    ///
    /// An open circuit whose deadline passes reports half-open at once, but changes its state with
    /// its first trial.
    #[non_exhaustive]
    Transition {
        /// The name of the breaker.
        breaker: Arc<str>,
        /// The previous state.
        from: State,
        /// The new state.
        to: State,
    },
    /// The deadline of an open circuit was set again, without a change of its state: by a command,
    /// by the hint of a late call, or by [`Order::Extend`](crate::fleet::Order::Extend).
    ///
    /// Also reported if a command or a hint only takes over the present deadline.
    #[non_exhaustive]
    Deadline {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
    /// The setting [`fleet`](crate::BreakerBuilder::fleet) of a breaker changed.
    #[non_exhaustive]
    Share {
        /// The name of the breaker.
        breaker: Arc<str>,
    },
}

impl Change {
    /// Returns the name of the breaker.
    pub fn breaker(&self) -> &Arc<str> {
        match self {
            Self::Added { breaker }
            | Self::Removed { breaker }
            | Self::Transition { breaker, .. }
            | Self::Deadline { breaker }
            | Self::Share { breaker } => breaker,
        }
    }
}
