//! [`FleetBuilder`]: the settings of a fleet.

use crate::engine::{Dirty, Listener, Operator, Shared, Stop, Task, follows_tokio};
use crate::error::{ConfigError, StartError};
use crate::event::FleetEvent;
use crate::fleet::Fleet;
use crate::planner::{LONGEST_WAIT, Mutants, Planner, REQUEST_TIMEOUT, Settings};
use crate::protocol::NodeId;
use crate::share::{Share, Shares};
use crate::store::{FleetStore, Hello};
use breakerbox::BreakerRegistry;
use breakerbox::fleet::Port;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// A builder of a [`Fleet`]. [`start`](Self::start) checks the settings.
///
/// # Default
///
/// * `namespace`: `default`
/// * `node`: the unique name of the instance, `host-process-random`
/// * `share`: [`Share::quorum(2)`](Share::quorum)
/// * `grace`: 3 s
/// * `lease`: 3 s
/// * `close_spread`: 300 ms
/// * `max_open`: 10 min
/// * `accept_commands`: true
/// * listener: none
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), breakerbox_fleet::StartError> {
/// use breakerbox::BreakerRegistry;
/// use breakerbox_fleet::store::Memory;
/// use breakerbox_fleet::{Fleet, Share};
/// use std::time::Duration;
///
/// let registry = BreakerRegistry::new();
/// let fleet = Fleet::builder(&registry, Memory::new())
///     .namespace("shop:prod")
///     .node("web-7")
///     .share_for("payments:", Share::always())
///     .max_open(Duration::from_secs(300))
///     .on_event(|event| println!("{event}"))
///     .start()?;
/// assert_eq!(&*fleet.status().node, "web-7");
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it is started"]
pub struct FleetBuilder {
    registry: BreakerRegistry,
    store: Arc<dyn FleetStore>,
    namespace: String,
    node: Option<String>,
    shares: Shares,
    grace: Duration,
    lease: Duration,
    close_spread: Duration,
    max_open: Duration,
    accept_commands: bool,
    listener: Option<Listener>,
    seed: Option<u64>,
    mutants: Mutants,
}

const CHARSET: &str = "1 to 64 characters of `[A-Za-z0-9._:-]`, and not `-`";
const HOURS_12: Duration = Duration::from_secs(12 * 60 * 60);

impl Fleet {
    /// Returns a builder with the [default settings](FleetBuilder#default).
    ///
    /// The fleet does not keep the registry alive. A registry has one fleet at a time: two fleets
    /// would stop each other's trials.
    pub fn builder(registry: &BreakerRegistry, store: impl FleetStore) -> FleetBuilder {
        FleetBuilder {
            registry: registry.clone(),
            store: Arc::new(store),
            namespace: "default".to_owned(),
            node: None,
            shares: Shares::default(),
            grace: Duration::from_secs(3),
            lease: Duration::from_secs(3),
            close_spread: Duration::from_millis(300),
            max_open: Duration::from_secs(600),
            accept_commands: true,
            listener: None,
            seed: None,
            mutants: Mutants::default(),
        }
    }
}

impl FleetBuilder {
    /// Sets the namespace: 1 to 64 characters of `[A-Za-z0-9._:-]`. Default: `default`.
    ///
    /// Fleets of different namespaces share nothing. Use one namespace for each service and
    /// environment: circuits of one name are one circuit within it.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets the fault domain of this instance: 1 to 64 characters of `[A-Za-z0-9._:-]`. Default: the
    /// unique name of the instance.
    ///
    /// Votes count nodes, and not instances. Instances of one host may share a node, so that a broken
    /// host has one vote. Do not give all instances of a service the same node: they would never
    /// reach a quorum. [`FleetStatus::namesakes`](crate::FleetStatus::namesakes) lists instances of
    /// the same node.
    pub fn node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Sets how circuits are shared. Default: [`Share::quorum(2)`](Share::quorum).
    ///
    /// The setting [`fleet`](breakerbox::BreakerBuilder::fleet) of a breaker takes precedence, also
    /// over [`share_for`](Self::share_for). It may come from a preset or a document.
    pub fn share(mut self, share: Share) -> Self {
        self.shares.set_default(share);
        self
    }

    /// Sets how circuits are shared whose names begin with `prefix`. The longest prefix decides.
    /// Default: none.
    pub fn share_for(mut self, prefix: impl AsRef<str>, share: Share) -> Self {
        self.shares.set(prefix.as_ref(), share);
        self
    }

    /// Sets how much longer circuits stay open than the fleet says: 1.76 s to 60 s. Default: 3 s.
    ///
    /// If the store or the task is gone, time alone half-opens the circuits after this time. While the
    /// store answers, one node tries the dependency before it has passed.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how long a node may try the dependency without a renewal: 1 s to 60 s. Default: 3 s.
    ///
    /// The lease is renewed after each third of this time. If the node crashes, another node tries
    /// after the lease has ended.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets the time over which the nodes spread the closing of a circuit: at most 10 s. Default:
    /// 300 ms.
    pub fn close_spread(mut self, time: Duration) -> Self {
        self.close_spread = time;
        self
    }

    /// Sets the longest open period that this node shares or follows: 1 s to 12 h. Default: 10 min.
    ///
    /// A circuit of this node may be open for longer. The others try at this time.
    pub fn max_open(mut self, time: Duration) -> Self {
        self.max_open = time;
        self
    }

    /// Sets whether the circuits of this instance follow [commands](Fleet::command) to the fleet. Default:
    /// true.
    ///
    /// Write access to the store is enough to give a command. With Redis, a permission for one key can
    /// reserve commands for operators.
    pub fn accept_commands(mut self, accept: bool) -> Self {
        self.accept_commands = accept;
        self
    }

    /// Calls `listener` with every event of the fleet. Default: no listener.
    ///
    /// The listener runs on the task of the fleet, without any lock. It should not block, because the
    /// fleet waits for it. Panics are caught and counted.
    pub fn on_event(mut self, listener: impl Fn(&FleetEvent) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Sets the seed of all random times. For simulations.
    #[doc(hidden)]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Switches faults on that tests must find.
    #[doc(hidden)]
    pub fn mutants(mut self, mutants: Mutants) -> Self {
        self.mutants = mutants;
        self
    }

    /// Checks the settings and starts the fleet on the current tokio runtime.
    ///
    /// Returns immediately. The store need not be reachable: the fleet connects in the background, and
    /// until then, circuits are local.
    ///
    /// # Errors
    ///
    /// * [`StartError::Config`] for the first invalid setting
    /// * [`StartError::NoRuntime`] outside a tokio runtime
    /// * [`StartError::HasFleet`] if the registry has a fleet that has not ended
    /// * [`StartError::OtherClock`] if the clock of the registry does not follow tokio's time
    pub fn start(self) -> Result<Fleet, StartError> {
        self.settings()?;
        let handle = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let (fleet, task) = self.into_task()?;
        handle.spawn(task);
        Ok(fleet)
    }

    /// Returns the fleet and its task, which the caller polls. For simulations.
    #[doc(hidden)]
    pub fn into_task(
        self,
    ) -> Result<(Fleet, impl Future<Output = ()> + Send + 'static), StartError> {
        let (settings, hello) = self.settings()?;
        let dirty = Arc::new(Dirty::default());
        let told = dirty.clone();
        let port = Port::attach(&self.registry, move |change| told.note(change));
        if !port.is_only() {
            return Err(StartError::HasFleet);
        }
        if !follows_tokio(|| port.now().unwrap_or_default()) {
            return Err(StartError::OtherClock);
        }
        let shared = Arc::new(Shared::new(settings.node.clone(), settings.shares.list()));
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let planner = Planner::new(settings, seed);
        let (stop, stopped) = watch::channel(Stop::No);
        let (commands, operator) = Operator::new();
        let task = Task::new(
            planner,
            port,
            dirty,
            self.store,
            hello,
            shared.clone(),
            stopped,
            operator,
            self.listener,
        );
        Ok((Fleet::new(shared, stop, commands), task.run()))
    }

    fn settings(&self) -> Result<(Settings, Hello), ConfigError> {
        self.shares.check()?;
        check(
            "grace",
            self.grace,
            LONGEST_WAIT + REQUEST_TIMEOUT,
            Duration::from_secs(60),
        )?;
        check(
            "lease",
            self.lease,
            Duration::from_secs(1),
            Duration::from_secs(60),
        )?;
        check(
            "close_spread",
            self.close_spread,
            Duration::ZERO,
            Duration::from_secs(10),
        )?;
        check("max_open", self.max_open, Duration::from_secs(1), HOURS_12)?;
        let instance = match self.seed {
            // Equal runs of a simulation have equal instances.
            Some(seed) => format!("{}-{seed:x}", self.node.as_deref().unwrap_or("node")),
            None => instance(),
        };
        let node = self.node.as_deref().unwrap_or(&instance);
        let node =
            NodeId::new(node, &instance).ok_or_else(|| ConfigError::new("node", node, CHARSET))?;
        let hello = Hello::new(&self.namespace, node.clone(), self.max_open)
            .ok_or_else(|| ConfigError::new("namespace", &self.namespace, CHARSET))?;
        let settings = Settings {
            node,
            shares: self.shares.clone(),
            grace: self.grace,
            lease: self.lease,
            close_spread: self.close_spread,
            max_open: self.max_open,
            accept_commands: self.accept_commands,
            mutants: self.mutants,
        };
        Ok((settings, hello))
    }
}

impl fmt::Debug for FleetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetBuilder")
            .field("namespace", &self.namespace)
            .field("node", &self.node)
            .field("shares", &self.shares)
            .field("grace", &self.grace)
            .field("lease", &self.lease)
            .field("close_spread", &self.close_spread)
            .field("max_open", &self.max_open)
            .field("accept_commands", &self.accept_commands)
            .finish_non_exhaustive()
    }
}

fn check(
    field: &'static str,
    value: Duration,
    from: Duration,
    to: Duration,
) -> Result<(), ConfigError> {
    if (from..=to).contains(&value) {
        return Ok(());
    }
    let value = format!("{value:?}");
    Err(ConfigError::new(
        field,
        value,
        format!("{from:?} to {to:?}"),
    ))
}

/// Returns a name that no other instance has: the host, the process, and a random number.
fn instance() -> String {
    let host = std::env::var("HOSTNAME").ok();
    let host = host.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let host = host.unwrap_or_default();
    let is_allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let host: String = host.chars().filter(is_allowed).take(40).collect();
    let host = if host.is_empty() { "node" } else { &host };
    format!("{host}-{}-{:08x}", std::process::id(), fastrand::u32(..))
}
