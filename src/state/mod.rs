//! The state machine, as pure values: what a circuit is, and what becomes of it.
//!
//! Nothing here locks, reads a clock or calls back. [`PackedState`] packs a circuit's state into one
//! `u64`, [`Trials`] is the arithmetic of half-open, [`admission`] decides who may pass.

mod admission;
mod packed;
mod trials;

use std::fmt;

pub use admission::Refusal;
pub(crate) use admission::{Admission, admission};
pub(crate) use packed::{Flags, Generation, Mark, PackedState};
pub(crate) use trials::{Trials, Verdict};

/// What a circuit is doing.
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder().build()?;
/// assert_eq!(breaker.state(), State::Closed);
/// assert_eq!(State::HalfOpen.to_string(), "half-open");
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Calls pass and are judged; enough failures open the circuit.
    Closed,
    /// Calls are refused until the recovery timeout has passed.
    Open,
    /// A bounded number of trial calls passes; what they meet decides.
    HalfOpen,
    /// Calls are refused until somebody says otherwise.
    ForcedOpen,
    /// Calls pass and nothing is recorded.
    Disabled,
    /// Calls pass and are judged; nothing is refused, events tell what would have been.
    MetricsOnly,
}

impl State {
    /// The name of the state in lower case: `closed`, `open`, `half-open`, `forced-open`,
    /// `disabled` or `metrics-only`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
            Self::ForcedOpen => "forced-open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics-only",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a breaker rests: the state it begins in and that
/// [`reset`](crate::CircuitBreaker::reset) returns it to.
///
/// Default: [`Enforcing`](Mode::Enforcing).
///
/// # Examples
///
/// Watch a new breaker before it may refuse anything:
///
/// ```
/// use breakerbox::{CircuitBreaker, Mode, State};
///
/// let breaker = CircuitBreaker::builder().mode(Mode::MetricsOnly).build()?;
/// assert_eq!(breaker.state(), State::MetricsOnly);
/// breaker.configure(|settings| settings.mode(Mode::Enforcing))?;
/// assert_eq!(breaker.state(), State::Closed);
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Closed; opens when a rule trips.
    #[default]
    Enforcing,
    /// Judges calls and says when it would have opened, but refuses nothing.
    MetricsOnly,
    /// Lets every call pass and records nothing.
    Disabled,
    /// Refuses every call.
    ForcedOpen,
}

impl Mode {
    pub(crate) const fn initial_state(self) -> State {
        match self {
            Self::Enforcing => State::Closed,
            Self::MetricsOnly => State::MetricsOnly,
            Self::Disabled => State::Disabled,
            Self::ForcedOpen => State::ForcedOpen,
        }
    }

    /// Where successful trials lead: a breaker that only watches goes back to watching; in the
    /// other modes a circuit that was asked to try again has been found sound, and closes.
    pub(crate) const fn state_after_recovery(self) -> State {
        match self {
            Self::MetricsOnly => State::MetricsOnly,
            Self::Enforcing | Self::Disabled | Self::ForcedOpen => State::Closed,
        }
    }
}
