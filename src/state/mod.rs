//! The state machine of a circuit, as pure values: no function here locks, reads a clock or calls
//! back.
//!
//! [`PackedState`] stores the state of a circuit in one `u64`. [`Trials`] counts the trials of a
//! half-open period, and [`RampUp`] selects the calls of a circuit that has just closed.
//! [`admission()`] decides whether a call runs.

mod admission;
mod packed;
mod ramp_up;
mod trials;

use std::fmt;

pub use admission::Refusal;
pub(crate) use admission::{Admission, admission};
pub(crate) use packed::{Flags, Generation, Mark, PackedState};
pub(crate) use ramp_up::{RampProgress, RampUp};
pub(crate) use trials::{TrialResult, Trials};

/// The state of a circuit.
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, State};
///
/// let breaker = CircuitBreaker::builder().build()?;
/// assert_eq!(breaker.state(), State::Closed);
/// assert_eq!(State::HalfOpen.to_string(), "half_open");
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// Calls are admitted, and their outcomes are recorded. The circuit opens when a rule trips.
    Closed,
    /// Calls are refused until the recovery timeout has elapsed.
    Open,
    /// A limited number of trial calls are admitted. Their outcomes close or reopen the circuit.
    HalfOpen,
    /// Calls are refused until a command changes the state.
    ForcedOpen,
    /// Calls are admitted, and nothing is recorded.
    Disabled,
    /// Calls are admitted, and their outcomes are recorded. Events report when a rule would have
    /// opened the circuit.
    MetricsOnly,
}

impl State {
    /// Returns the name of the state: `closed`, `open`, `half_open`, `forced_open`, `disabled` or
    /// `metrics_only`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The initial state of a breaker, to which [`reset`](crate::CircuitBreaker::reset) returns it.
///
/// Default: [`Enforcing`](Mode::Enforcing).
///
/// # Examples
///
/// Observe a new breaker before it may refuse calls:
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
    /// The circuit starts closed, and opens when a rule trips.
    #[default]
    Enforcing,
    /// The breaker records calls and reports when it would have opened, but refuses nothing.
    MetricsOnly,
    /// The breaker admits every call and records nothing.
    Disabled,
    /// The breaker refuses every call.
    ForcedOpen,
}

impl Mode {
    /// Returns the name of the mode in documents.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Enforcing => "enforcing",
            Self::MetricsOnly => "metrics_only",
            Self::Disabled => "disabled",
            Self::ForcedOpen => "forced_open",
        }
    }

    pub(crate) const fn initial_state(self) -> State {
        match self {
            Self::Enforcing => State::Closed,
            Self::MetricsOnly => State::MetricsOnly,
            Self::Disabled => State::Disabled,
            Self::ForcedOpen => State::ForcedOpen,
        }
    }

    /// Returns the state after successful trials.
    ///
    /// In metrics-only mode this is the initial state. In all other modes the circuit closes, even
    /// if the mode is disabled or forced open: a command has requested those trials.
    pub(crate) const fn state_after_recovery(self) -> State {
        match self {
            Self::MetricsOnly => State::MetricsOnly,
            Self::Enforcing | Self::Disabled | Self::ForcedOpen => State::Closed,
        }
    }
}
