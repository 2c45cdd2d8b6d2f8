//! Watches settings in a TOML file, and applies each edit to live breakers while traffic runs. An
//! invalid edit changes nothing.
//!
//! ```sh
//! cargo run --package breakerbox-examples --bin settings_reload
//! ```

mod dependency;
mod file;

use breakerbox::prelude::*;
use breakerbox::settings::{Applied, Settings};
use dependency::Dependency;
use file::WatchedFile;
use futures_util::StreamExt;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::timeout;

const SECOND: Duration = Duration::from_secs(1);

/// Parses and applies the text of the file. After an error, the previous settings stay in effect.
fn load(registry: &BreakerRegistry, text: &str) -> Result<Applied, Box<dyn Error>> {
    let settings: Settings = toml::from_str(text)?;
    Ok(registry.apply(&settings)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let registry = BreakerRegistry::new();
    let mut file = WatchedFile::create(
        r#"
        [breakers."users-api"]
        failure_threshold = 1_000_000
        [breakers.search]
        recovery_timeout = "5m"
        "#,
    )?;
    println!("{}\n", load(&registry, &file.read()?)?);

    let dependency = Dependency::start().await?;
    let traffic = Traffic::start(&registry, &dependency);
    let users = registry.breaker("users-api");
    let search = registry.breaker("search");
    search.trip();
    // Some failures, below the first threshold.
    dependency.set_failing(true);
    traffic
        .wait_for_increase(|| u64::from(users.failure_count()))
        .await?;
    let failures = users.failure_count();

    file.write(
        r#"
        [default]
        recovery_timeout = "10s"
        [breakers."users-api"]
        failure_threshold = 3
        [breakers.search]
        recovery_timeout = "1h"
        "#,
    )?;
    let mut events = registry.subscribe_changes();
    let applied = loop {
        // One edit may cause several events, and the first event may precede the change.
        let applied = load(&registry, &file.edited().await?)?;
        if !applied.is_empty() {
            break applied;
        }
    };
    println!("edited, after {failures} failures:\n{applied}\n");
    let left = search.open_remaining().ok_or("the open circuit closed")?;
    check(left <= 300 * SECOND, "the running deadline was moved")?;
    check(users.failure_count() >= failures, "the failures were lost")?;

    // There are more than three consecutive failures already, so the next failure opens the
    // circuit.
    let opens = async {
        loop {
            match events.next().await {
                Some(Event::StateChanged {
                    breaker,
                    to: State::Open,
                    ..
                }) => break Some(breaker),
                Some(_) => {}
                None => break None,
            }
        }
    };
    let opened = timeout(10 * SECOND, opens).await?;
    check(
        opened.as_deref() == Some("users-api"),
        "the new threshold does not apply",
    )?;
    println!("{}\n", users.snapshot());

    file.write("[breakers.\"users-api\"]\nrecovery_timeout = \"1y\"\n")?;
    let refusal = loop {
        if let Err(refusal) = load(&registry, &file.edited().await?) {
            break refusal.to_string();
        }
    };
    println!("refused: {refusal}");
    check(
        refusal.contains("recovery_timeout is \"1y\""),
        "the message does not name the key and the value",
    )?;
    let rules = users.config().trip_rules().to_vec();
    check(
        rules == [TripRule::consecutive_failures(3)],
        "the old settings were lost",
    )?;
    check(users.state() == State::Open, "the circuit closed")?;
    let calls = traffic.stop().await?;
    println!("{calls} calls ran; the invalid edit changed no settings");
    Ok(())
}

fn check(condition: bool, message: &'static str) -> Result<(), Box<dyn Error>> {
    if condition {
        Ok(())
    } else {
        Err(message.into())
    }
}

/// Four clients that call until they are stopped.
struct Traffic {
    calls: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Traffic {
    fn start(registry: &BreakerRegistry, dependency: &Dependency) -> Self {
        let calls = Arc::new(AtomicU64::new(0));
        let stopped = Arc::new(AtomicBool::new(false));
        let clients = (0..4).map(|_| {
            let (registry, dependency) = (registry.clone(), dependency.clone());
            let (calls, stopped) = (calls.clone(), stopped.clone());
            tokio::spawn(async move {
                while !stopped.load(Ordering::Relaxed) {
                    let _ = dependency.call().with_breaker(&registry, "users-api").await;
                    calls.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        });
        let clients = clients.collect();
        Self {
            calls,
            stopped,
            clients,
        }
    }

    async fn wait_for_increase(&self, value: impl Fn() -> u64) -> Result<(), Box<dyn Error>> {
        let before = value();
        let increased = async {
            while value() <= before + 10 {
                tokio::task::yield_now().await;
            }
        };
        Ok(timeout(10 * SECOND, increased).await?)
    }

    async fn stop(self) -> Result<u64, Box<dyn Error>> {
        self.stopped.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await?;
        }
        Ok(self.calls.load(Ordering::Relaxed))
    }
}
