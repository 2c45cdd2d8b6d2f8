//! [`FleetClose`]: a command that closes the circuits of a fleet.

use crate::command::FleetCommand;
use crate::error::CommandError;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

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
