//! Commands of operators on real servers.

use crate::node::{NAME, Node, all, connected, nodes, opens_everywhere, secs, until};
use crate::server::{Server, skip};
use breakerbox::State;
use breakerbox_redis::RedisStore;
use breakerbox_redis::fleet::CommandError;
use breakerbox_redis::fleet::protocol::Verb;
use breakerbox_redis::fleet::store::StoreError;

#[tokio::test]
async fn command_survives_restart_of_the_server() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let nodes = nodes(3, &server).await;
    let command = nodes[0].fleet.command("users*").force_open();
    command.because("INC-123: нет").by("alice").await.unwrap();
    all(&nodes, NAME, State::Open).await;
    server.kill();
    server.restart();
    connected(&nodes).await;
    until("the server knows the command again", || {
        let text: Option<String> = server.run("GET bb1:{default}:o");
        text.is_some_and(|text| text.starts_with("users* "))
    })
    .await;
    let late = Node::start(&server.url());
    until("a late joiner follows", || late.state() == State::Open).await;
    let status = late.fleet.status();
    assert_eq!(status.commands[0].reason.as_deref(), Some("INC-123: нет"));
    assert_eq!(status.commands[0].actor.as_deref(), Some("alice"));
    late.fleet.command("users*").disable().await.unwrap();
    all(&nodes, NAME, State::Disabled).await;
    late.fleet.command("users*").release().await.unwrap();
    all(&nodes, NAME, State::Closed).await;
}

#[tokio::test]
async fn close_closes_circuits_of_all_instances() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(3, &server).await;
    opens_everywhere(&nodes, "other").await;
    // Several pages of a pull, and several batches.
    for index in 0..600 {
        nodes[0].fail(&format!("users-{index}"));
    }
    opens_everywhere(&nodes, NAME).await;
    let published = || nodes[0].fleet.status().counters.published;
    until("all openings are told", || published() == 602).await;
    let close = nodes[1].fleet.command("users*").close();
    let closed = close.because("INC-123: нет").by("alice").await;
    assert_eq!(closed, Ok(601));
    all(&nodes, NAME, State::Closed).await;
    assert_eq!(server.recorded("users-599").as_deref(), Some("c"));
    let late = Node::start(&server.url());
    until("a late joiner is connected", || late.is_connected()).await;
    assert_eq!(late.state(), State::Closed);
    all(std::slice::from_ref(&late), "other", State::Open).await;
    let status = late.fleet.status();
    assert_eq!(status.commands[0].verb, Verb::Close);
    assert_eq!(status.commands[0].reason.as_deref(), Some("INC-123: нет"));
    assert_eq!(status.commands[0].actor.as_deref(), Some("alice"));
    assert_eq!(late.fleet.command("users*").close().await, Ok(0));
    opens_everywhere(&nodes, NAME).await;
}

#[tokio::test]
async fn user_who_may_only_read_commands_follows_them() {
    let Some(server) = Server::start() else {
        return;
    };
    let keys = "~bb1:{default}:h ~bb1:{default}:s ~bb1:{default}:i ~bb1:{default}:n";
    if server.version() < (7, 0) {
        return skip("permissions to read only need Redis 7");
    }
    let narrow = crate::access::permissions(&server)
        .replace("~bb1:{default}:*", &format!("{keys} %R~bb1:{{default}}:o"));
    let () = server.run(&format!("ACL SETUSER reader on >secret {narrow}"));
    let store = RedisStore::builder(server.url()).user("reader");
    let store = store.password_from(|| Some("secret".into()));
    let nodes = [
        Node::on(store.build().unwrap(), secs(30)),
        Node::start(&server.url()),
    ];
    connected(&nodes).await;
    let denied = nodes[0].fleet.command(NAME).force_open().await;
    let is_denied = |error: &CommandError| {
        let CommandError::Store(error) = error else {
            return false;
        };
        matches!(error, StoreError::Denied(_))
    };
    assert!(denied.as_ref().is_err_and(is_denied), "{denied:?}");
    opens_everywhere(&nodes, "other").await;
    let denied = nodes[0].fleet.command("*").close().await;
    assert!(denied.as_ref().is_err_and(is_denied), "{denied:?}");
    assert_eq!(server.recorded("other").as_deref(), Some("o"));
    assert_eq!(nodes[1].fleet.command("*").close().await, Ok(1));
    all(&nodes, "other", State::Closed).await;
    nodes[1].fleet.command(NAME).force_open().await.unwrap();
    all(&nodes, NAME, State::Open).await;
    nodes[1].fleet.command(NAME).release().await.unwrap();
    all(&nodes, NAME, State::Closed).await;
    assert!(nodes.iter().all(|node| node.connects() == 1));
}

#[tokio::test]
async fn command_to_a_full_server_keeps_the_connection() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    let () = server.run("CONFIG SET maxmemory 1");
    let refused = nodes[0].fleet.command(NAME).disable().await;
    let is_full = |why: &str| why.contains("OOM");
    assert!(
        matches!(&refused, Err(CommandError::Store(StoreError::ReadOnly(why))) if is_full(why)),
        "{refused:?}"
    );
    let () = server.run("CONFIG SET maxmemory 0");
    nodes[0].fleet.command(NAME).disable().await.unwrap();
    all(&nodes, NAME, State::Disabled).await;
    assert!(nodes.iter().all(|node| node.connects() == 1));
}

#[tokio::test]
async fn longest_texts_of_a_command_survive_the_server() {
    let Some(server) = Server::start() else {
        return;
    };
    let nodes = nodes(2, &server).await;
    let name = "é".repeat(127);
    let pattern = format!("{name}x*");
    let (reason, actor) = ("%{}\n".repeat(64), "\u{1}".repeat(256));
    let command = nodes[0].fleet.command(&*pattern).disable();
    command.because(&reason).by(&actor).await.unwrap();
    let known = || nodes[1].fleet.status().commands;
    until("the other instance knows the command", || {
        !known().is_empty()
    })
    .await;
    let command = &known()[0];
    assert_eq!(&*command.pattern, pattern);
    assert_eq!(command.reason.as_deref(), Some(&*reason));
    assert_eq!(command.actor.as_deref(), Some(&*actor));
    // The pattern also matches a name that is as long as itself.
    let other = nodes[1].registry.breaker(format!("{name}xy"));
    until("the circuit follows", || other.state() == State::Disabled).await;
    nodes[1].fleet.command(&*pattern).release().await.unwrap();
    until("the circuit is released", || other.state() == State::Closed).await;
}

#[tokio::test]
async fn wrong_type_at_the_key_of_commands_changes_no_circuit() {
    let Some(server) = Server::start() else {
        return;
    };
    let _: u64 = server.run("LPUSH bb1:{default}:o x");
    let nodes = nodes(2, &server).await;
    let refused = nodes[0].fleet.command(NAME).disable().await;
    assert!(
        matches!(refused, Err(CommandError::Store(_))),
        "{refused:?}"
    );
    assert!(nodes.iter().all(|node| node.connects() == 1));
    opens_everywhere(&nodes, NAME).await;
}
