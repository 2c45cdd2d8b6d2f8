//! Servers that are away or hang.

use crate::node::{Node, all, connected, ms, nodes, opens_everywhere, secs, until};
use crate::server::Server;
use breakerbox::State;
use breakerbox_redis::fleet::Degradation;
use breakerbox_redis::fleet::store::StoreError;

fn is_cut_off(node: &Node) -> bool {
    matches!(node.degradation(), Some(Degradation::Link(_)))
}

/// The server dies after a circuit has opened, and comes back empty.
async fn killed_for(seconds: u64) {
    let Some(mut server) = Server::start() else {
        return;
    };
    let nodes = nodes(3, &server).await;
    opens_everywhere(&nodes, "users-api").await;
    server.kill();
    until("all nodes notice", || nodes.iter().all(is_cut_off)).await;
    // Local rules go on, and no call fails because of the server.
    assert_eq!(nodes[1].registry.breaker("other").state(), State::Closed);
    nodes[1].fail("other");
    assert_eq!(nodes[1].registry.breaker("other").state(), State::Open);
    tokio::time::sleep(secs(seconds)).await;
    server.restart();
    connected(&nodes).await;
    // What opened before the outage and during it is known again.
    all(&nodes, "users-api", State::Open).await;
    for node in &nodes {
        node.registry.breaker("other");
    }
    all(&nodes, "other", State::Open).await;
    until("the record is restored", || {
        server.recorded("users-api").as_deref() == Some("o")
    })
    .await;
    assert_eq!(server.subscribers(), 3);
    opens_everywhere(&nodes, "later").await;
}

#[tokio::test]
async fn server_killed_for_one_second_is_told_again() {
    killed_for(1).await;
}

#[tokio::test]
async fn server_killed_for_eight_seconds_is_told_again() {
    killed_for(8).await;
}

#[tokio::test]
async fn server_away_at_start_delays_nothing() {
    let Some(mut server) = Server::start() else {
        return;
    };
    server.kill();
    let node = Node::start(&server.url());
    assert!(!node.fleet.ready(ms(50)).await);
    assert!(node.call());
    node.fail("users-api");
    until("the error is reported", || is_cut_off(&node)).await;
    server.restart();
    until("the trip is told", || {
        server.recorded("users-api").as_deref() == Some("o")
    })
    .await;
}

#[tokio::test]
async fn frozen_server_is_given_up() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    server.freeze();
    nodes[0].fail("users-api");
    let frozen = std::time::Instant::now();
    until("two requests time out", || {
        nodes[0].degradation() == Some(Degradation::Link(StoreError::TimedOut))
    })
    .await;
    tokio::time::sleep(secs(4).saturating_sub(frozen.elapsed())).await;
    server.thaw();
    connected(&nodes).await;
    all(&nodes, "users-api", State::Open).await;
    opens_everywhere(&nodes, "later").await;
}

#[tokio::test]
async fn paused_server_is_given_up() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    let () = server.run("CLIENT PAUSE 4000 ALL");
    nodes[0].fail("users-api");
    until("two requests time out", || {
        nodes[0].degradation() == Some(Degradation::Link(StoreError::TimedOut))
    })
    .await;
    connected(&nodes).await;
    all(&nodes, "users-api", State::Open).await;
}

#[tokio::test]
async fn killed_subscriptions_are_made_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(3, &server).await;
    let killed: u64 = server.run("CLIENT KILL TYPE pubsub");
    assert_eq!(killed, 3);
    until("all nodes connect again", || {
        nodes.iter().all(|node| node.connects() == 2)
    })
    .await;
    connected(&nodes).await;
    assert_eq!(server.subscribers(), 3);
    opens_everywhere(&nodes, "users-api").await;
}

#[tokio::test]
async fn killed_commands_of_others_harm_nothing() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    let _: u64 = server.run("CLIENT KILL TYPE normal");
    opens_everywhere(&nodes, "users-api").await;
    assert!(nodes.iter().all(|node| node.degraded() <= 1));
    connected(&nodes).await;
}

#[tokio::test]
async fn dropped_fleet_closes_its_connection() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut nodes = nodes(2, &server).await;
    assert_eq!(server.subscribers(), 2);
    let last = nodes.pop().unwrap();
    assert!(last.fleet.shutdown(secs(2)).await);
    drop(nodes);
    until("no connection is left", || server.subscribers() == 0).await;
    let members: Vec<String> = server.run("ZRANGE bb1:{default}:n 0 -1");
    assert_eq!(members.len(), 1, "{members:?}");
}
