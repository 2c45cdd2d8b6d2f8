use super::Mark;
use crate::event::{Cause, CauseKind};
use crate::share::Share;
use crate::state::State;
use std::time::Duration;

/// What a fleet has to know about a circuit.
///
/// All values are as of one moment, and belong to the [mark](Self::mark).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct View {
    /// The mark with which [`Port::apply`](crate::fleet::Port::apply) finds the circuit as it is
    /// here.
    pub mark: Mark,
    /// The state of the circuit. An open circuit past its deadline is half-open.
    pub state: State,
    /// The time since the circuit entered this state. A deadline that moves does not change it.
    pub since: Duration,
    /// Why the circuit entered this state, or `None` if the state has never changed.
    ///
    /// A command that finds the circuit in the requested state may replace the cause.
    pub cause: Option<Cause>,
    /// The [kind](Cause::kind) of the cause: which rule tripped, for example.
    pub why: Option<CauseKind>,
    /// Open: the time until the deadline. [`Duration::MAX`] means until a command.
    pub left: Option<Duration>,
    /// Open: how long the circuit would stay open without orders, from the start of the state: by
    /// its backoff, a hint or a command. `None` if only the fleet opened it. [`Duration::MAX`] means
    /// until a command.
    ///
    /// Hints of late calls and commands change this value, but orders do not.
    pub opened_for: Option<Duration>,
    /// Open: the part of [`opened_for`](Self::opened_for) that a hint or a command asked for, if
    /// any. An order must not end the opening before.
    pub asked_for: Option<Duration>,
    /// The number of consecutive failed recoveries. For a closed circuit, the attempt from which
    /// the [backoff](crate::Backoff) continues.
    pub attempt: u32,
    /// The consecutive failures.
    pub failures: u32,
    /// The largest number of calls that count against one rule: failures, or slow calls for a rule
    /// of slow calls. For a rule without a window, the consecutive failures.
    ///
    /// A change of state empties the windows.
    pub recorded_failures: u32,
    /// All refused calls since the breaker was created, except those that a
    /// [ramp-up](crate::BreakerBuilder::ramp_up) refused.
    ///
    /// A second reading that is larger shows that calls wait for the circuit to recover.
    pub refused: u64,
    /// The tasks that wait in [`ready`](crate::CircuitBreaker::ready) or
    /// [`until_ready`](crate::CircuitBreaker::until_ready).
    pub waiting: u32,
    /// The slots of a half-open circuit that trials hold. Zero in all other states.
    pub in_flight: u32,
    /// The results that a half-open circuit will still count. Zero in all other states.
    ///
    /// A second reading that is smaller shows that a trial has ended.
    pub trials_left: u32,
    /// How long a closed circuit keeps its [attempt](Self::attempt): the setting
    /// [`reset_backoff_after`](crate::BreakerBuilder::reset_backoff_after), or the delay of the
    /// attempt.
    pub reset_backoff_after: Duration,
    /// The longest window of time of the rules, or `None` if no rule has one.
    pub longest_window: Option<Duration>,
    /// The setting [`fleet`](crate::BreakerBuilder::fleet), or `None` if the fleet decides how far the
    /// circuit is shared. New settings keep the mark.
    pub share: Option<Share>,
}
