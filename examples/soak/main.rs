//! A soak test: mixed load on every core, against dependencies that fail and recover, for a minute
//! or a given number of seconds.
//!
//! Calls succeed, fail, panic, hang, time out and are aborted. At the end, the counts of the
//! dependencies and the totals of the breakers must agree.
//!
//! ```sh
//! cargo run --release --example soak
//! cargo run --release --example soak -- 10
//! ```

mod call_counts;
mod callers;
mod dependency;

use breakerbox::prelude::*;
use callers::{LIMIT, Load};
use dependency::{Dependency, Failure};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

const RECOVERY: Duration = Duration::from_millis(50);
const TICK: Duration = Duration::from_millis(100);
/// The growth of resident memory that is allowed during the load, for the allocator.
const MAX_GROWTH: usize = 8 << 20;

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(60), |n| n.parse())?;
    let time = Duration::from_secs(seconds).max(10 * TICK);
    let dependencies = dependencies()?;
    let load = Arc::new(Load::new(dependencies)?);
    let cores = thread::available_parallelism()?.get();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .enable_time()
        .build()?;

    let tasks = 32 * cores;
    let tasks: Vec<_> = (0..tasks)
        .map(|_| runtime.spawn(load.clone().call_from_task()))
        .collect();
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            thread::spawn({
                let load = load.clone();
                move || load.call_from_thread()
            })
        })
        .collect();
    let callers = tasks.len() + threads.len();
    println!(
        "{callers} callers on {cores} cores, {} circuits, {time:?}\n",
        dependencies.len()
    );
    let mut findings = Vec::new();
    let grown = watch(dependencies, time, callers as u64, &mut findings);

    load.stop();
    for thread in threads {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("a caller panicked"))?;
    }
    for task in tasks {
        runtime.block_on(task)?;
    }

    for dependency in dependencies {
        dependency.set_available(true);
        findings.extend(recover(dependency));
        findings.extend(
            dependency
                .counts
                .check_final(&dependency.breaker.snapshot(), callers as u64 + 1),
        );
    }
    match grown {
        None => println!("\nresident memory: unknown on this system"),
        Some(grown) => {
            println!("\nresident memory grew by {} KiB", grown >> 10);
            if grown > MAX_GROWTH {
                findings.push("memory was not flat".to_owned());
            }
        }
    }
    for dependency in dependencies {
        println!("{}", dependency.summary());
    }
    report(dependencies, &findings)
}

/// Creates three circuits that open for different reasons.
fn dependencies() -> anyhow::Result<&'static [Dependency]> {
    let opened: [Arc<AtomicU64>; 3] = Default::default();
    let settings = |number: usize| {
        CircuitBreaker::builder()
            .recovery_timeout(RECOVERY)
            .trial_timeout(Duration::MAX)
            .ignored_error_if::<Failure>(|error| matches!(error, Failure::NotFound))
            .on_event(dependency::listener(opened[number].clone()))
    };
    let rate = TripRule::failure_rate(0.5).over(Window::calls(20));
    let slow = TripRule::slow_calls(0.5)
        .slower_than(2 * LIMIT)
        .over(Window::time(Duration::from_secs(1)));
    let registry = BreakerRegistry::builder()
        .preset_for("consecutive:", settings(0))
        .preset_for("rate:", settings(1).trip_when(rate))
        .preset_for("slow:", settings(2).failure_threshold(3).trip_when(slow))
        .install()?;
    let names = ["consecutive:users", "rate:prices", "slow:mail"];
    let dependencies: Vec<_> = names
        .into_iter()
        .zip(&opened)
        .map(|(name, opened)| Dependency::new(registry, name, opened.clone()))
        .collect();
    Ok(dependencies.leak())
}

/// Switches the dependencies off and on in turn, and checks the counts while calls run. Returns the
/// growth of memory after the warm-up.
fn watch(
    dependencies: &'static [Dependency],
    time: Duration,
    callers: u64,
    findings: &mut Vec<String>,
) -> Option<usize> {
    let begun = Instant::now();
    let (mut baseline, mut peak) = (None, None);
    println!(
        "{:>8}  {:>12}  {:>12}  {:>10}",
        "elapsed", "calls", "refused", "resident"
    );
    let (mut tick, mut printed) = (0, 0);
    while begun.elapsed() < time {
        thread::sleep(TICK);
        tick += 1;
        for (number, dependency) in dependencies.iter().enumerate() {
            // Each dependency is down for half a second of every two, in turn.
            dependency.set_available((tick / 5 + number) % 4 != 0);
            findings.extend(
                dependency
                    .counts
                    .check_running(|| dependency.breaker.snapshot(), callers),
            );
        }
        let tenth = begun.elapsed().as_millis() * 10 / time.as_millis();
        if tenth == printed {
            continue;
        }
        printed = tenth;
        let now = resident();
        if tenth >= 3 {
            baseline = baseline.or(now);
            peak = peak.max(now);
        }
        let totals = |of: fn(&Dependency) -> u64| dependencies.iter().map(of).sum::<u64>();
        println!(
            "{:>6.1} s  {:>12}  {:>12}  {:>10}",
            begun.elapsed().as_secs_f64(),
            totals(|dependency| dependency.counts.began.load(SeqCst)),
            totals(|dependency| dependency.counts.refused()),
            now.map_or("unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20)),
        );
    }
    Some(peak?.saturating_sub(baseline?))
}

/// Checks that the circuit closes when its dependency is back, and then refuses no call. Returns a
/// finding otherwise.
fn recover(dependency: &'static Dependency) -> Option<String> {
    for _ in 0..100 {
        if dependency.breaker.state() == State::Closed {
            break;
        }
        if let Err(BreakerError::Open(open)) = dependency.call_successfully() {
            thread::sleep(open.retry_after().unwrap_or(RECOVERY));
        }
    }
    let refused = (0..1_000)
        .filter(|_| dependency.call_successfully().is_err())
        .count();
    (refused > 0).then(|| {
        format!(
            "{}: {refused} of 1000 calls refused after the recovery",
            dependency.name()
        )
    })
}

fn report(dependencies: &[Dependency], findings: &[String]) -> anyhow::Result<()> {
    for finding in findings {
        println!("FOUND: {finding}");
    }
    anyhow::ensure!(findings.is_empty(), "result: {} findings", findings.len());
    let calls: u64 = dependencies
        .iter()
        .map(|dependency| dependency.counts.began.load(SeqCst))
        .sum();
    println!("\nresult: {calls} calls admitted and completed, none lost");
    Ok(())
}

/// Returns the resident memory in bytes, on systems that report it.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
