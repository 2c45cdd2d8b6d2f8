//! [`Node`]: one instance of a service.

use crate::server::Server;
use breakerbox::prelude::*;
use breakerbox_redis::fleet::{Degradation, LinkStatus};
use breakerbox_redis::{Fleet, FleetEvent, RedisStore, Share};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

pub(crate) const NAME: &str = "users-api";

/// The longest time until a condition holds, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns ports that are free at this moment.
pub(crate) fn ports<const N: usize>() -> [String; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port().to_string())
}

/// One instance of a service. Its circuits stay open for 30 s.
pub(crate) struct Node {
    pub(crate) registry: BreakerRegistry,
    pub(crate) breaker: CircuitBreaker,
    pub(crate) fleet: Fleet,
    events: Arc<Mutex<Vec<FleetEvent>>>,
}

impl Node {
    /// Starts a node that follows each trip.
    pub(crate) fn start(url: &str) -> Self {
        Self::on(RedisStore::builder(url).build().unwrap(), secs(30))
    }

    pub(crate) fn on(store: RedisStore, recovery_timeout: Duration) -> Self {
        let preset = CircuitBreaker::builder().recovery_timeout(recovery_timeout);
        let registry = BreakerRegistry::builder().default_preset(preset);
        let registry = registry.build().unwrap();
        let events = Arc::<Mutex<Vec<_>>>::default();
        let log = events.clone();
        let fleet = Fleet::builder(&registry, store)
            .share(Share::always())
            .on_event(move |event| log.lock().unwrap().push(event.clone()));
        Self {
            breaker: registry.breaker(NAME),
            fleet: fleet.start().unwrap(),
            registry,
            events,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.breaker.state()
    }

    /// Fails until the circuit with this name opens.
    pub(crate) fn fail(&self, name: &str) {
        let breaker = self.registry.breaker(name);
        while let Ok(permit) = breaker.try_acquire() {
            permit.failure();
        }
    }

    /// Makes a successful call. Returns whether the call was admitted.
    pub(crate) fn call(&self) -> bool {
        self.breaker.try_acquire().map(Permit::success).is_ok()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.fleet.status().is_connected()
    }

    /// Returns why the fleet is degraded now.
    pub(crate) fn degradation(&self) -> Option<Degradation> {
        match self.fleet.status().link {
            LinkStatus::Degraded { why, .. } => Some(why),
            LinkStatus::Connected { .. } => None,
            _ => panic!("unknown status"),
        }
    }

    /// Returns how often the fleet was degraded.
    pub(crate) fn degraded(&self) -> usize {
        let events = self.events.lock().unwrap();
        let is_degraded = |event: &&FleetEvent| matches!(event, FleetEvent::Degraded { .. });
        events.iter().filter(is_degraded).count()
    }

    pub(crate) fn connects(&self) -> u64 {
        self.fleet.status().counters.connects
    }
}

/// Starts nodes on one server, and waits until they are connected.
pub(crate) async fn nodes(count: usize, server: &Server) -> Vec<Node> {
    let nodes: Vec<_> = (0..count).map(|_| Node::start(&server.url())).collect();
    connected(&nodes).await;
    nodes
}

pub(crate) async fn connected(nodes: &[Node]) {
    until("all nodes are connected", || {
        nodes.iter().all(Node::is_connected)
    })
    .await;
}

/// Waits until the circuits with this name have a state at all nodes.
pub(crate) async fn all(nodes: &[Node], name: &str, state: State) {
    let what = format!("{name} is {state:?} at all nodes");
    until(&what, || {
        nodes
            .iter()
            .all(|node| node.registry.breaker(name).state() == state)
    })
    .await;
}

/// The first node opens a circuit. Waits until all nodes have followed, by push or by pull.
pub(crate) async fn opens_everywhere(nodes: &[Node], name: &str) {
    for node in nodes {
        // A circuit without a breaker is only known.
        node.registry.breaker(name);
    }
    nodes[0].fail(name);
    all(nodes, name, State::Open).await;
}

/// All nodes make successful calls, until the circuit is closed at all nodes and at the server.
pub(crate) async fn closes_everywhere(nodes: &[Node], server: &Server) {
    until("all circuits are closed", || {
        for node in nodes {
            node.call();
        }
        nodes.iter().all(|node| node.state() == State::Closed)
            && server.recorded(NAME).as_deref() == Some("c")
    })
    .await;
}

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(ms(5)).await;
    }
}
