//! Measures breakerbox and other circuit breakers in one run, and prints a Markdown table.
//!
//! After the table, the program prints whether each bound on breakerbox holds. A missed bound does
//! not change the exit status.
//!
//! ```sh
//! cargo run --release                     # about two minutes
//! cargo run --release -- quick            # few, short samples for a first impression
//! cargo run --release -- quick refused    # only cases whose names contain "refused"
//! ```
//!
//! Method:
//!
//! * Each case is measured in rounds. In each round, every crate makes one sample of calls, in
//!   random order, so that disturbances affect all crates equally. The result is the median of all
//!   rounds.
//! * The guarded work passes one integer through `black_box`, as a function or as a future that is
//!   ready immediately. Futures are created and awaited inside one `async` block, as in application
//!   code.
//! * Two threads run on separate processors. They start and stop at the same time.
//! * All crates have the same settings as far as possible: five consecutive failures, half of the
//!   last 100 calls, or half of the calls of the last minute, and an open time longer than the run.
//!   A crate without a matching rule is left out. `peers.rs` describes the closest settings of each
//!   crate.
//! * The state of each breaker is checked before and after the rounds.

mod breakerbox;
mod case;
mod loops;
mod measure;
mod peers;

use case::{CASES, COLUMNS};
use measure::Row;
use std::process::Command;
use std::time::Duration;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.first().is_some_and(|first| first == "quick");
    let filter = arguments.split_off(usize::from(quick)).join(" ");
    let (rounds, milliseconds) = if quick { (5, 1) } else { (31, 4) };

    print_head();
    let mut rows = Vec::new();
    for case in CASES.iter().filter(|case| case.name.contains(&filter)) {
        let measured = measure::rows(case, rounds, Duration::from_millis(milliseconds));
        measured.iter().for_each(print_row);
        rows.extend(measured);
    }
    println!("\nReference: a bare call; for `#[circuit]`, a function with a hand-written guard.\n");
    for verdict in rows.iter().filter_map(|row| row.verdict(&rows)) {
        println!("{verdict}");
    }
}

fn print_head() {
    const MACHINE: &str = "echo $(date -u +%F), $(nproc) processors of \
        $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(uname -sr), $(rustc --version)";
    let machine = Command::new("sh").args(["-c", MACHINE]).output();
    let machine = machine.expect("a shell").stdout;
    println!("Measured on {}", String::from_utf8_lossy(&machine));
    let titles = COLUMNS.map(|(column, _)| format!("{column}{}", version(column)));
    println!("| ns per call | threads | {} |", titles.join(" | "));
    println!("|---|---|{}", "---|".repeat(COLUMNS.len()));
}

fn print_row(row: &Row) {
    let cells: [String; COLUMNS.len()] = std::array::from_fn(|column| match row.median(column) {
        None => "—".into(),
        Some(ns) => format!("{ns:.*}", usize::from(ns < 99.95)),
    });
    let (name, threads) = (row.case.name, row.threads);
    println!("| {name} | {threads} | {} |", cells.join(" | "));
}

/// Returns a space and the version of `package` in the lock file, or nothing if the package is not
/// in it.
fn version(package: &str) -> String {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let rest = include_str!("../Cargo.lock").split(&entry).nth(1);
    let version = rest.and_then(|rest| rest.split('"').next());
    version.map_or(String::new(), |version| format!(" {version}"))
}
