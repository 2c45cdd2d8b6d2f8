//! Failovers: Redis Sentinel promotes a replica while a node has a lease.

use crate::node::{NAME, Node, closes_everywhere, connected, opens_everywhere, ports, secs, until};
use crate::server::Server;
use breakerbox::Permit;
use breakerbox_redis::RedisStore;
use tempfile::TempDir;

const SENTINEL: &str = "sentinel monitor main 127.0.0.1 PORT 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 5000
";

/// A primary, a replica, and one Sentinel.
struct Servers {
    primary: Server,
    replica: Server,
    sentinel: Server,
    sentinel_port: String,
    /// Contains the file of the Sentinel, which the Sentinel changes.
    _folder: TempDir,
}

impl Servers {
    async fn start() -> Option<Self> {
        let [first, second, sentinel_port] = ports();
        let primary = Server::start_with(&["--port", &first])?;
        let replica = Server::start_with(&["--port", &second, "--replicaof", "127.0.0.1", &first])?;
        until("the replica has all data", || {
            let status: String = replica.run("INFO replication");
            status.contains("master_link_status:up")
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, SENTINEL.replace("PORT", &first)).unwrap();
        let file = file.to_str().unwrap();
        let sentinel = Server::start_with(&[file, "--sentinel", "--port", &sentinel_port])?;
        until("the Sentinel knows the replica", || {
            let replicas: Vec<redis::Value> = sentinel.run("SENTINEL REPLICAS main");
            replicas.len() == 1
        })
        .await;
        Some(Self {
            primary,
            replica,
            sentinel,
            sentinel_port,
            _folder: folder,
        })
    }

    /// Starts three nodes whose circuits stay open for 1 s.
    async fn nodes(&self) -> Vec<Node> {
        // A Sentinel that is away is passed over.
        let away = "redis://127.0.0.1:1".to_owned();
        let urls = [away, format!("redis://127.0.0.1:{}", self.sentinel_port)];
        let store = RedisStore::builder("redis://any/").sentinel("main", urls);
        let store = store.build().unwrap();
        let nodes: Vec<_> = (0..3).map(|_| Node::on(store.clone(), secs(1))).collect();
        connected(&nodes).await;
        assert_eq!(self.primary.subscribers(), 3);
        nodes
    }
}

/// Calls until one node begins a trial. Returns the trial, which has not ended.
async fn trial(nodes: &[Node]) -> Permit {
    let mut trial = None;
    until("a node begins a trial", || {
        trial = nodes
            .iter()
            .find_map(|node| node.breaker.try_acquire().ok());
        trial.is_some()
    })
    .await;
    trial.unwrap()
}

/// The replica is promoted while one node tries the dependency for all.
async fn promoted_during_a_lease(fail_over: impl FnOnce(&mut Servers)) {
    let Some(mut servers) = Servers::start().await else {
        return;
    };
    let nodes = servers.nodes().await;
    opens_everywhere(&nodes, NAME).await;
    let trial = trial(&nodes).await;
    assert_eq!(servers.primary.recorded(NAME).as_deref(), Some("h"));
    fail_over(&mut servers);
    until("all nodes are at the new primary", || {
        servers.replica.subscribers() == 3 && nodes.iter().all(Node::is_connected)
    })
    .await;
    trial.success();
    closes_everywhere(&nodes, &servers.replica).await;
    opens_everywhere(&nodes, "later").await;
    assert_eq!(servers.replica.recorded("later").as_deref(), Some("o"));
}

#[tokio::test]
async fn failover_during_a_lease_strands_no_circuit() {
    promoted_during_a_lease(|servers| servers.sentinel.run("SENTINEL FAILOVER main")).await;
}

#[tokio::test]
async fn killed_primary_during_a_lease_strands_no_circuit() {
    promoted_during_a_lease(|servers| servers.primary.kill()).await;
}
