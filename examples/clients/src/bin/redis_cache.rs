//! A cache in front of a database. While the cache is down, the database answers, and no call waits
//! for the cache.
//!
//! A real redis-server is killed and started again, and the database is a file. Without a
//! redis-server on the PATH, the program exits with status 2.
//!
//! ```text
//! cargo run --manifest-path examples/clients/Cargo.toml --bin redis_cache
//! ```

use anyhow::ensure;
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox_clients::{NotInstalled, RedisServer, print_state_change};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use std::process::ExitCode;
use std::time::Duration;

struct Cache;

impl Preset for Cache {
    const FAILURE_THRESHOLD: u32 = 3;
    const RECOVERY_TIMEOUT: Duration = Duration::from_secs(2);

    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        builder
            .expected_error_if(is_outage)
            // A `ConnectionManager` reconnects after a command has found the connection dead. That
            // command fails even if the server is back, so a single failed trial proves nothing.
            .half_open_calls(2)
            .success_threshold(1)
    }
}

/// Returns whether the server is unavailable. A wrong type, a failing script or a missing
/// permission is an answer.
fn is_outage(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown};
    matches!(
        error.kind(),
        ErrorKind::Io | ErrorKind::Server(BusyLoading | ClusterDown | MasterDown)
    )
}

#[derive(Debug, PartialEq)]
enum Source {
    Cache,
    Database,
}

struct Prices {
    cache: ConnectionManager,
    database: SqlitePool,
    registry: BreakerRegistry,
}

impl Prices {
    async fn price(&self, item: i64) -> anyhow::Result<(i64, Source)> {
        // A refused call of the cache is a miss, and so is a failed one.
        let cached = self
            .read_cache(item)
            .with_breaker(&self.registry, "cache")
            .fallback(|_open| async { Ok(None) })
            .await;
        if let Ok(Some(price)) = cached {
            return Ok((price, Source::Cache));
        }
        // During an outage of the cache, every call reaches the database. The size of the pool and
        // a separate circuit protect the database.
        let price = self
            .read_database(item)
            .with_breaker(&self.registry, "database")
            .flatten_err()
            .await?;
        // A price that cannot be cached is still valid.
        let _ = self
            .write_cache(item, price)
            .with_breaker(&self.registry, "cache")
            .await;
        Ok((price, Source::Database))
    }

    async fn read_cache(&self, item: i64) -> RedisResult<Option<i64>> {
        self.cache.clone().get(key(item)).await
    }

    async fn write_cache(&self, item: i64, price: i64) -> RedisResult<()> {
        self.cache.clone().set_ex(key(item), price, 60).await
    }

    async fn read_database(&self, item: i64) -> anyhow::Result<i64> {
        let price = sqlx::query_scalar("SELECT price FROM prices WHERE item = ?")
            .bind(item)
            .fetch_one(&self.database)
            .await?;
        Ok(price)
    }
}

fn key(item: i64) -> String {
    format!("price:{item}")
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    match run().await {
        Err(error) if error.is::<NotInstalled>() => {
            eprintln!("{error}");
            Ok(ExitCode::from(2))
        }
        result => result.map(|()| ExitCode::SUCCESS),
    }
}

async fn run() -> anyhow::Result<()> {
    let mut server = RedisServer::new()?;
    server.start().await?;
    let folder = tempfile::tempdir()?;
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .preset_for("cache", Cache::preset())
        .clock(clock.clone())
        .on_change(print_state_change)
        .build()?;
    let prices = Prices {
        cache: connect(&server).await?,
        database: open(folder.path().join("prices.db")).await?,
        registry,
    };
    let cache = prices.registry.breaker("cache");
    let database = prices.registry.breaker("database");
    let queries = || database.snapshot().totals.success.unwrap_or_default();

    println!("the cache is up");
    ensure!(prices.price(7).await? == (90, Source::Database));
    for _ in 0..10 {
        ensure!(prices.price(7).await? == (90, Source::Cache));
    }
    ensure!(queries() == 1, "the cache should have answered");

    println!("redis-server is killed");
    server.kill().await?;
    for _ in 0..10 {
        ensure!(prices.price(7).await? == (90, Source::Database));
    }
    let totals = cache.snapshot().totals;
    println!("    ten prices, from the database; cache: {totals}");
    ensure!(cache.state() == State::Open);
    ensure!(totals.failure == u64::from(Cache::FAILURE_THRESHOLD));
    // Each price calls the cache twice: to read the price, and to store it.
    ensure!(totals.failure + totals.refused == 20);
    ensure!(queries() == 11);

    println!("redis-server is started again, empty, and the recovery timeout elapses");
    server.start().await?;
    clock.advance(Cache::RECOVERY_TIMEOUT);
    ensure!(prices.price(7).await? == (90, Source::Database));
    ensure!(cache.state() == State::Closed);
    for _ in 0..10 {
        ensure!(prices.price(7).await? == (90, Source::Cache));
    }
    ensure!(queries() == 12);
    ensure!(database.snapshot().totals.failure == 0);
    println!("every price was answered, outage or not");

    prices.database.close().await;
    server.kill().await?;
    Ok(())
}

async fn connect(server: &RedisServer) -> RedisResult<ConnectionManager> {
    // No retries here, because they would hide failures from the circuit.
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(Duration::from_secs(2)))
        .set_response_timeout(Some(Duration::from_secs(2)));
    ConnectionManager::new_with_config(redis::Client::open(server.url())?, config).await
}

async fn open(file: std::path::PathBuf) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await?;
    sqlx::raw_sql(
        "CREATE TABLE prices (item INTEGER, price INTEGER); INSERT INTO prices VALUES (7, 90)",
    )
    .execute(&pool)
    .await?;
    Ok(pool)
}
