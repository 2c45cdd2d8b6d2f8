//! The rows of the table, their bounds, and the Markdown.

use crate::measure::Figures;
use crate::peers::{ALL, CallLoop, Kind, Load, Rule};
use crate::work::FAILS;
use std::process::Command;

pub struct Row {
    pub case: &'static str,
    pub threads: usize,
    pub refused: bool,
    pub loops: Vec<(&'static str, CallLoop)>,
    bound: Bound,
}

/// The most that breakerbox may take.
#[derive(Clone, Copy)]
enum Bound {
    /// A share of the fastest peer; on two threads a multiple of the time on one.
    Scales(f64, f64),
    /// Shares of the fastest peer, on one and on two threads.
    Fastest(f64, f64),
    /// A share of one peer.
    Peer(&'static str, f64),
    /// Nanoseconds more than the reference, on one and on two threads.
    Over(f64, f64),
}

#[rustfmt::skip]
const CASES: [(&str, Kind, Rule, Bound); 21] = {
    use Bound::{Fastest, Over, Peer, Scales};
    use Kind::{Async, AsyncCircuit, Circuit, OneName, Permit, Service, Sync, ThousandNames};
    use Rule::{Calls, Consecutive, Time};
    const HEALTHY: Bound = Scales(1.0 / 3.0, 1.5);
    const REFUSED: Bound = Fastest(2.0 / 3.0, 0.5);
    const OTHER: Bound = Fastest(1.1, 0.5);
    [
        ("healthy, sync", Sync, Consecutive, HEALTHY),
        ("healthy, async", Async, Consecutive, HEALTHY),
        ("refused, sync", Sync, Consecutive, REFUSED),
        ("refused, async", Async, Consecutive, REFUSED),
        ("one in ten fails, sync", Sync, Consecutive, OTHER),
        ("one in ten fails, async", Async, Consecutive, OTHER),
        ("window of calls, sync", Sync, Calls, OTHER),
        ("window of calls, async", Async, Calls, OTHER),
        ("window of calls, one in ten fails, sync", Sync, Calls, OTHER),
        ("window of calls, one in ten fails, async", Async, Calls, OTHER),
        ("window of time, sync", Sync, Time, OTHER),
        ("window of time, async", Async, Time, OTHER),
        ("window of time, one in ten fails, sync", Sync, Time, OTHER),
        ("window of time, one in ten fails, async", Async, Time, OTHER),
        ("permit, matched by `if let`", Permit, Consecutive, Fastest(1.4, 0.5)),
        ("refused permit", Permit, Consecutive, REFUSED),
        ("by name, one name", OneName, Consecutive, Over(25.0, 50.0)),
        ("by name, a thousand names", ThousandNames, Consecutive, Over(40.0, 80.0)),
        ("#[circuit], sync", Circuit, Consecutive, Over(3.0, 3.0)),
        ("#[circuit], async", AsyncCircuit, Consecutive, Over(3.0, 3.0)),
        ("tower service", Service, Consecutive, Peer("tower-resilience-circuitbreaker", 0.1)),
    ]
};

/// Returns the cases whose names contain a text, on one and on two threads, with new breakers.
pub fn rows(filter: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for (case, kind, rule, bound) in CASES.into_iter().filter(|case| case.0.contains(filter)) {
        let (refused, failing) = (case.starts_with("refused"), case.contains("fails"));
        for threads in [1, 2] {
            let mut loops = Vec::new();
            for (column, build) in ALL {
                for (of, calls) in build(Load { rule, failing }) {
                    // The loops of a crate share a breaker, and a permit never fails.
                    if refused && matches!(of, Kind::Sync | Kind::Async) {
                        (0..20).for_each(|_| _ = calls()(FAILS..FAILS + 1));
                    }
                    if of == kind {
                        loops.push((column, calls));
                    }
                }
            }
            rows.push(Row {
                case,
                threads,
                refused,
                loops,
                bound,
            });
        }
    }
    assert!(!rows.is_empty(), "no case contains {filter:?}");
    rows
}

/// Prints the machine, the table, and how steady the machine was.
pub fn print(rows: &[Row], figures: &Figures) {
    const MACHINE: &str = "echo $(date -u +%F), $(nproc) processors of \
        $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(uname -sr), $(rustc --version)";
    let machine = Command::new("sh").args(["-c", MACHINE]).output();
    let machine = machine.expect("a shell").stdout;
    println!("Measured on {}", String::from_utf8_lossy(&machine));
    let titles = ALL.map(|(column, _)| format!("{column} {}", version(column)));
    let titles = titles.join("| ");
    println!("| ns per call | threads | {titles}| bound for breakerbox |");
    println!("|---|---|{}---|", "---|".repeat(ALL.len()));
    for row in rows {
        let (case, threads) = (row.case, row.threads);
        let cells = ALL.map(|(column, _)| ns(figures, row, threads, column));
        let cells = cells
            .map(|cell| cell.map_or("—".to_owned(), number))
            .join(" | ");
        let bound = verdict(figures, row).unwrap_or("—".to_owned());
        println!("| {case} | {threads} | {cells} | {bound} |");
    }
    println!("\nReference: a bare call; for `#[circuit]`, a function with a hand-written guard.");
    let single = figures
        .iter()
        .filter(|(key, _)| (key.1, key.2) == (1, "breakerbox"));
    let spread =
        single.map(|(_, rounds)| (quartile(rounds, 3) - quartile(rounds, 1)) / quartile(rounds, 2));
    let worst = 100.0 * spread.fold(0.0, f64::max);
    println!("On one thread, half of the rounds lie within {worst:.0} % in the worst case.");
}

/// Returns the bound in nanoseconds, its formula, and whether it is met.
fn verdict(figures: &Figures, row: &Row) -> Option<String> {
    let pick = |one, two| if row.threads == 1 { one } else { two };
    let peers = ALL[2..].iter();
    let peers = peers.filter_map(|(peer, _)| Some((*peer, ns(figures, row, row.threads, peer)?)));
    let fastest = peers
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(peer, _)| peer);
    let (share, column, threads, more) = match row.bound {
        Bound::Scales(_, factor) if row.threads == 2 => (factor, "breakerbox", 1, 0.0),
        Bound::Scales(one, two) | Bound::Fastest(one, two) => {
            (pick(one, two), fastest?, row.threads, 0.0)
        }
        Bound::Peer(peer, share) => (share, peer, row.threads, 0.0),
        Bound::Over(one, two) => (1.0, "reference", row.threads, pick(one, two)),
    };
    let most = share * ns(figures, row, threads, column)? + more;
    let formula = match row.bound {
        Bound::Over(..) => format!("{column} + {more}"),
        _ if threads < row.threads => format!("{share:.2} × {column} on one thread"),
        _ => format!("{share:.2} × {column}"),
    };
    let own = ns(figures, row, row.threads, "breakerbox")?;
    let verdict = if own <= most { "met" } else { "**missed**" };
    Some(format!("≤ {} ({formula}): {verdict}", number(most)))
}

fn ns(figures: &Figures, row: &Row, threads: usize, column: &'static str) -> Option<f64> {
    let rounds = figures.get(&(row.case, threads, column))?;
    Some(quartile(rounds, 2))
}

fn quartile(rounds: &[f64], number: usize) -> f64 {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(f64::total_cmp);
    rounds[(rounds.len() - 1) * number / 4]
}

fn number(ns: f64) -> String {
    let digits = usize::from(ns < 99.95);
    format!("{ns:.digits$}")
}

/// The version of a package in the lock file.
fn version(package: &str) -> &'static str {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let rest = include_str!("../Cargo.lock").split(&entry).nth(1);
    rest.and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
}
