//! [`FleetCommand`]: a command of an operator to all instances.

use crate::engine::Given;
use crate::error::CommandError;
use crate::fleet::Fleet;
use crate::protocol::{Command, LONGEST_COMMAND, RETENTION, Verb, Version};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The longest time until the store has answered.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a command lasts by default.
const DEFAULT_TIME: Duration = Duration::from_secs(60 * 60);
/// The maximum length of a reason or an actor, in bytes, as in the commands of a breaker.
const LONGEST: usize = 256;

/// The circuits that a command is for, as returned by [`Fleet::command`].
#[derive(Debug)]
#[must_use = "nothing happens until a verb such as `disable` is chosen and the command is awaited"]
pub struct FleetCircuits<'a> {
    fleet: &'a Fleet,
    pattern: String,
}

/// A command of an operator to all instances of a fleet. Nothing happens until it is awaited.
///
/// Awaiting returns when the store has accepted the command. The other instances follow within
/// milliseconds as a rule, and within 5 s if the message is lost. Instances that connect later follow
/// then. See [`Fleet::command`] for what the circuits do.
///
/// # Errors
///
/// Awaiting returns a [`CommandError`]. No other part of a fleet returns errors of the store.
///
/// # Cancel safety
///
/// If the future is dropped before it is ready, the command may be given or not.
#[must_use = "nothing happens until the command is awaited"]
pub struct FleetCommand<'a> {
    fleet: &'a Fleet,
    command: Command,
}

impl Fleet {
    /// Starts a command to all instances, about the circuits that match `pattern`: the name of a breaker,
    /// or the beginning of names with `*` at its end.
    ///
    /// * Each pattern has one command, and the latest one counts. Of several patterns that match a name,
    ///   the longest one counts.
    /// * A command ends by itself: after 1 h by default, and after 12 h at most. It survives restarts of
    ///   the store: the instances give it back.
    /// * The command also applies to breakers that are created later.
    /// * A local command at a breaker, such as [`reset`](breakerbox::CircuitBreaker::reset), wins at that
    ///   breaker if it comes later, until the next command of the fleet. A breaker that a local command has
    ///   forced open, disabled or set to metrics-only stays so. A breaker that a local command has opened
    ///   follows when that time is over.
    /// * Breakers whose [share](crate::Share) follows no openings, `local` and `observe`, follow no
    ///   commands, and neither do instances without
    ///   [`accept_commands`](crate::FleetBuilder::accept_commands).
    ///
    /// These rules are for commands that last. [`close`](FleetCircuits::close) is done at once, and has its
    /// own.
    ///
    /// [`FleetStatus::commands`](crate::FleetStatus::commands) lists the commands.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use breakerbox::BreakerRegistry;
    /// use breakerbox_fleet::{Fleet, store::Memory};
    /// use std::time::Duration;
    ///
    /// let registry = BreakerRegistry::new();
    /// let fleet = Fleet::builder(&registry, Memory::new()).start()?;
    ///
    /// let payments = fleet.command("payments:*").force_open_for(Duration::from_secs(3_600));
    /// payments.because("INC-123").by("alice").await?;
    /// fleet.command("payments:*").release().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn command(&self, pattern: impl Into<String>) -> FleetCircuits<'_> {
        FleetCircuits {
            fleet: self,
            pattern: pattern.into(),
        }
    }
}

/// The verbs. Each returns a [`FleetCommand`], which is to be awaited.
impl<'a> FleetCircuits<'a> {
    /// Opens the circuits for 1 h. See [`force_open_for`](Self::force_open_for).
    pub fn force_open(self) -> FleetCommand<'a> {
        self.force_open_for(DEFAULT_TIME)
    }

    /// Opens the circuits for `time`, which is at most 12 h.
    ///
    /// There are no trials meanwhile. The state of the circuits is `open`, with a deadline that the fleet
    /// moves on. If the fleet of an instance ends, its circuits half-open about a minute later.
    pub fn force_open_for(self, time: Duration) -> FleetCommand<'a> {
        self.give(Verb::ForceOpen, time)
    }

    /// Disables the circuits for 1 h. See [`disable_for`](Self::disable_for).
    pub fn disable(self) -> FleetCommand<'a> {
        self.disable_for(DEFAULT_TIME)
    }

    /// Disables the circuits for `time`, which is at most 12 h: they admit every call, and record nothing.
    ///
    /// When the fleet of an instance ends, it enables these circuits again. It cannot do so if the registry
    /// is dropped first, or if the runtime never drops its tasks. Handles of these breakers then stay
    /// disabled.
    pub fn disable_for(self, time: Duration) -> FleetCommand<'a> {
        self.give(Verb::Disable, time)
    }

    /// Ends the command of exactly this pattern. Commands of other patterns stay.
    ///
    /// Circuits that are still as the command left them return to what they were: disabled ones to their
    /// configured mode, and opened ones close, unless the fleet keeps them open. The release is remembered
    /// for 24 h, so that no instance brings the command back.
    pub fn release(self) -> FleetCommand<'a> {
        self.give(Verb::Release, RETENTION)
    }

    pub(crate) fn give(self, verb: Verb, left: Duration) -> FleetCommand<'a> {
        let command = Command {
            pattern: self.pattern,
            version: Version(0),
            verb,
            left,
            by: self.fleet.status().instance.to_string(),
            actor: String::new(),
            reason: String::new(),
        };
        FleetCommand {
            fleet: self.fleet,
            command,
        }
    }
}

impl FleetCommand<'_> {
    /// Sets the reason for the command, cut to 256 bytes, in place of an earlier reason. An empty text
    /// removes it. All instances see the reason.
    pub fn because(mut self, reason: impl AsRef<str>) -> Self {
        self.command.reason = kept(reason.as_ref());
        self
    }

    /// Sets the actor, for example a user or a script, cut to 256 bytes, in place of an earlier actor. An
    /// empty text removes it. All instances see the actor.
    pub fn by(mut self, actor: impl AsRef<str>) -> Self {
        self.command.actor = kept(actor.as_ref());
        self
    }

    fn check(&self) -> Result<(), CommandError> {
        let Command {
            pattern,
            verb,
            left,
            ..
        } = &self.command;
        if !Command::is_pattern(pattern) {
            return Err(CommandError::Pattern(pattern.clone()));
        }
        let allowed = Duration::from_millis(1)..=LONGEST_COMMAND;
        if *verb != Verb::Release && !allowed.contains(left) {
            return Err(CommandError::Time(*left));
        }
        Ok(())
    }

    /// Gives the command. Returns the number of circuits that were closed.
    pub(crate) fn give(
        self,
        longest: Duration,
    ) -> impl Future<Output = Result<usize, CommandError>> + Send + use<> {
        let checked = self.check();
        let (sender, command) = (self.fleet.commands().clone(), self.command);
        async move {
            checked?;
            let answer = tokio::time::timeout(longest, give(sender, command)).await;
            answer.unwrap_or(Err(CommandError::TimedOut))
        }
    }
}

/// Cuts a reason or an actor at the boundary of a character. `-` stands for no text in a store.
fn kept(text: &str) -> String {
    let ends = (0..=text.len().min(LONGEST)).rev();
    let end = ends.into_iter().find(|end| text.is_char_boundary(*end));
    let cut = &text[..end.unwrap_or(0)];
    if cut == "-" {
        String::new()
    } else {
        cut.to_owned()
    }
}

impl IntoFuture for FleetCommand<'_> {
    type Output = Result<(), CommandError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let given = self.give(ANSWER_TIMEOUT);
        Box::pin(async move { given.await.map(|_| ()) })
    }
}

async fn give(sender: mpsc::Sender<Given>, command: Command) -> Result<usize, CommandError> {
    let (answer, receiver) = oneshot::channel();
    let given = Given { command, answer };
    let sent = sender.send(given).await;
    sent.map_err(|_| CommandError::Ended)?;
    receiver.await.unwrap_or(Err(CommandError::Ended))
}

impl fmt::Debug for FleetCommand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command {
            pattern,
            verb,
            actor,
            reason,
            ..
        } = &self.command;
        f.debug_struct("FleetCommand")
            .field("pattern", pattern)
            .field("verb", verb)
            .field("actor", actor)
            .field("reason", reason)
            .finish_non_exhaustive()
    }
}
