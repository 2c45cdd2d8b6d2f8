//! Measures a fleet on a real Redis server, and runs random histories against it.
//!
//! ```text
//! breakerbox-fleet-figures propagation     from a trip and from a close to the last node
//! breakerbox-fleet-figures operations      processor time of the server, and transitions per second
//! breakerbox-fleet-figures memory          bytes per circuit, at the server and at a node
//! breakerbox-fleet-figures load            the load of whole fleets, with idle circuits
//! breakerbox-fleet-figures histories MINUTES [NODES] [SEED] [MUTANT]
//! ```
//!
//! Each command starts its own `redis-server`, which must be on the `PATH`, and prints a table in Markdown.
//! Nothing here is part of a test: times depend on the machine.
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are printed with three digits"
)]

mod client;
mod figures;
mod load;
mod memory;
mod nodes;
mod operations;
mod propagation;
#[path = "../../../crates/redis/tests/common/server.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod server;
mod subscribers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["propagation"] => propagation::print(),
        ["operations"] => operations::print(),
        ["memory"] => memory::print(),
        ["load"] => load::print(),
        _ => {
            eprintln!(
                "usage: propagation | operations | memory | load | histories MINUTES [NODES] [SEED] [MUTANT]"
            );
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
