//! Servers that refuse writes because they are the wrong ones.

use crate::node::{all, connected, nodes, opens_everywhere, secs, until};
use crate::server::Server;
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
    assert!((1..30).contains(&attempts), "{attempts}");
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
