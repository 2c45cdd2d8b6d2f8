//! Uses ten million names, each with one failing call, in a registry of ten thousand breakers.
//!
//! Memory stays flat, each name takes about a microsecond, and an open breaker is not evicted.
//!
//! ```sh
//! cargo run --release --example many_names -- 10000000
//! ```

use breakerbox::prelude::*;
use std::error::Error;
use std::fmt::Write;
use std::time::{Duration, Instant};

const CAPACITY: usize = 10_000;
const MAX_GROWTH: usize = 8 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let count: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(10_000_000), |count| count.parse())?;
    let registry = BreakerRegistry::builder().capacity(CAPACITY).build()?;
    registry
        .breaker("open")
        .trip_for(Duration::from_secs(24 * 3_600));

    // Memory may grow until the registry is full and the allocator has settled.
    let warm_up = (5 * CAPACITY as u64).min(count);
    flood(&registry, 0..warm_up);
    let baseline = resident();

    println!(
        "{:>12}  {:>10}  {:>10}  {:>8}",
        "names", "resident", "per name", "kept"
    );
    let (mut from, mut peak) = (warm_up, baseline);
    let step = ((count - warm_up) / 10).max(1);
    while from < count {
        let to = (from + step).min(count);
        let begun = Instant::now();
        flood(&registry, from..to);
        let nanos = begun.elapsed().as_nanos() / u128::from(to - from);
        let now = resident();
        peak = peak.max(now);
        let mebibytes = now.map_or("?".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        println!(
            "{to:>12}  {mebibytes:>10}  {nanos:>7} ns  {:>8}",
            registry.len()
        );
        from = to;
    }

    let stays_open = registry
        .get("open")
        .is_some_and(|breaker| breaker.state() == State::Open);
    if !stays_open {
        return Err("the open breaker was evicted".into());
    }
    if let (Some(baseline), Some(peak)) = (baseline, peak) {
        let growth = peak.saturating_sub(baseline);
        println!(
            "\ngrew by {} KiB; the open breaker is still there",
            growth >> 10
        );
        if growth > MAX_GROWTH {
            return Err("memory was not flat".into());
        }
    }
    Ok(())
}

/// Makes one failing call for each name.
fn flood(registry: &BreakerRegistry, names: std::ops::Range<u64>) {
    let mut name = String::new();
    for n in names {
        name.clear();
        let _ = write!(name, "tenant:{n}");
        let _ = (|| Err::<(), _>("down"))
            .with_breaker(registry, &name)
            .call();
    }
}

/// Returns the resident memory in bytes, on systems that report it.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
