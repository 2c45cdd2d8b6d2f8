//! A line to a real server, with its own time.

use crate::common::steps::hello;
use crate::hostile::trip;
use crate::server::Server;
use breakerbox_fleet::FleetStore;
use breakerbox_fleet::protocol::{Version, Word};
use breakerbox_fleet::store::{Line, StoreError};
use breakerbox_redis::RedisStore;
use std::time::{Duration, SystemTime};

async fn connect(url: &str, instance: &str) -> Result<Box<dyn Line>, StoreError> {
    let store = RedisStore::builder(url).timeout(Duration::from_secs(5));
    let link = store
        .build()
        .unwrap()
        .connect(&hello("n1", instance))
        .await?;
    Ok(link.line)
}

#[tokio::test]
async fn line_works_with_real_time() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut line = connect(&server.url(), "i1").await.unwrap();
    let submitted = line.submit(Version(0), &[trip("a")]).await.unwrap();
    // The trip is long ago by the clock of this server, and its circuit was never closed.
    assert_eq!(submitted.answers[0].word, Word::Opened);
    let epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert!(epoch.as_micros().abs_diff(u128::from(submitted.now.0)) < 60_000_000);
    assert!(submitted.head.0 >= submitted.now.0);
    let pulled = line.pull(Version(0), 10).await.unwrap();
    assert_eq!(pulled.records[0].name, "a");
    assert_eq!(pulled.members, ["n1/i1"]);
    line.leave().await.unwrap();
    let pulled = line.pull(pulled.next, 10).await.unwrap();
    assert_eq!(pulled.records, []);
}

#[tokio::test]
async fn forgotten_script_is_sent_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut line = connect(&server.url(), "i1").await.unwrap();
    for _ in 0..2 {
        redis::cmd("SCRIPT")
            .arg("FLUSH")
            .query::<()>(&mut server.connect())
            .unwrap();
        line.submit(Version(0), &[trip("a")]).await.unwrap();
        line.pull(Version(0), 10).await.unwrap();
    }
}

#[tokio::test]
async fn server_error_is_told_apart() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut connection = server.connect();
    let mut line = connect(&server.url(), "i1").await.unwrap();
    let mut rules = redis::cmd("ACL");
    rules
        .arg("SETUSER")
        .arg("default")
        .arg("-evalsha")
        .arg("-eval");
    rules.query::<()>(&mut connection).unwrap();
    let denied = line.pull(Version(0), 10).await;
    assert!(matches!(denied, Err(StoreError::Denied(_))), "{denied:?}");
    // The text contains the address, and no credentials.
    let missing = connect("redis+unix:///missing?pass=secret", "i1").await;
    let Err(StoreError::Disconnected(why)) = missing else {
        panic!("a missing server answers");
    };
    assert!(why.starts_with("/missing: "), "{why}");
    assert!(!why.contains("secret"), "{why}");
}
