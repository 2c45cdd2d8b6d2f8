//! Messages that arrive, get lost, or are malformed.

use crate::node::{Node, all, connected, nodes, opens_everywhere, until};
use crate::server::Server;
use breakerbox::State;
use breakerbox_redis::fleet::Degradation;
use std::time::Instant;

fn gaps(node: &Node) -> u64 {
    node.fleet.status().counters.gaps
}

#[tokio::test]
async fn change_reaches_others_without_a_pull() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(3, &server).await;
    let mut pushed = 0;
    for name in ["a", "b", "c", "d", "e", "f"] {
        let before = Instant::now();
        opens_everywhere(&nodes, name).await;
        let since = before.elapsed();
        let is_older = |pull| pull > since;
        let status = nodes.iter().map(|node| node.fleet.status().last_pull);
        pushed += u32::from(status.into_iter().all(|pull| pull.is_some_and(is_older)));
    }
    // A regular pull may have come first, once or twice.
    assert!(pushed >= 3, "{pushed}");
}

#[tokio::test]
async fn flood_of_messages_ends_no_connection() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    // The versions of the flood are older than this one, so they are no gap by themselves.
    opens_everywhere(&nodes, "first").await;
    let before: u64 = nodes.iter().map(gaps).sum();
    // This thread also runs the fleets, so all messages wait for them at once.
    let mut connection = server.connect();
    for _ in 0..3_000 {
        let mut command = redis::cmd("PUBLISH");
        command.arg("bb1:{default}").arg("bb1 1 2 flood");
        let heard: u64 = command.query(&mut connection).unwrap();
        assert_eq!(heard, 2);
    }
    until("gaps are counted", || {
        nodes.iter().map(gaps).sum::<u64>() > before
    })
    .await;
    opens_everywhere(&nodes, "users-api").await;
    assert!(nodes.iter().all(|node| node.connects() == 1));
}

#[tokio::test]
async fn garbage_on_the_channel_is_counted_and_pulled() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    let before = nodes.iter().map(gaps).max().unwrap();
    for garbage in ["garbage", "bb1", "bb1!9!4!x", "bb2"] {
        let heard: u64 = server.run(&format!("PUBLISH bb1:{{default}} {garbage}"));
        assert_eq!(heard, 2);
    }
    until("the gap is counted", || {
        nodes.iter().all(|node| gaps(node) > before)
    })
    .await;
    opens_everywhere(&nodes, "users-api").await;
    assert!(nodes.iter().all(|node| node.connects() == 1));
}

#[tokio::test]
async fn change_that_was_not_published_is_pulled() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    let () = server.run("ACL SETUSER default -publish");
    nodes[0].fail("users-api");
    until("the writer is degraded", || {
        nodes[0].degradation() == Some(Degradation::Unpublished)
    })
    .await;
    all(&nodes, "users-api", State::Open).await;
    let () = server.run("ACL SETUSER default +publish");
    opens_everywhere(&nodes, "later").await;
    connected(&nodes).await;
}
