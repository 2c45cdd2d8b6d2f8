//! Users with few permissions, wrong passwords and changing passwords.

use crate::node::{Node, all, closes_everywhere, connected, nodes, opens_everywhere, secs, until};
use crate::server::{Server, skip};
use breakerbox::State;
use breakerbox_redis::RedisStore;
use breakerbox_redis::fleet::Degradation;
use breakerbox_redis::fleet::store::StoreError;
use std::sync::{Arc, Mutex};

/// Returns the permissions that the README states.
fn stated() -> Vec<&'static str> {
    let readme = include_str!("../../README.md");
    let (_, block) = readme.split_once("```text\n").unwrap();
    let (lines, _) = block.split_once("```").unwrap();
    lines.split_whitespace().collect()
}

/// Returns the permissions that the README states, without those that old servers do not know.
pub(crate) fn permissions(server: &Server) -> String {
    let version = server.version();
    let words = stated().into_iter().filter(|word| match *word {
        // Redis 7.2 has added the subcommand. Earlier versions than 7 accept any.
        "+client|setinfo" => version != (7, 0),
        "resetchannels" | "&bb1:{default}" => version >= (6, 2),
        _ => true,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The page states the permissions for another namespace, with quotes for a shell.
#[test]
fn page_states_the_same_permissions() {
    let page = include_str!("../../../../docs/sharing-circuits.md");
    let command = "redis-cli ACL SETUSER fleet on '>secret' ";
    let (_, rules) = page.split_once(command).unwrap();
    let (rules, _) = rules.split_once("```").unwrap();
    let rules = rules.replace(['\'', '\\'], "");
    let rules = rules.replace("{shop:prod}", "{default}");
    assert_eq!(rules.split_whitespace().collect::<Vec<_>>(), stated());
}

fn is_denied(node: &Node) -> bool {
    matches!(
        node.degradation(),
        Some(Degradation::Link(StoreError::Denied(_)))
    )
}

fn store(server: &Server) -> RedisStore {
    let store = RedisStore::builder(server.url()).user("fleet");
    store
        .password_from(|| Some("secret".into()))
        .build()
        .unwrap()
}

#[tokio::test]
async fn stated_permissions_suffice() {
    let Some(server) = Server::start() else {
        return;
    };
    let rules = permissions(&server);
    let () = server.run(&format!("ACL SETUSER fleet on >secret {rules}"));
    let nodes = [(); 2].map(|()| Node::on(store(&server), secs(1)));
    connected(&nodes).await;
    opens_everywhere(&nodes, "users-api").await;
    // The whole life of a circuit, with its lease and its verdict.
    closes_everywhere(&nodes, &server).await;
    nodes[0].fleet.command("users-*").disable().await.unwrap();
    all(&nodes, "users-api", State::Disabled).await;
    nodes[1].fleet.command("users-*").release().await.unwrap();
    all(&nodes, "users-api", State::Closed).await;
    opens_everywhere(&nodes, "users-api").await;
    assert_eq!(nodes[1].fleet.command("*").close().await, Ok(1));
    all(&nodes, "users-api", State::Closed).await;
    let [node, other] = nodes;
    assert!(node.fleet.shutdown(secs(2)).await);
    assert_eq!((other.degraded(), server.subscribers()), (0, 1));
    let log: redis::Value = server.run("ACL LOG");
    assert_eq!(log, redis::Value::Array(Vec::new()), "something was denied");
}

#[tokio::test]
async fn stated_permissions_suffice_in_another_database() {
    let Some(server) = Server::start() else {
        return;
    };
    let channel = permissions(&server).replace("&bb1:{default}", "&bb1:{default}:1");
    let () = server.run(&format!("ACL SETUSER fleet on >secret {channel} +select"));
    let nodes = [(); 2].map(|()| {
        let store = RedisStore::builder(format!("{}?db=1", server.url())).user("fleet");
        let store = store.password_from(|| Some("secret".into()));
        Node::on(store.build().unwrap(), secs(30))
    });
    connected(&nodes).await;
    opens_everywhere(&nodes, "users-api").await;
    assert_eq!(nodes[0].degraded(), 0);
}

#[tokio::test]
async fn permission_for_operator_key_is_not_needed() {
    let Some(server) = Server::start() else {
        return;
    };
    let keys = "~bb1:{default}:h ~bb1:{default}:s ~bb1:{default}:i ~bb1:{default}:n";
    let narrow = permissions(&server).replace("~bb1:{default}:*", keys);
    let () = server.run(&format!("ACL SETUSER fleet on >secret {narrow}"));
    let nodes = [(); 2].map(|()| Node::on(store(&server), secs(30)));
    connected(&nodes).await;
    opens_everywhere(&nodes, "users-api").await;
    assert_eq!(nodes[0].degraded(), 0);
}

#[tokio::test]
async fn user_without_the_channel_stays_local() {
    let Some(server) = Server::start() else {
        return;
    };
    if server.version() < (6, 2) {
        return skip("permissions for channels need Redis 6.2");
    }
    let narrow = permissions(&server).replace(" &bb1:{default}", "");
    let () = server.run(&format!("ACL SETUSER fleet on >secret {narrow}"));
    let node = Node::on(store(&server), secs(30));
    until("the reason is reported", || is_denied(&node)).await;
    node.fail("users-api");
    assert_eq!(node.state(), State::Open);
    let () = server.run("ACL SETUSER fleet &bb1:{default}");
    until("the trip is told", || {
        server.recorded("users-api").as_deref() == Some("o")
    })
    .await;
}

#[tokio::test]
async fn password_is_requested_for_each_connection() {
    let Some(server) = Server::start() else {
        return;
    };
    let () = server.run("ACL SETUSER fleet on >one ~* &* +@all");
    let password = Arc::new(Mutex::new("wrong"));
    let source = password.clone();
    let store = RedisStore::builder(server.url())
        .user("fleet")
        .password_from(move || Some((*source.lock().unwrap()).to_owned()));
    let node = Node::on(store.build().unwrap(), secs(30));
    until("the reason is reported", || is_denied(&node)).await;
    *password.lock().unwrap() = "one";
    until("the password is right", || node.is_connected()).await;
    // A new password ends no connection. The next connection needs it.
    let () = server.run("ACL SETUSER fleet resetpass >two");
    *password.lock().unwrap() = "two";
    let _: u64 = server.run("CLIENT KILL TYPE pubsub");
    until("the new password is used", || {
        node.connects() == 2 && node.is_connected()
    })
    .await;
}

#[tokio::test]
async fn user_without_a_password_is_not_another_user() {
    let Some(server) = Server::start() else {
        return;
    };
    let () = server.run("ACL SETUSER fleet on >secret ~* &* +@all");
    let () = server.run("ACL SETUSER open on nopass ~* &* +@all");
    let start = |user| {
        let store = RedisStore::builder(server.url()).user(user);
        Node::on(store.password_from(|| None).build().unwrap(), secs(30))
    };
    let [with, without] = ["fleet", "open"].map(start);
    until("the reason is reported", || is_denied(&with)).await;
    until("the other user is connected", || without.is_connected()).await;
    let clients: String = server.run("CLIENT LIST TYPE pubsub");
    assert!(clients.contains("user=open"), "{clients}");
    assert!(!clients.contains("user=default"), "{clients}");
}

#[tokio::test]
async fn password_that_panics_harms_no_call() {
    let Some(server) = Server::start() else {
        return;
    };
    let store = RedisStore::builder(server.url()).password_from(|| panic!("no password"));
    let node = Node::on(store.build().unwrap(), secs(30));
    until("the panic is reported", || {
        matches!(node.degradation(), Some(Degradation::Link(_)))
    })
    .await;
    assert!(node.call());
}

#[tokio::test]
async fn server_without_resp3_is_reported() {
    let Some(server) = Server::start_with(&["--rename-command", "HELLO", "NOHELLO"]) else {
        return;
    };
    let node = Node::start(&server.url());
    until("the reason is reported", || {
        node.degradation() == Some(Degradation::Link(StoreError::Resp3Required))
    })
    .await;
    node.fail("users-api");
    assert_eq!(node.state(), State::Open);
}

#[tokio::test]
async fn prefixes_and_databases_share_nothing() {
    let Some(server) = Server::start() else {
        return;
    };
    let prefixed = RedisStore::builder(server.url()).prefix("tenant-7:bb1");
    let elsewhere = RedisStore::builder(format!("{}?db=1", server.url()));
    let others = [prefixed, elsewhere].map(|builder| Node::on(builder.build().unwrap(), secs(30)));
    connected(&others).await;
    let nodes = nodes(2, &server).await;
    opens_everywhere(&nodes, "users-api").await;
    opens_everywhere(&others[1..], "other").await;
    // The message of a later change follows all others.
    opens_everywhere(&nodes, "later").await;
    for other in &others {
        assert_eq!(other.state(), State::Closed);
        assert_eq!(other.fleet.status().counters.gaps, 0);
    }
    assert_eq!(nodes[0].registry.breaker("other").state(), State::Closed);
    let keys: Vec<String> = server.run("KEYS tenant-7:bb1:{default}:*");
    assert_eq!(keys, ["tenant-7:bb1:{default}:n"]);
}
