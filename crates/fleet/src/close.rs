//! [`FleetClose`]: a command that closes the circuits of a fleet.

use crate::command::{FleetCircuits, FleetCommand};
use crate::error::CommandError;
use crate::protocol::Verb;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

/// How long the instances list a close.
const NOTE_TIME: Duration = Duration::from_secs(60 * 60);
/// The longest time until all circuits are closed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A command of an operator that closes the circuits of a fleet. Nothing happens until it is awaited.
///
/// Awaiting returns the number of circuits that the store has closed. Zero means that the fleet has no
/// open circuit that matches. The instances follow as they follow a successful trial: within milliseconds
/// as a rule, spread over [`close_spread`](crate::FleetBuilder::close_spread). See
/// [`FleetCircuits::close`](crate::FleetCircuits::close) for what the circuits do.
///
/// # Errors
///
/// Awaiting returns a [`CommandError`]. Some of the circuits may be closed nevertheless.
///
/// # Cancel safety
///
/// If the future is dropped before it is ready, some of the circuits may be closed, and the others stay
/// open.
#[must_use = "nothing happens until the command is awaited"]
pub struct FleetClose<'a>(pub(crate) FleetCommand<'a>);

/// The verb. It returns a [`FleetClose`], which is to be awaited.
impl<'a> FleetCircuits<'a> {
    /// Closes the circuits that the fleet keeps open or tries, so that calls are admitted again.
    ///
    /// * The circuits close at all instances whose circuits the fleet has opened, and no record of an
    ///   opening is left for instances that start later. A node that tries the dependency stops.
    /// * It is no release: circuits that a command has forced open or disabled stay so. When that command
    ///   ends, they close.
    /// * Circuits that the fleet has not opened stay as they are: those below the quorum, those that a local
    ///   command has opened, forced open, disabled or set to metrics-only, and those with `local` or
    ///   `observe`. So do circuits whose dependency has asked for more time, until that time is over.
    /// * Later failures count as ever. A trip from before the close opens nothing, and the next opening
    ///   continues the backoff.
    ///
    /// The status of each instance lists the close, with its reason and its actor, for 1 h. A user of the
    /// store needs the same permission as for other commands.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use breakerbox::BreakerRegistry;
    /// use breakerbox_fleet::{Fleet, store::Memory};
    ///
    /// let registry = BreakerRegistry::new();
    /// let fleet = Fleet::builder(&registry, Memory::new()).start()?;
    ///
    /// let closed = fleet.command("payments:*").close().because("fixed in 1.4.2").await?;
    /// assert_eq!(closed, 0, "no circuit was open");
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(self) -> FleetClose<'a> {
        FleetClose(self.give(Verb::Close, NOTE_TIME))
    }
}

impl FleetClose<'_> {
    /// Sets the reason, as [`FleetCommand::because`] does.
    pub fn because(self, reason: impl AsRef<str>) -> Self {
        Self(self.0.because(reason))
    }

    /// Sets the actor, as [`FleetCommand::by`] does.
    pub fn by(self, actor: impl AsRef<str>) -> Self {
        Self(self.0.by(actor))
    }
}

impl IntoFuture for FleetClose<'_> {
    type Output = Result<usize, CommandError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.0.give(ANSWER_TIMEOUT))
    }
}

impl fmt::Debug for FleetClose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FleetClose").field(&self.0).finish()
    }
}
