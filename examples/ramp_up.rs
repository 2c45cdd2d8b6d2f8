//! Simulates a server that returns cold from an outage: without a breaker, with one, and with
//! ramp-ups of 10, 30 and 60 seconds.
//!
//! The breaker is real; time and server are simulated, and the arrivals are seeded. The server
//! answers 100 calls per second once it is warm, and gets 80 per second. It hangs for a minute. When
//! it returns, its caches are empty: it has 40 % (or 20 %) of its capacity, and all of it after 3,000
//! answers. Clients give up after a second, but the server still works on their calls.
//!
//! ```sh
//! cargo run --release --example ramp_up
//! ```

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{ConfigError, Event};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(1);
const END: Duration = Duration::from_secs(600);
const DOWN: Duration = Duration::from_secs(60);
const BACK: Duration = Duration::from_secs(120);
/// The number of answers that fill the caches.
const WARM: f64 = 3_000.0;
const PATIENCE: Duration = Duration::from_secs(1);
const CAPACITY: f64 = 100.0;
const OFFERED: f64 = 80.0;
/// The length of the intervals whose share of good calls is measured.
const INTERVAL: Duration = Duration::from_secs(1);
/// The number of runs, each with other arrivals. The tables show means.
const RUNS: u32 = 5;

/// A call that was sent to the server. The permit is gone once its client has given up.
struct Call {
    sent: Duration,
    permit: Option<Permit>,
    is_waiting: bool,
}

#[derive(Default)]
struct Results {
    failed: u32,
    opened: u32,
    refused: u32,
    /// The calls and the good calls of each interval, by the time of arrival.
    intervals: Vec<(u32, u32)>,
}

impl Results {
    /// Returns the seconds from the return of the server until at least 99 % of the calls are good.
    fn good_again_after(&self) -> u32 {
        let is_bad = |(calls, good): &(u32, u32)| f64::from(*good) < 0.99 * f64::from(*calls);
        let last_bad = self.intervals.iter().rposition(is_bad).unwrap_or(0);
        let end = INTERVAL * u32::try_from(last_bad + 1).unwrap_or(u32::MAX);
        u32::try_from(end.saturating_sub(BACK).as_secs()).unwrap_or(u32::MAX)
    }
}

/// A seeded generator of random numbers: splitmix64.
struct Random(u64);

impl Random {
    /// Returns a number from 0 to 1, exclusive.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0)) / 2_f64.powi(32)
    }
}

/// Returns the calls per second that the server answers, after `answered` calls since its return.
fn capacity(now: Duration, cold: f64, answered: f64) -> f64 {
    match now {
        _ if now < DOWN => CAPACITY,
        _ if now < BACK => 0.0,
        _ => CAPACITY * (cold + (1.0 - cold) * (answered / WARM).min(1.0)),
    }
}

fn simulate(
    settings: Option<BreakerBuilder>,
    cold: f64,
    seed: u32,
) -> Result<Results, ConfigError> {
    let clock = ManualClock::new();
    let opened = Arc::new(AtomicU32::new(0));
    let count = opened.clone();
    let observed = |builder: BreakerBuilder| {
        let count_openings = move |event: &Event| {
            if matches!(
                event,
                Event::StateChanged {
                    to: State::Open,
                    ..
                }
            ) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        builder
            .clock(clock.clone())
            .on_change(count_openings)
            .build()
    };
    let breaker = settings.map(observed).transpose()?;

    let mut random = Random(seed.into());
    let mut results = Results::default();
    // The calls at the server. The clients of the first `given_up` calls have given up.
    let (mut queue, mut given_up) = (VecDeque::<Call>::new(), 0);
    let (mut now, mut work, mut answered) = (Duration::ZERO, 0.0, 0.0);
    while now < END {
        let interval = usize::try_from(now.as_secs() / INTERVAL.as_secs()).unwrap_or(0);
        results.intervals.resize(interval + 1, (0, 0));

        // The last calls have time to end.
        if now + PATIENCE < END && random.next() < OFFERED * TICK.as_secs_f64() {
            results.intervals[interval].0 += 1;
            match breaker
                .as_ref()
                .map(CircuitBreaker::try_acquire)
                .transpose()
            {
                Ok(permit) => queue.push_back(Call {
                    sent: now,
                    permit,
                    is_waiting: true,
                }),
                Err(_) => results.refused += 1,
            }
        }

        while let Some(call) = queue
            .get_mut(given_up)
            .filter(|call| now >= call.sent + PATIENCE)
        {
            call.permit.take().into_iter().for_each(Permit::failure);
            call.is_waiting = false;
            results.failed += 1;
            given_up += 1;
        }

        work += capacity(now, cold, answered) * TICK.as_secs_f64();
        while work >= 1.0 {
            work -= 1.0;
            let Some(call) = queue.pop_front() else {
                continue;
            };
            given_up = given_up.saturating_sub(1);
            answered += if now < BACK { 0.0 } else { 1.0 };
            if call.is_waiting {
                call.permit.into_iter().for_each(Permit::success);
                let sent = usize::try_from(call.sent.as_secs() / INTERVAL.as_secs()).unwrap_or(0);
                results.intervals[sent].1 += 1;
            }
        }

        clock.advance(TICK);
        now += TICK;
    }
    results.opened = opened.load(Ordering::Relaxed);
    Ok(results)
}

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
            let run = |seed| simulate(settings.clone(), cold, seed);
            let runs = (1..=RUNS).map(run).collect::<Result<Vec<_>, _>>()?;
            let mean = |of: fn(&Results) -> u32| runs.iter().map(of).sum::<u32>() / RUNS;
            println!(
                "{name:<16}  {:>8}  {:>8}  {:>8}  {:>16} s",
                mean(|results| results.failed),
                mean(|results| results.refused),
                mean(|results| results.opened),
                mean(Results::good_again_after),
            );
        }
        println!();
    }
    Ok(())
}
