//! [`FleetStatus`]: the state of a fleet at this node.

use crate::event::Degradation;
use crate::protocol::{Command, Verb};
use crate::share::Share;
use breakerbox::HealthStatus;
use std::sync::Arc;
use std::time::Duration;

/// The state of a fleet at this node, as returned by [`Fleet::status`](crate::Fleet::status).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FleetStatus {
    /// The connection to the store.
    pub link: LinkStatus,
    /// The fault domain of this node.
    pub node: Arc<str>,
    /// The unique name of this instance.
    pub instance: Arc<str>,
    /// The number of instances that the store has seen lately, with this one. Zero before the first
    /// answer.
    pub nodes: u64,
    /// The other instances of the same [node](Self::node), as `node/instance`. Together, they have one
    /// vote. An instance that has just started is listed within about a minute.
    pub namesakes: Vec<Arc<str>>,
    /// The circuits of which the fleet knows a state, with those that have no breaker here.
    pub known: usize,
    /// The circuits that are open or half-open with the fleet.
    pub open: usize,
    /// The circuits that this node tries for the fleet.
    pub leases: usize,
    /// The names of these circuits.
    pub leased: Vec<Arc<str>>,
    /// The policy of each prefix of names, sorted by prefix. That of the empty prefix is the default.
    ///
    /// The setting [`fleet`](breakerbox::BreakerBuilder::fleet) of a breaker takes precedence.
    pub shares: Vec<(Arc<str>, Share)>,
    /// The commands of operators that last, by [`Fleet::command`](crate::Fleet::command) of any instance,
    /// and those that have closed circuits during the last hour.
    pub commands: Vec<CommandStatus>,
    /// The circuits that follow a command.
    pub commanded: usize,
    /// The circuits that would follow a command if no local command had come later.
    pub overruled: usize,
    /// The time since the latest pull, or `None` before the first.
    pub last_pull: Option<Duration>,
    /// What the fleet has counted since its start.
    pub counters: FleetCounters,
}

/// A command of an operator, as an instance knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandStatus {
    /// The pattern: the name of a breaker, or the beginning of names with `*` at its end.
    pub pattern: Arc<str>,
    /// What the circuits do.
    pub verb: Verb,
    /// The time until the command ends. That of a close says how long the close is listed.
    pub left: Duration,
    /// The instance that gave the command.
    pub by: Arc<str>,
    /// The operator, if the command names one.
    pub actor: Option<Arc<str>>,
    /// The reason, if the command has one.
    pub reason: Option<Arc<str>>,
}

impl CommandStatus {
    pub(crate) fn new(command: Command, left: Duration) -> Self {
        let text = |text: String| (!text.is_empty()).then(|| text.into());
        Self {
            pattern: command.pattern.into(),
            verb: command.verb,
            left,
            by: command.by.into(),
            actor: text(command.actor),
            reason: text(command.reason),
        }
    }
}

/// The connection of a fleet to its store.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LinkStatus {
    /// The store answers.
    #[non_exhaustive]
    Connected {
        /// The time since the fleet was last degraded.
        since: Duration,
        /// The time from the latest request to its answer.
        round_trip: Duration,
    },
    /// The fleet is not connected, or only partly works. Local rules continue.
    #[non_exhaustive]
    Degraded {
        /// The time since the fleet last worked, or since the start.
        since: Duration,
        /// The reason.
        why: Degradation,
    },
}

/// What a fleet has counted since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetCounters {
    /// Trips, verdicts, restored states and closes that the store accepted.
    pub published: u64,
    /// Circuits that opened or closed because of the fleet.
    pub adopted: u64,
    /// Circuits that began to follow a command of an operator, ended to do so, or were closed by one.
    pub commanded: u64,
    /// Openings of the fleet that this node did not follow.
    pub ignored: u64,
    /// Trips that the store rejected, because the circuit had closed since.
    pub stale: u64,
    /// Leases that this node was granted.
    pub leases_granted: u64,
    /// Requests for a lease that another node has, or whose time has not come.
    pub leases_denied: u64,
    /// Leases that this node lost before its trials ended.
    pub leases_lost: u64,
    /// Changes of circuits that were replaced by a later state before the fleet looked.
    pub coalesced: u64,
    /// Messages that were lost or malformed, or came in the wrong order. Each causes a pull.
    pub gaps: u64,
    /// Records that were older than those known, or could not be genuine.
    pub refused_records: u64,
    /// Operations that the store could not apply.
    pub failed_operations: u64,
    /// States of circuits without a breaker that were forgotten, because there were more than 10,000.
    pub forgotten: u64,
    /// The number of times that the fleet connected.
    pub connects: u64,
    /// Events whose listener panicked.
    pub listener_panics: u64,
}

impl FleetStatus {
    /// Returns `true` if the store answers.
    pub fn is_connected(&self) -> bool {
        matches!(self.link, LinkStatus::Connected { .. })
    }

    /// Returns the health of the fleet: healthy or degraded, and never unhealthy. Without its store,
    /// each instance is protected by its own circuits.
    ///
    /// # Examples
    ///
    /// A health endpoint reports the worse one of both:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), breakerbox_fleet::StartError> {
    /// use breakerbox::{BreakerRegistry, HealthStatus};
    /// use breakerbox_fleet::{Fleet, store::Memory};
    /// use std::time::Duration;
    ///
    /// let registry = BreakerRegistry::new();
    /// let fleet = Fleet::builder(&registry, Memory::new()).start()?;
    /// assert_eq!(fleet.status().health(), HealthStatus::Degraded);
    ///
    /// fleet.ready(Duration::from_secs(1)).await;
    /// let health = registry.health(&["payments"]).status().max(fleet.status().health());
    /// assert_eq!(health, HealthStatus::Healthy);
    /// # Ok(())
    /// # }
    /// ```
    pub fn health(&self) -> HealthStatus {
        if self.is_connected() {
            HealthStatus::Healthy
        } else {
            HealthStatus::Degraded
        }
    }
}
