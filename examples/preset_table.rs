//! Measures the presets in simulated outages, and compares the results with the pages of the guide.
//!
//! A share of the calls fails for about two minutes, independently of each other. The calls go through a
//! real breaker, whose clock is advanced by hand. Every run of the program prints the same rows.
//!
//! ```text
//! cargo run --release --example preset_table
//! ```

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::presets::{Balanced, FailFast, RareCalls};
use std::thread;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// The number of outages for each figure.
const SEEDS: u64 = 40;

/// The shares of calls that fail, in per cent.
const SHARES: [u64; 6] = [10, 20, 34, 50, 70, 100];

const CALLS_PER_SECOND: [u64; 3] = [1, 50, 500];

/// The costs of refusing a call that would have succeeded, relative to a failure: the same without a
/// fallback, and a quarter with a good one.
const WITHOUT_FALLBACK: f64 = 1.0;
const WITH_FALLBACK: f64 = 0.25;

/// The pages that show the rows.
const PRESETS: &str = include_str!("../docs/presets.md");
const CHOOSING: &str = include_str!("../docs/choosing-settings.md");

fn main() {
    let settings = [
        ("default", CircuitBreaker::builder()),
        ("`Balanced`", Balanced::preset()),
        ("`RareCalls`", RareCalls::preset()),
        ("`FailFast`", FailFast::preset()),
    ];
    let results = thread::scope(|scope| {
        let runs = settings.map(|(name, settings)| {
            let run = move || CALLS_PER_SECOND.map(|rate| (name, rate, outages(&settings, rate)));
            scope.spawn(run)
        });
        runs.map(|run| run.join().expect("the simulation should not panic"))
    });
    let mut rows = Vec::new();
    for (title, cost) in [
        (
            "A refused good call costs as much as a failure:",
            WITHOUT_FALLBACK,
        ),
        (
            "A refused good call costs a quarter of a failure:",
            WITH_FALLBACK,
        ),
    ] {
        println!("{title}\n");
        for (position, _) in CALLS_PER_SECOND.iter().enumerate() {
            for result in &results {
                let (name, rate, outages) = &result[position];
                let row = row(*rate, name, outages, cost);
                println!("{row}");
                rows.push(row);
            }
        }
        println!();
    }
    compare("docs/presets.md", PRESETS, &rows, rows.len());
    compare("docs/choosing-settings.md", CHOOSING, &rows, 8);
    println!("both pages show these figures");
}

/// The calls of one outage.
#[derive(Default)]
struct Outage {
    calls: u32,
    /// Refused calls that would have failed.
    avoided_failures: u32,
    /// Refused calls that would have succeeded, during the outage and after it.
    refused_good_calls: u32,
}

impl Outage {
    /// Returns the benefit of the breaker, in per cent of the calls.
    fn net(&self, cost: f64) -> f64 {
        let balance = f64::from(self.avoided_failures) - cost * f64::from(self.refused_good_calls);
        100.0 * balance / f64::from(self.calls)
    }
}

/// Simulates [`SEEDS`] outages for each share of calls that fail.
fn outages(settings: &BreakerBuilder, calls_per_second: u64) -> [Vec<Outage>; SHARES.len()] {
    SHARES.map(|share| {
        let seeds = 1..=SEEDS;
        seeds
            .map(|seed| simulate(settings, calls_per_second, share, seed))
            .collect()
    })
}

/// Simulates healthy calls for ten seconds, an outage of 90 to 150 s, and the calls after it until the circuit
/// is closed. The length varies, so that the outage ends at different moments of the recovery timeout.
fn simulate(settings: &BreakerBuilder, calls_per_second: u64, share: u64, seed: u64) -> Outage {
    let clock = ManualClock::new();
    let breaker = settings
        .clone()
        .clock(clock.clone())
        .build()
        .expect("valid settings");
    let mut random = Random(seed);
    let begin = 10 * SECOND;
    let end = begin + 90 * SECOND + random.below(60 * SECOND);
    let (mut now, mut outage) = (0, Outage::default());
    loop {
        let pause = random.below(2 * SECOND / calls_per_second);
        now += pause;
        clock.advance(Duration::from_nanos(pause));
        let is_down = (begin..end).contains(&now);
        let fails = is_down && random.below(100) < share;
        outage.calls += u32::from(is_down);
        match breaker.try_acquire() {
            Ok(permit) if fails => permit.failure(),
            Ok(permit) => permit.success(),
            Err(_) if fails => outage.avoided_failures += 1,
            Err(_) => outage.refused_good_calls += 1,
        }
        if now >= end && breaker.state() == State::Closed {
            return outage;
        }
    }
}

/// `SplitMix64` (Steele, Lea and Flood 2014), so that the figures depend on no library.
struct Random(u64);

impl Random {
    /// Returns a number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Returns a row of a Markdown table: for each share of calls that fail, the mean and the worst of all
/// outages.
fn row(calls_per_second: u64, name: &str, outages: &[Vec<Outage>], cost: f64) -> String {
    let cells = outages.iter().map(|outages| {
        let nets = outages.iter().map(|outage| outage.net(cost));
        let worst = nets.clone().fold(f64::INFINITY, f64::min);
        let mean = nets.zip(1..).fold(0.0, |mean, (net, count)| {
            mean + (net - mean) / f64::from(count)
        });
        format!("{} ({})", rounded(mean), rounded(worst))
    });
    let cells: Vec<String> = cells.collect();
    format!("| {calls_per_second} | {name} | {} |", cells.join(" | "))
}

/// Rounds to a whole number. The result is never negative zero, which would be printed as `-0`.
fn rounded(number: f64) -> f64 {
    number.round() + 0.0
}

/// Asserts that `page` has exactly `count` rows with figures, and that all of them are in `rows`.
fn compare(name: &str, page: &str, rows: &[String], count: usize) {
    let is_row = |line: &&str| {
        CALLS_PER_SECOND
            .iter()
            .any(|n| line.starts_with(&format!("| {n} |")))
    };
    let shown: Vec<&str> = page.lines().filter(is_row).collect();
    for row in &shown {
        assert!(
            rows.iter().any(|r| r == row),
            "{name} has an outdated row: {row}"
        );
    }
    assert_eq!(
        shown.len(),
        count,
        "{name} lacks rows: copy them from above"
    );
}
