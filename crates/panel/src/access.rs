//! The access of a request: [`Command`], [`Controls`], [`Action`] and [`Actor`].

use std::fmt;
use std::ops::BitOr;
use std::sync::Arc;

/// A command that the panel can give to a breaker.
///
/// # Examples
///
/// ```
/// use breakerbox_panel::Command;
///
/// assert_eq!(Command::HalfOpen.as_str(), "half_open");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Opens the circuit: [`CircuitBreaker::trip`](breakerbox::CircuitBreaker::trip), or
    /// [`trip_for`](breakerbox::CircuitBreaker::trip_for) with a number of seconds.
    Trip,
    /// Admits trials: [`CircuitBreaker::half_open`](breakerbox::CircuitBreaker::half_open).
    HalfOpen,
    /// Returns the circuit to its configured mode:
    /// [`CircuitBreaker::reset`](breakerbox::CircuitBreaker::reset).
    Reset,
    /// Refuses every call: [`CircuitBreaker::force_open`](breakerbox::CircuitBreaker::force_open).
    ForceOpen,
    /// Admits every call and records nothing:
    /// [`CircuitBreaker::disable`](breakerbox::CircuitBreaker::disable).
    Disable,
    /// Records every call and refuses none:
    /// [`CircuitBreaker::metrics_only`](breakerbox::CircuitBreaker::metrics_only).
    Watch,
}

impl Command {
    pub(crate) const ALL: [Self; 6] = [
        Self::Trip,
        Self::HalfOpen,
        Self::Reset,
        Self::ForceOpen,
        Self::Disable,
        Self::Watch,
    ];

    /// Returns the name of the command: `trip`, `half_open`, `reset`, `force_open`, `disable` or
    /// `watch`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trip => "trip",
            Self::HalfOpen => "half_open",
            Self::Reset => "reset",
            Self::ForceOpen => "force_open",
            Self::Disable => "disable",
            Self::Watch => "watch",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|command| command.as_str() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of commands that the panel offers. The default is the empty set.
///
/// # Examples
///
/// ```
/// use breakerbox_panel::{Command, Controls};
///
/// let controls = Controls::TRIP | Controls::RESET;
/// assert!(controls.contains(Command::Trip) && !controls.contains(Command::Disable));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Controls(u8);

impl Controls {
    /// No command: the panel only reads.
    pub const NONE: Self = Self(0);
    /// [`Command::Trip`].
    pub const TRIP: Self = Self(Command::Trip.bit());
    /// [`Command::HalfOpen`].
    pub const HALF_OPEN: Self = Self(Command::HalfOpen.bit());
    /// [`Command::Reset`].
    pub const RESET: Self = Self(Command::Reset.bit());
    /// [`Command::ForceOpen`], which lasts until another command.
    pub const FORCE_OPEN: Self = Self(Command::ForceOpen.bit());
    /// [`Command::Disable`], which lasts until another command and removes all protection.
    pub const DISABLE: Self = Self(Command::Disable.bit());
    /// [`Command::Watch`], which lasts until another command and removes all protection.
    pub const WATCH: Self = Self(Command::Watch.bit());

    /// Returns `true` if the set contains `command`.
    pub const fn contains(self, command: Command) -> bool {
        self.0 & command.bit() != 0
    }

    /// Returns `true` if the set contains no command.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn commands(self) -> impl Iterator<Item = Command> {
        let all = Command::ALL.into_iter();
        all.filter(move |command| self.contains(*command))
    }
}

impl BitOr for Controls {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl From<Command> for Controls {
    fn from(command: Command) -> Self {
        Self(command.bit())
    }
}

impl fmt::Debug for Controls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.commands()).finish()
    }
}

/// What a request wants to do, as passed to [`authorize`](crate::PanelBuilder::authorize).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// To see the page, the breakers, their settings and their events.
    Read,
    /// To see the health. Probes have no credentials as a rule.
    Health,
    /// To give a command.
    #[non_exhaustive]
    Command {
        /// The command.
        command: Command,
        /// The name of the breaker, or `None` if the panel asks which buttons to show.
        breaker: Option<Arc<str>>,
    },
}

/// The user or program that sent a request, as returned by
/// [`authorize`](crate::PanelBuilder::authorize).
///
/// # Examples
///
/// ```
/// use breakerbox_panel::Actor;
///
/// assert_eq!(Actor::named("alice").name(), Some("alice"));
/// assert_eq!(Actor::anonymous().name(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor(Option<Arc<str>>);

impl Actor {
    /// Returns an actor with a name, which appears in the cause of its commands.
    ///
    /// For a command, the name must have 1 to 247 bytes, and no control or bidirectional
    /// characters. Spaces around it are removed.
    pub fn named(name: impl AsRef<str>) -> Self {
        Self(Some(name.as_ref().trim().into()))
    }

    /// Returns an actor without a name, which may read only.
    pub fn anonymous() -> Self {
        Self(None)
    }

    /// Returns the name.
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Who sees the [last failure](breakerbox::Snapshot::last_failure) of a breaker. The default is
/// [`Never`](Self::Never).
///
/// Texts of errors may contain secrets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shown {
    /// The texts are not shown.
    #[default]
    Never,
    /// [Actors](Actor::named) with a name.
    ToActors,
    /// Every reader of the panel.
    ToReaders,
}
