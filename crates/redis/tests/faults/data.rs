//! Servers that lose data, are full, or contain foreign data.

use crate::node::{
    NAME, Node, all, closes_everywhere, connected, nodes, opens_everywhere, secs, until,
};
use crate::server::Server;
use breakerbox::State;
use breakerbox_redis::RedisStore;
use breakerbox_redis::fleet::Degradation;
use breakerbox_redis::fleet::store::StoreError;

#[tokio::test]
async fn full_server_degrades_until_it_has_room() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    let () = server.run("CONFIG SET maxmemory 1");
    nodes[0].fail("users-api");
    until("all nodes are degraded", || {
        nodes.iter().all(|node| {
            matches!(node.degradation(), Some(Degradation::ReadOnly(why)) if why.starts_with("OOM"))
        })
    })
    .await;
    // A full server is still the right one.
    assert!(nodes.iter().all(|node| node.connects() == 1));
    assert_eq!(nodes[1].state(), State::Closed);
    let () = server.run("CONFIG SET maxmemory 0");
    connected(&nodes).await;
    all(&nodes, "users-api", State::Open).await;
}

#[tokio::test]
async fn flushed_server_is_told_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(3, &server).await;
    opens_everywhere(&nodes, "users-api").await;
    let () = server.run("FLUSHALL");
    until("the record is restored", || {
        server.recorded("users-api").as_deref() == Some("o")
    })
    .await;
    all(&nodes, "users-api", State::Open).await;
    opens_everywhere(&nodes, "later").await;
    assert!(nodes.iter().all(|node| node.connects() == 1));
}

/// What happens when a replica is promoted that has missed the latest writes.
#[tokio::test]
async fn snapshot_from_before_a_close_opens_no_circuit() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let store = RedisStore::builder(server.url()).build().unwrap();
    let nodes = [(); 3].map(|()| Node::on(store.clone(), secs(1)));
    connected(&nodes).await;
    opens_everywhere(&nodes, NAME).await;
    let () = server.run("SAVE");
    closes_everywhere(&nodes, &server).await;
    server.kill();
    server.restart();
    assert_eq!(server.recorded(NAME).as_deref(), Some("o"));
    let pulls = || {
        nodes
            .iter()
            .all(|node| node.connects() == 2 && node.is_connected())
    };
    until("all nodes have pulled the snapshot", || {
        assert!(nodes.iter().all(|node| node.state() == State::Closed));
        pulls()
    })
    .await;
    assert!(nodes.iter().all(|node| node.state() == State::Closed));
    // A new trip counts, although the record of the snapshot is open already.
    opens_everywhere(&nodes, NAME).await;
    closes_everywhere(&nodes, &server).await;
}

#[tokio::test]
async fn forgotten_scripts_are_sent_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    for name in ["a", "b", "c"] {
        let () = server.run("SCRIPT FLUSH");
        opens_everywhere(&nodes, name).await;
    }
    assert!(nodes.iter().all(|node| node.connects() == 1));
}

#[tokio::test]
async fn keys_of_wrong_types_leave_circuits_local() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    for (key, wrong) in [("s", "SET"), ("h", "LPUSH"), ("i", "SET"), ("n", "SET")] {
        let _: u64 = server.run(&format!("DEL bb1:{{default}}:{key}"));
        let _: redis::Value = server.run(&format!("{wrong} bb1:{{default}}:{key} foreign"));
        let name = format!("local-{key}");
        nodes[0].fail(&name);
        until("all nodes are degraded", || {
            nodes.iter().all(|node| {
                matches!(
                    node.degradation(),
                    Some(Degradation::Link(StoreError::Protocol(_)) | Degradation::ReadOnly(_))
                )
            })
        })
        .await;
        assert_eq!(nodes[0].registry.breaker(&name).state(), State::Open);
        assert_eq!(nodes[1].registry.breaker(&name).state(), State::Closed);
        let _: u64 = server.run(&format!("DEL bb1:{{default}}:{key}"));
        connected(&nodes).await;
        all(&nodes, &name, State::Open).await;
    }
}
