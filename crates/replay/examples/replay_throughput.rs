//! Measures how many calls per second a replay makes on one core, from memory, for each preset.
//!
//! The traffic has an outage every ten minutes, in which half of the calls fail. On Linux, the time is
//! that of the processor, so that other programs do not change the figures.
//!
//! ```sh
//! cargo run --release --package breakerbox-replay --example replay_throughput
//! ```

use breakerbox::presets::{Balanced, FailFast, RareCalls};
use breakerbox::{CircuitBreaker, ConfigError, Preset};
use breakerbox_replay::{Call, Candidate, Replay, Scenario, Survey};
use std::time::{Duration, Instant};

const HOURS: u64 = 2;

fn traffic(latency: Duration) -> Vec<Call> {
    let mut scenario = Scenario::steady(500.0).latency(latency);
    for start in (300..HOURS * 3_600).step_by(600) {
        scenario = scenario.outage(start..start + 60, 0.5);
    }
    scenario.lasting(HOURS * 3_600).calls().collect()
}

/// Returns the time for which this thread has run, or else the time since `start`.
fn now(start: Instant) -> Duration {
    let used = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = used.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

#[allow(clippy::cast_precision_loss)] // millions of calls
fn main() -> Result<(), ConfigError> {
    let start = Instant::now();
    let presets = [
        ("default", CircuitBreaker::builder()),
        ("Balanced", Balanced::preset()),
        ("RareCalls", RareCalls::preset()),
        ("FailFast", FailFast::preset()),
    ];
    println!(
        "{:<12} {:>8} {:>24} {:>24}",
        "", "latency", "one preset", "20 shifts, each"
    );
    for latency in [Duration::ZERO, Duration::from_millis(20)] {
        let calls = traffic(latency);
        let survey = Survey::of(&calls);
        for (name, settings) in &presets {
            let speed = |shifts| {
                let replay = Replay::new(&survey).threads(1).shifts(shifts);
                let replay = replay.candidate(Candidate::new(*name, settings.clone())?);
                let begin = now(start);
                let replayed = replay.run(&calls);
                let seconds = now(start).saturating_sub(begin).as_secs_f64() / f64::from(shifts);
                Ok::<_, ConfigError>(replayed.calls as f64 / seconds / 1e6)
            };
            let (one, each) = (speed(1)?, speed(20)?);
            println!("{name:<12} {latency:>8.0?} {one:>16.1} M calls/s {each:>16.1} M calls/s");
        }
    }
    Ok(())
}
