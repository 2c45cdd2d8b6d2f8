//! [`Command`]: a command to a circuit, with an optional reason, actor and condition.

use crate::breaker::CircuitBreaker;
use crate::circuit::Action;
use crate::event::Cause;
use crate::state::State;
use crate::text::prefix;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// The maximum length of a reason or an actor, in bytes. Longer texts are cut.
const LONGEST: usize = 256;

/// A command with a reason, an actor, or a condition on the state.
///
/// [`because`](CircuitBreaker::because), [`by`](CircuitBreaker::by) and
/// [`if_state`](CircuitBreaker::if_state) start a chain, and may follow each other in any order. A
/// command such as [`force_open`](Self::force_open) ends the chain. It returns `()`, or after
/// `if_state` a `Result<(), State>`.
///
/// The reason and the actor are cut to 256 bytes each. They become part of [`Cause::Manual`], which
/// appears in events, logs and [snapshots](crate::Snapshot::cause).
///
/// A command to enter the current state emits no event, but replaces the reason and the actor of the
/// previous command. A circuit that a rule opened keeps that rule as its cause, unless the command has
/// a reason or an actor. [`trip_for`](Self::trip_for) always replaces the cause, because it sets a new
/// deadline.
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
///
/// let users = CircuitBreaker::builder().build()?;
/// users.because("INC-123").by("alice").force_open();
/// assert_eq!(users.snapshot().cause.unwrap().to_string(), "a command by alice: INC-123");
///
/// // Another command came first: this one changes nothing.
/// let answer = users.because("recovered").if_state(State::Open).reset();
/// assert_eq!(answer, Err(State::ForcedOpen));
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens until a command such as `force_open` ends the chain"]
pub struct Command<'a, A = ()> {
    breaker: &'a CircuitBreaker,
    reason: Option<Arc<str>>,
    actor: Option<Arc<str>>,
    expected: Option<State>,
    answer: PhantomData<A>,
}

/// The return type of a [`Command`]: `()`, or `Result<(), State>` with a condition.
pub trait Answer: sealed::Sealed {
    #[doc(hidden)]
    fn of(result: Result<(), State>) -> Self;
}

impl Answer for () {
    // A command without a condition has no error.
    fn of(_: Result<(), State>) -> Self {}
}

impl Answer for Result<(), State> {
    fn of(result: Result<(), State>) -> Self {
        result
    }
}

mod sealed {
    use crate::state::State;

    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for Result<(), State> {}
}

impl<'a> Command<'a> {
    pub(super) fn new(breaker: &'a CircuitBreaker) -> Self {
        Self {
            breaker,
            reason: None,
            actor: None,
            expected: None,
            answer: PhantomData,
        }
    }
}

/// Returns a reason or an actor to store, or `None` for an empty text.
fn kept(text: &str) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| prefix(text, LONGEST).into())
}

impl<'a, A> Command<'a, A> {
    /// Sets the reason for the command, in place of an earlier reason. An empty text removes it.
    pub fn because(mut self, reason: impl AsRef<str>) -> Self {
        self.reason = kept(reason.as_ref());
        self
    }

    /// Sets the actor, for example a user or a script, in place of an earlier actor. An empty text
    /// removes it.
    pub fn by(mut self, actor: impl AsRef<str>) -> Self {
        self.actor = kept(actor.as_ref());
        self
    }

    /// Restricts the command to a circuit in `state`, in place of an earlier condition. In any other
    /// state, the command changes nothing and returns the state that it found.
    ///
    /// The comparison and the command are one atomic step. The compared state is the one that
    /// [`CircuitBreaker::state`] returns: an open circuit past its deadline is [`State::HalfOpen`].
    pub fn if_state(self, state: State) -> Command<'a, Result<(), State>> {
        Command {
            breaker: self.breaker,
            reason: self.reason,
            actor: self.actor,
            expected: Some(state),
            answer: PhantomData,
        }
    }
}

/// The commands. Each returns `()`, or after [`if_state`](Command::if_state) a `Result<(), State>`
/// whose error is the state that the command found.
impl<A: Answer> Command<'_, A> {
    /// Opens the circuit, as [`CircuitBreaker::trip`] does.
    pub fn trip(self) -> A {
        self.give(Action::Trip)
    }

    /// Opens the circuit for `time`, as [`CircuitBreaker::trip_for`] does.
    pub fn trip_for(self, time: Duration) -> A {
        self.give(Action::TripFor(time))
    }

    /// Half-opens the circuit, as [`CircuitBreaker::half_open`] does.
    pub fn half_open(self) -> A {
        self.give(Action::HalfOpen)
    }

    /// Refuses every call until the next command, as [`CircuitBreaker::force_open`] does.
    pub fn force_open(self) -> A {
        self.give(Action::ForceOpen)
    }

    /// Admits every call and records nothing, as [`CircuitBreaker::disable`] does.
    pub fn disable(self) -> A {
        self.give(Action::Disable)
    }

    /// Records every call and refuses none, as [`CircuitBreaker::metrics_only`] does.
    pub fn metrics_only(self) -> A {
        self.give(Action::MetricsOnly)
    }

    /// Returns the circuit to its configured mode and clears its counts, as [`CircuitBreaker::reset`]
    /// does.
    pub fn reset(self) -> A {
        self.give(Action::Reset)
    }

    fn give(self, action: Action) -> A {
        let cause = Cause::Manual {
            reason: self.reason,
            actor: self.actor,
        };
        let circuit = &self.breaker.circuit;
        A::of(circuit.command(action, cause, self.expected))
    }
}

/// Commands. Each works in every state, and the last one wins.
impl CircuitBreaker {
    /// Opens the circuit for the time of its recovery timeout or backoff. Does not extend the time of a
    /// circuit that is open already.
    pub fn trip(&self) {
        Command::new(self).trip();
    }

    /// Opens the circuit for `time`. If the circuit is open already, it stays open for `time` from now,
    /// which may be shorter or longer than before.
    pub fn trip_for(&self, time: Duration) {
        Command::new(self).trip_for(time);
    }

    /// Makes the circuit half-open, so that it admits trials.
    pub fn half_open(&self) {
        Command::new(self).half_open();
    }

    /// Refuses every call until the next command.
    pub fn force_open(&self) {
        Command::new(self).force_open();
    }

    /// Admits every call and records nothing, until the next command.
    pub fn disable(&self) {
        Command::new(self).disable();
    }

    /// Records every call and refuses none, until the next command.
    pub fn metrics_only(&self) {
        Command::new(self).metrics_only();
    }

    /// Returns the circuit to its configured [mode](crate::BreakerBuilder::mode), and clears failures and
    /// windows. The totals stay.
    ///
    /// Calls that are in flight belong to the time before the reset. Their outcomes enter only the totals.
    pub fn reset(&self) {
        Command::new(self).reset();
    }

    /// Starts a [command](Command) with a reason, cut to 256 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.because("INC-123").force_open();
    /// assert_eq!(users.snapshot().cause.unwrap().to_string(), "a command: INC-123");
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn because(&self, reason: impl AsRef<str>) -> Command<'_> {
        Command::new(self).because(reason)
    }

    /// Starts a [command](Command) with an actor, cut to 256 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.by("alice").because("INC-123").trip();
    /// assert_eq!(users.snapshot().cause.unwrap().to_string(), "a command by alice: INC-123");
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn by(&self, actor: impl AsRef<str>) -> Command<'_> {
        Command::new(self).by(actor)
    }

    /// Starts a [command](Command) that applies only in `state`. In any other state, the command changes
    /// nothing and returns the state that it found.
    ///
    /// The comparison and the command are one atomic step.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::State;
    ///
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.force_open();
    /// // Ends an outage, but not a state that an operator has set in the meantime.
    /// assert_eq!(users.if_state(State::Open).reset(), Err(State::ForcedOpen));
    /// assert_eq!(users.if_state(State::ForcedOpen).reset(), Ok(()));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn if_state(&self, state: State) -> Command<'_, Result<(), State>> {
        Command::new(self).if_state(state)
    }
}
