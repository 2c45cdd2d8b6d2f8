//! [`Fleet`]: the handle of a running fleet.

use crate::engine::{Given, Progress, Shared, Stop};
use crate::status::FleetStatus;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// The circuits of a registry, shared with other instances through a store.
///
/// Each instance still decides on its own circuits: windows, rules, trials and verdicts are local, and
/// no call waits for the store. A task in the background reports what opens and closes, and follows
/// the other instances as far as the [policies](crate::Share) allow:
///
/// * When the circuits of enough nodes have opened, the circuit opens everywhere.
/// * When the open period has ended, one node tries the dependency. Its verdict counts for all.
/// * When the store is not available, each circuit goes on by itself, as without a fleet.
///
/// Commands at a breaker ([`reset`](breakerbox::CircuitBreaker::reset), for example) stay local. Commands
/// to all instances are given with [`command`](Self::command).
///
/// Dropping the handle ends the task. Leases expire then; [`shutdown`](Self::shutdown) gives them back.
///
/// # Examples
///
/// Two registries of one program, as two instances of a service would be:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), breakerbox_fleet::StartError> {
/// use breakerbox::prelude::*;
/// use breakerbox_fleet::store::Memory;
/// use breakerbox_fleet::{Fleet, Share};
/// use std::time::Duration;
///
/// let store = Memory::new();
/// let (here, there) = (BreakerRegistry::new(), BreakerRegistry::new());
/// let one = Fleet::builder(&here, store.clone()).share(Share::always()).start()?;
/// let other = Fleet::builder(&there, store).share(Share::always()).start()?;
/// one.ready(Duration::from_secs(1)).await;
/// other.ready(Duration::from_secs(1)).await;
///
/// for _ in 0..5 {
///     let call = async { Err::<(), _>("refused") };
///     call.with_breaker(&here, "users-api").await.unwrap_err();
/// }
/// let users = there.breaker("users-api");
/// while users.state() != State::Open {
///     tokio::time::sleep(Duration::from_millis(1)).await;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping the handle ends the fleet"]
pub struct Fleet {
    shared: Arc<Shared>,
    /// The task ends when the sender is dropped.
    stop: watch::Sender<Stop>,
    commands: mpsc::Sender<Given>,
}

/// Longer times have no effect: each request to the store ends much earlier.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(24 * 60 * 60);

impl Fleet {
    pub(crate) fn new(
        shared: Arc<Shared>,
        stop: watch::Sender<Stop>,
        commands: mpsc::Sender<Given>,
    ) -> Self {
        Self {
            shared,
            stop,
            commands,
        }
    }

    pub(crate) fn commands(&self) -> &mpsc::Sender<Given> {
        &self.commands
    }

    /// Waits at most `time` until the fleet knows the state of all circuits. Returns whether it does.
    ///
    /// Call this method before the first calls, so that a new instance starts with the open circuits of
    /// the others. A store that is away must not delay the start for long: 250 ms suffice as a rule.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn ready(&self, time: Duration) -> bool {
        self.shared.wait(Progress::Ready, time).await == Progress::Ready
    }

    /// Returns the state of the fleet at this node.
    pub fn status(&self) -> FleetStatus {
        self.shared.status()
    }

    /// Ends the fleet within `time`: gives its leases and votes back, and leaves the members. Returns
    /// whether all was given back.
    ///
    /// Circuits that are open with the fleet half-open by time alone. Circuits that a command to the fleet
    /// has disabled are enabled again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the task ends without giving back the rest.
    pub async fn shutdown(self, time: Duration) -> bool {
        let time = time.min(LONGEST_SHUTDOWN);
        self.stop.send_replace(Stop::By(Instant::now() + time));
        let progress = self.shared.wait(Progress::Ended, time).await;
        progress == Progress::Ended && self.shared.report().given_back
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status();
        f.debug_struct("Fleet")
            .field("node", &status.node)
            .field("link", &status.link)
            .finish_non_exhaustive()
    }
}
