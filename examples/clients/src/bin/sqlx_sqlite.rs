//! A database whose circuit distinguishes outages from answers: a duplicate row is an answer, and a
//! locked database is an outage.
//!
//! A real database file is locked by another connection for a while.
//!
//! ```text
//! cargo run --manifest-path examples/clients/Cargo.toml --bin sqlx_sqlite
//! ```

use anyhow::ensure;
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox_clients::print_state_change;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection};
use std::time::Duration;

struct Database;

impl Preset for Database {
    const FAILURE_THRESHOLD: u32 = 3;
    const RECOVERY_TIMEOUT: Duration = Duration::from_secs(5);

    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        builder.expected_error_if(is_outage)
    }
}

/// Returns whether the database is unavailable. Every other error is an answer: the row was not
/// found, the row exists already, the statement is wrong.
fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        // `PoolTimedOut`: no connection was free in time. The database is slow, or the pool is too
        // small.
        sqlx::Error::PoolTimedOut
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            // SQLite codes: the lower byte is the error, and the upper bytes are the details. For
            // Postgres, use the classes 08, 53, 57 and 58.
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            code.is_some_and(|code| {
                [BUSY, LOCKED, IO_ERROR, FULL, CANNOT_OPEN].contains(&(code & 0xff))
            })
        }
        _ => false,
    }
}

const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const IO_ERROR: u32 = 10;
const FULL: u32 = 13;
const CANNOT_OPEN: u32 = 14;

struct Users {
    pool: SqlitePool,
    breaker: CircuitBreaker,
}

impl Users {
    async fn add(&self, name: &str) -> Result<(), BreakerError<sqlx::Error>> {
        sqlx::query("INSERT INTO users (name) VALUES (?)")
            .bind(name)
            .execute(&self.pool)
            .guarded_by(&self.breaker)
            .await?;
        Ok(())
    }

    async fn count(&self) -> Result<i64, BreakerError<sqlx::Error>> {
        sqlx::query_scalar("SELECT count(*) FROM users")
            .fetch_one(&self.pool)
            .guarded_by(&self.breaker)
            .await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .preset_for("sql:", Database::preset())
        .clock(clock.clone())
        .on_change(print_state_change)
        .build()?;

    let folder = tempfile::tempdir()?;
    let file = SqliteConnectOptions::new()
        .filename(folder.path().join("users.db"))
        .create_if_missing(true)
        .busy_timeout(Duration::from_millis(20));
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(file.clone())
        .await?;
    sqlx::query("CREATE TABLE users (name TEXT UNIQUE)")
        .execute(&pool)
        .await?;
    let users = Users {
        pool,
        breaker: registry.breaker("sql:users"),
    };

    println!("ten inserts of a duplicate name");
    users.add("alice").await?;
    for _ in 0..10 {
        let error = users.add("alice").await.unwrap_err();
        let error = error
            .into_inner()
            .and_then(sqlx::Error::into_database_error);
        ensure!(error.is_some_and(|error| error.is_unique_violation()));
    }
    println!(
        "    {} failures: a duplicate row is an answer",
        users.breaker.failure_count()
    );
    ensure!(users.breaker.failure_count() == 0);
    ensure!(users.breaker.state() == State::Closed);

    println!("another connection locks the file");
    let mut other = file.connect().await?;
    let lock = other.begin_with("BEGIN EXCLUSIVE").await?;
    for _ in 0..Database::FAILURE_THRESHOLD {
        let error = users.add("bob").await.unwrap_err();
        println!("    {error}");
        ensure!(error.inner().is_some_and(is_outage));
    }
    for _ in 0..10 {
        let error = users.count().await.unwrap_err();
        ensure!(
            error.is_open(),
            "the circuit should be open, for all queries"
        );
    }

    println!("a trial fails, because the lock is still held");
    clock.advance(Database::RECOVERY_TIMEOUT);
    ensure!(users.add("bob").await.is_err_and(|error| !error.is_open()));
    ensure!(users.breaker.state() == State::Open);

    println!("the lock is released, and the recovery timeout elapses");
    lock.rollback().await?;
    clock.advance(Database::RECOVERY_TIMEOUT);
    users.add("bob").await?;
    ensure!(users.breaker.state() == State::Closed);
    ensure!(users.count().await? == 2);

    let totals = users.breaker.snapshot().totals;
    println!("{totals}");
    ensure!((totals.failure, totals.refused) == (4, 10));
    println!("only the lock counted as a failure");

    other.close().await?;
    users.pool.close().await;
    Ok(())
}
