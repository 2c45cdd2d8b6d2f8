//! Shares a circuit between three processes through Redis: opens everywhere, tries once, and survives
//! the end of the server.
//!
//! The program starts a redis-server, a dependency that can be told to fail, and itself three times as
//! the processes of a service. Each process calls the dependency through a shared circuit and, for
//! comparison, through one that is not shared. Redis is killed in the middle of an outage and started
//! again, without its data. The program prints each transition of the shared circuit, and exits with an
//! error if a promise of the fleet is not kept. A run takes about half a minute.
//!
//! Without a redis-server on the PATH, the program exits with status 2.
//!
//! ```sh
//! cargo run --package breakerbox-examples --bin fleet
//! ```

mod dependency;
mod message;
mod process;
mod redis;
mod scenario;
mod service;
mod traffic;

use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Builder;

/// The arguments with which the program starts itself in another role.
const PROCESS: &str = "process";
const REDIS_GUARD: &str = "redis-guard";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        [] if !redis::is_installed() => {
            eprintln!("{}", redis::NOT_INSTALLED);
            return Ok(ExitCode::from(2));
        }
        [] => run(Builder::new_multi_thread(), scenario::run())?,
        [PROCESS, dependency, redis, pause] => {
            let pause = Duration::from_millis(pause.parse()?);
            let service = service::run(dependency, redis, pause);
            run(Builder::new_current_thread(), service)?;
        }
        [REDIS_GUARD] => redis::guard()?,
        _ => anyhow::bail!("the example takes no arguments"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the future on a runtime of this kind.
fn run(
    mut builder: Builder,
    future: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let runtime = builder.enable_all().build()?;
    let result = runtime.block_on(future);
    // A read of the standard input cannot be cancelled, so it must not be waited for.
    runtime.shutdown_background();
    result
}
