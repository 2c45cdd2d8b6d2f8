//! Measures a fleet on a real Redis server, and runs random histories against it.
//!
//! ```text
//! breakerbox-fleet-figures propagation     from a trip and from a close to the last node
//! breakerbox-fleet-figures operations      processor time of the server, and transitions per second
//! breakerbox-fleet-figures memory          bytes per circuit, at the server and at a node
//! breakerbox-fleet-figures load [NODES…]   the load of whole fleets, with idle circuits
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
mod histories;
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
        ["load", ref sizes @ ..] => {
            let sizes: Vec<_> = sizes.iter().map(|size| count(size)).collect();
            load::print(&sizes);
        }
        ["histories", minutes, ref rest @ ..] => return run_histories(minutes, rest),
        _ => {
            eprintln!(
                "usage: propagation | operations | memory | load [NODES…] | histories MINUTES [NODES] [SEED] [MUTANT]"
            );
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run_histories(minutes: &str, rest: &[&str]) -> ExitCode {
    let nodes = rest.first().map_or(12, |nodes| count(nodes));
    let seed = rest
        .get(1)
        .map_or_else(|| u64::from(fastrand::u32(..)), |seed| number(seed));
    let broken = rest.get(2).map(|name| {
        let broken = histories::Broken::named(name);
        broken.unwrap_or_else(|| panic!("there is no fault {name:?}"))
    });
    if histories::print(number(minutes), nodes, seed, broken) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn count(text: &str) -> usize {
    usize::try_from(number(text)).expect("a small number")
}

fn number(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text:?} is not a number"))
}
