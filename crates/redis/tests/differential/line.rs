//! A line to a real server, with its own time.

use crate::common::steps::hello;
use crate::hostile::trip;
use crate::server::Server;
use breakerbox_fleet::protocol::{Version, Word};
use breakerbox_fleet::store::{Line, StoreError};
use breakerbox_redis::line::RedisLine;
use std::time::{Duration, SystemTime};

const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn line_works_with_both_protocols() {
    let Some(server) = Server::start() else {
        return;
    };
    for protocol in ["resp2", "resp3"] {
        let url = format!("{}?protocol={protocol}", server.url());
        let mut line = RedisLine::connect(&url, &hello("n1", protocol), TIMEOUT)
            .await
            .unwrap();
        let submitted = line.submit(Version(0), &[trip(protocol)]).await.unwrap();
        // The trip is long ago by the clock of this server, and its circuit was never closed.
        assert_eq!(submitted.answers[0].word, Word::Opened);
        let epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        assert!(epoch.as_micros().abs_diff(u128::from(submitted.now.0)) < 60_000_000);
        assert!(submitted.head.0 >= submitted.now.0);
        let pulled = line.pull(Version(0), 10).await.unwrap();
        assert!(pulled.records.iter().any(|record| record.name == protocol));
        assert!(pulled.members.contains(&format!("n1/{protocol}")));
        line.leave().await.unwrap();
        let pulled = line.pull(pulled.next, 10).await.unwrap();
        assert_eq!(pulled.records, []);
    }
}

#[tokio::test]
async fn forgotten_script_is_sent_again() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut line = RedisLine::connect(&server.url(), &hello("n1", "i1"), TIMEOUT)
        .await
        .unwrap();
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
    let mut line = RedisLine::connect(&server.url(), &hello("n1", "i1"), TIMEOUT)
        .await
        .unwrap();
    let mut rules = redis::cmd("ACL");
    rules
        .arg("SETUSER")
        .arg("default")
        .arg("-evalsha")
        .arg("-eval");
    rules.query::<()>(&mut connection).unwrap();
    let denied = line.pull(Version(0), 10).await;
    assert!(matches!(denied, Err(StoreError::Denied(_))), "{denied:?}");
    let missing = RedisLine::connect("redis+unix:///missing", &hello("n1", "i1"), TIMEOUT).await;
    assert!(
        matches!(missing, Err(StoreError::Disconnected(_))),
        "{missing:?}"
    );
}
