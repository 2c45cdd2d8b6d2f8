//! [`Node`]: a registry with its engine and its connection.

use crate::client::{Measured, NAMESPACE};
use breakerbox::{BreakerBuilder, BreakerRegistry, CircuitBreaker, Event, State};
use breakerbox_fleet::{Fleet, Share};
use breakerbox_redis::RedisStore;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The longest time until a condition holds.
const PATIENCE: Duration = Duration::from_secs(180);

/// A node of a measured fleet.
pub(crate) struct Node {
    pub(crate) registry: BreakerRegistry,
    pub(crate) fleet: Fleet,
}

/// How the nodes of a fleet are set up.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) share: Share,
    pub(crate) close_spread: Duration,
    pub(crate) preset: BreakerBuilder,
}

impl Setup {
    /// One failure opens a circuit for this time.
    pub(crate) fn new(share: Share, open_for: Duration) -> Self {
        let preset = CircuitBreaker::builder().failure_threshold(1);
        Self {
            share,
            close_spread: Duration::from_millis(300),
            preset: preset.recovery_timeout(open_for),
        }
    }

    /// Starts a node. `told` gets each change of state, on the thread that makes it.
    pub(crate) fn start(
        &self,
        runtime: &Runtime,
        measured: &Measured,
        told: impl Fn(State) + Send + Sync + 'static,
    ) -> Node {
        let registry = BreakerRegistry::builder()
            .capacity(20_000)
            .default_preset(self.preset.clone())
            .on_change(move |event| {
                if let Event::StateChanged { to, .. } = event {
                    told(*to);
                }
            });
        let registry = registry.build().expect("valid settings");
        let store = RedisStore::builder(measured.url()).build();
        let fleet = Fleet::builder(&registry, store.expect("a valid URL"))
            .namespace(NAMESPACE)
            .share(self.share)
            .close_spread(self.close_spread);
        let _entered = runtime.enter();
        let fleet = fleet.start().expect("valid settings");
        Node { registry, fleet }
    }

    /// Starts nodes, and waits until the server and all nodes know each other.
    pub(crate) fn start_many(
        &self,
        runtime: &Runtime,
        measured: &Measured,
        count: usize,
    ) -> Vec<Node> {
        let start = |_| self.start(runtime, measured, |_| {});
        let nodes: Vec<_> = (0..count).map(start).collect();
        wait_for_links(&nodes);
        nodes
    }
}

impl Node {
    /// Fails once, which opens the circuit. Returns the instant before.
    pub(crate) fn fail(&self, name: &str) -> Instant {
        let permit = self.registry.breaker(name).try_acquire();
        let permit = permit.expect("the circuit is closed");
        let now = Instant::now();
        permit.failure();
        now
    }
}

/// Waits until all nodes are connected.
pub(crate) fn wait_for_links(nodes: &[Node]) {
    until("all nodes are connected", || {
        nodes.iter().all(|node| node.fleet.status().is_connected())
    });
}

/// Waits until the condition holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().expect("a runtime")
}
