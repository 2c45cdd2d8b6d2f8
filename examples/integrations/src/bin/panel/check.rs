//! Looks at the panel as its page does, for the option `--check`.

use anyhow::{Context, ensure};
use breakerbox::BreakerRegistry;
use reqwest::Client;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;

/// Reads the rows until the outage of payments shows, and gives a command.
pub(crate) async fn check(registry: &BreakerRegistry, address: SocketAddr) -> anyhow::Result<()> {
    let client = Client::new();
    let base = format!("http://{address}");
    let page = client.get(&base).send().await?;
    let policy = page.headers()["content-security-policy"]
        .to_str()?
        .to_owned();
    ensure!(policy.starts_with("default-src 'none'"), "{policy}");
    ensure!(page.text().await?.contains("<main"), "no page");

    loop {
        let answer = client
            .get(format!("{base}/api/v1/breakers?state=open&q=pay"))
            .send();
        let view: Value = serde_json::from_str(&answer.await?.text().await?)?;
        ensure!(view["total"] == 6, "{view}");
        if let Some(row) = view["rows"].get(0) {
            let cause = row["cause"].as_str().context("no cause")?;
            ensure!(cause.contains("failure rate"), "{cause}");
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }

    let order = json!({
        "name": "reports", "command": "force_open", "reason": "maintenance", "instance": "example-1",
    });
    let answer = client
        .post(format!("{base}/api/v1/commands"))
        .header("content-type", "application/json")
        .header("x-breakerbox-panel", "1")
        .body(order.to_string());
    let answer = answer.send().await?;
    ensure!(answer.status() == 200, "{}", answer.text().await?);
    let cause = registry
        .breaker("reports")
        .snapshot()
        .cause
        .context("no cause")?;
    ensure!(
        cause.to_string() == "a command by local by panel: maintenance",
        "{cause}"
    );
    println!("the panel shows 6 breakers; payments opened");
    Ok(())
}
