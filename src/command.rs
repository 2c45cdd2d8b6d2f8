//! [`Command`]: a command with its reason, its actor and its condition.

use crate::breaker::CircuitBreaker;
use crate::circuit::Action;
use crate::event::Cause;
use crate::state::State;
use crate::text::prefix;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// The most that is kept of a reason or of an actor, in bytes.
const LONGEST: usize = 256;

/// A command that says why it is given, by whom, or in which state it applies.
///
/// Started by [`because`](CircuitBreaker::because), [`by`](CircuitBreaker::by) or
/// [`if_state`](CircuitBreaker::if_state), which chain in any order. Each command of
/// [`CircuitBreaker`] ends the chain. It returns `()`, or with `if_state` a `Result<(), State>`.
///
/// Of the reason and of the actor 256 bytes are kept. They become part of
/// [`Cause::Manual`], and so of events, logs and [snapshots](crate::Snapshot::cause).
///
/// A command to the present state sends no event, but it replaces the reason and the actor of the
/// command before. A circuit that a rule opened keeps that rule as its cause, unless the command
/// has a reason or an actor, or is [`trip_for`](Self::trip_for), which sets a new deadline.
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

/// What a [`Command`] returns: `()`, or `Result<(), State>` with a condition.
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

/// What is kept of a reason or of an actor.
fn kept(text: &str) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| prefix(text, LONGEST).into())
}

impl<'a, A> Command<'a, A> {
    /// Says why the command is given. Replaces an earlier reason; an empty text is none.
    pub fn because(mut self, reason: impl AsRef<str>) -> Self {
        self.reason = kept(reason.as_ref());
        self
    }

    /// Says who gives the command. Replaces an earlier actor; an empty text is none.
    pub fn by(mut self, actor: impl AsRef<str>) -> Self {
        self.actor = kept(actor.as_ref());
        self
    }

    /// Restricts the command to a circuit in `state`; in any other state it changes nothing.
    /// Replaces an earlier condition.
    ///
    /// The comparison and the command are one step. The state is the one that
    /// [`CircuitBreaker::state`] returns at that time: an open circuit past its deadline is
    /// [`State::HalfOpen`].
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

/// Each of these returns `()`; after [`if_state`](Command::if_state) each returns
/// `Result<(), State>`, whose error is the state that was found instead.
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

    /// Returns to the configured mode with everything at zero, as [`CircuitBreaker::reset`] does.
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

/// Commands: the last one wins, from any state.
impl CircuitBreaker {
    /// Opens the circuit, for as long as its settings say. Changes nothing while it is open.
    pub fn trip(&self) {
        Command::new(self).trip();
    }

    /// Opens the circuit for `time`. While it is open this sets the end, sooner or later than it
    /// was.
    pub fn trip_for(&self, time: Duration) {
        Command::new(self).trip_for(time);
    }

    /// Lets trials through now.
    pub fn half_open(&self) {
        Command::new(self).half_open();
    }

    /// Refuses every call until the next command.
    pub fn force_open(&self) {
        Command::new(self).force_open();
    }

    /// Lets every call through and records nothing, until the next command.
    pub fn disable(&self) {
        Command::new(self).disable();
    }

    /// Judges calls but refuses none, until the next command.
    pub fn metrics_only(&self) {
        Command::new(self).metrics_only();
    }

    /// Returns to where the breaker [rests](crate::BreakerBuilder::mode), with everything at zero but the
    /// totals. Calls that are in flight end as late ones.
    pub fn reset(&self) {
        Command::new(self).reset();
    }

    /// Starts a [command](Command) with the reason for it, of which 256 bytes are kept.
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

    /// Starts a [command](Command) with the name of who gives it, of which 256 bytes are kept.
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

    /// Starts a [command](Command) that applies only in `state`, which is compared in one step with
    /// the command. Otherwise the command changes nothing and returns the state that it found.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::State;
    ///
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// users.force_open();
    /// // Ends an outage, and does not end what an operator has decided meanwhile.
    /// assert_eq!(users.if_state(State::Open).reset(), Err(State::ForcedOpen));
    /// assert_eq!(users.if_state(State::ForcedOpen).reset(), Ok(()));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn if_state(&self, state: State) -> Command<'_, Result<(), State>> {
        Command::new(self).if_state(state)
    }
}
