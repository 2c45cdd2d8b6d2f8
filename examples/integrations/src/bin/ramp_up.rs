//! Shows what happens when a server returns cold from an outage: without a breaker, with one, and with
//! ramp-ups of 10, 30 and 60 seconds.
//!
//! The breaker is real; time and server are simulated, and the arrivals are seeded. The server
//! answers 100 calls per second once it is warm, and gets 80 per second. It hangs for a minute. When
//! it returns, its caches are empty: it has 40 % (or 20 %) of its capacity, and all of it after 3,000
//! answers. Clients give up after a second, but the server still works on their calls.
//!
//! ```sh
//! cargo run --release --package breakerbox-examples --bin ramp_up
//! ```

use breakerbox::{BreakerBuilder, CircuitBreaker, ConfigError};
use breakerbox_replay::{ClosedLoop, ClosedLoopFigures};
use std::time::Duration;

/// The number of answers that fill the caches.
const WARM: u32 = 3_000;
/// The number of runs, each with other arrivals. The tables show means.
const RUNS: u64 = 5;

fn main() -> Result<(), ConfigError> {
    let breaker = || CircuitBreaker::builder().recovery_timeout(Duration::from_secs(10));
    let ramp_up = |seconds| Some(breaker().ramp_up(Duration::from_secs(seconds)));
    let variants = [
        ("no breaker", None),
        ("breaker", Some(breaker())),
        ("ramp-up of 10 s", ramp_up(10)),
        ("ramp-up of 30 s", ramp_up(30)),
        ("ramp-up of 60 s", ramp_up(60)),
    ];
    for cold in [0.4, 0.2] {
        println!("cold capacity {:.0} %", 100.0 * cold);
        println!(
            "{:<16}  {:>8}  {:>8}  {:>8}  {:>18}",
            "", "failed", "refused", "opened", "99 % good after"
        );
        for (name, settings) in &variants {
            let runs = (1..=RUNS).map(|seed| run(settings.clone(), cold, seed));
            let runs = runs.collect::<Result<Vec<_>, _>>()?;
            let mean = |of: fn(&ClosedLoopFigures) -> u64| runs.iter().map(of).sum::<u64>() / RUNS;
            println!(
                "{name:<16}  {:>8}  {:>8}  {:>8}  {:>16} s",
                mean(|figures| figures.failed),
                mean(|figures| figures.refused),
                mean(|figures| figures.opened),
                mean(|figures| figures.good_again_after.as_secs()),
            );
        }
        println!();
    }
    Ok(())
}

fn run(
    settings: Option<BreakerBuilder>,
    cold: f64,
    seed: u64,
) -> Result<ClosedLoopFigures, ConfigError> {
    let model = ClosedLoop::new().cold(cold, WARM).seeded(seed);
    match settings {
        Some(settings) => model.run(settings),
        None => Ok(model.run_without_breaker()),
    }
}
