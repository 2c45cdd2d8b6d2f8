//! Measures breakerbox and other circuit breakers in one run, and prints a Markdown table.
//!
//! ```sh
//! cargo run --release                     # about two minutes
//! cargo run --release -- quick            # few and short rounds, for a first look
//! cargo run --release -- quick refused    # only the cases whose names contain "refused"
//! ```
//!
//! Method:
//!
//! * Every crate makes a sample of calls in every round. The samples of a case follow each other in
//!   random order, so a disturbance of the machine affects all crates. A figure is the median of the
//!   rounds.
//! * The guarded work is one integer that passes `black_box`, as a function or as a future that is
//!   ready at once. Futures are created and awaited inside one `async` block, as in application code.
//! * Two threads have a processor each, and call until both have made their calls. A sample counts
//!   only if they overlapped for more than nine tenths of its time.
//! * The settings are as equal as the crates allow: five consecutive failures, half of the last 100
//!   calls or half of the last minute's calls, and an open time longer than the run. A crate that
//!   lacks the rule is left out. The file of each crate in `peers/` names its nearest equivalent.
//! * Before and after the run, each breaker must be in the state that its case claims.

mod measure;
mod peers;
mod table;
mod work;

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.first().is_some_and(|first| first == "quick");
    let filter = arguments.split_off(usize::from(quick)).join(" ");
    // A thread that panicked would leave the other thread of its sample waiting.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("\n{panic}");
        std::process::exit(101);
    }));

    let _inside = work::RUNTIME.enter();
    let rows = table::rows(&filter);
    let (rounds, nanoseconds) = if quick { (5, 1e6) } else { (31, 4e6) };
    let figures = measure::run(&rows, rounds, nanoseconds);
    table::print(&rows, &figures);
}
