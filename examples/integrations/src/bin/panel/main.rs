//! A service with six dependencies, some of which fail in turns, and its panel in a browser.
//!
//! ```text
//! cargo run --package breakerbox-examples --bin panel              # until ctrl-c
//! cargo run --package breakerbox-examples --bin panel -- --check   # looks at its own panel, and ends
//! ```
//!
//! Open the address that the program prints. Commands are allowed, because only users of this machine
//! reach the panel.

mod check;
mod traffic;

use breakerbox::prelude::*;
use breakerbox_panel::{Controls, Panel, Shown, serve_on};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use traffic::dependencies;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let checks = std::env::args().any(|argument| argument == "--check");
    // An outage lasts as long as it takes to look at it.
    let pace = Duration::from_millis(if checks { 100 } else { 10_000 });
    let registry = BreakerRegistry::new();
    let mut traffic = JoinSet::new();
    for dependency in dependencies(pace) {
        registry.register(dependency.name, dependency.settings.clone())?;
        let breaker = registry.breaker(dependency.name);
        traffic.spawn(dependency.run(breaker, pace));
    }

    let port = if checks { 0 } else { 9_000 };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let all = Controls::TRIP | Controls::HALF_OPEN | Controls::RESET | Controls::FORCE_OPEN;
    let server = Panel::builder()
        .instance("example-1")
        .essential(["payments"])
        // The errors of this program contain no secrets.
        .last_failure(Shown::ToReaders)
        .server(&registry)
        .local_controls(all | Controls::DISABLE | Controls::WATCH);
    if checks {
        let panel = tokio::spawn(serve_on(listener, server));
        check::check(&registry, address).await?;
        panel.abort();
        return Ok(());
    }
    println!("the panel is at http://{address}/, until ctrl-c");
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    serve_on(listener, server.shutdown(stop)).await?;
    Ok(())
}
