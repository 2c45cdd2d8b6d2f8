//! Servers that refuse operations because they are the wrong ones.

use crate::node::{Node, all, connected, nodes, opens_everywhere, ports, secs, until};
use crate::server::{Server, skip};
use breakerbox::State;
use breakerbox_redis::fleet::Degradation;
use breakerbox_redis::fleet::store::StoreError;

/// The server becomes a replica of a server that does not exist.
async fn demoted(stale_data: &str) {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    opens_everywhere(&nodes, "users-api").await;
    let () = server.run(&format!("CONFIG SET replica-serve-stale-data {stale_data}"));
    let () = server.run("REPLICAOF 127.0.0.1 1");
    nodes[0].fail("other");
    until("all nodes give the connection up", || {
        nodes.iter().all(|node| {
            matches!(
                node.degradation(),
                Some(Degradation::Link(StoreError::ReadOnly(_)))
            )
        })
    })
    .await;
    assert_eq!(nodes[1].registry.breaker("other").state(), State::Closed);
    // Attempts are spread. Without longer and longer pauses, there were about 60.
    let before = nodes[0].connects();
    tokio::time::sleep(secs(3)).await;
    let attempts = nodes[0].connects() - before;
    assert!(attempts < 30, "{attempts}");
    let () = server.run("REPLICAOF NO ONE");
    connected(&nodes).await;
    all(&nodes, "users-api", State::Open).await;
    all(&nodes, "other", State::Open).await;
}

#[tokio::test]
async fn replica_is_given_up() {
    demoted("yes").await;
}

#[tokio::test]
async fn replica_without_its_primary_is_given_up() {
    demoted("no").await;
}

#[tokio::test]
async fn primary_without_its_replicas_is_given_up() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    let () = server.run("CONFIG SET min-replicas-to-write 1");
    nodes[0].fail("users-api");
    until("all nodes give the connection up", || {
        nodes.iter().all(|node| {
            matches!(
                node.degradation(),
                Some(Degradation::Link(StoreError::ReadOnly(_)))
            )
        })
    })
    .await;
    let () = server.run("CONFIG SET min-replicas-to-write 0");
    connected(&nodes).await;
    all(&nodes, "users-api", State::Open).await;
}

#[tokio::test]
async fn cluster_node_serves_its_slots_and_names_the_others() {
    let Some(server) = Server::start() else {
        return;
    };
    if server.version() < (7, 0) {
        return skip("a cluster on free ports needs Redis 7");
    }
    let [port, other_port, bus, other_bus] = ports();
    let arguments = [
        "--cluster-enabled",
        "yes",
        "--cluster-require-full-coverage",
        "no",
    ];
    let start = |port, bus| {
        let ports = ["--port", port, "--cluster-port", bus];
        Server::start_with(&[arguments, ports].concat())
    };
    let (Some(server), Some(other)) = (start(&port, &bus), start(&other_port, &other_bus)) else {
        return;
    };
    let () = server.run("CLUSTER ADDSLOTSRANGE 0 16383");
    let () = server.run(&format!("CLUSTER MEET 127.0.0.1 {other_port} {other_bus}"));
    until("the other node knows the slots", || {
        let slots: Vec<redis::Value> = other.run("CLUSTER SLOTS");
        !slots.is_empty()
    })
    .await;
    let nodes = nodes(2, &server).await;
    opens_everywhere(&nodes, "users-api").await;
    // All keys are in one slot, and the other node has none.
    let node = Node::start(&other.url());
    until("the reason is reported", || {
        matches!(
            node.degradation(),
            Some(Degradation::Link(StoreError::Disconnected(why))) if why.contains(&port)
        )
    })
    .await;
    assert!(node.call());
}
