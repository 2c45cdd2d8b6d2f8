//! Every interleaving of two threads, explored by loom through the public interface.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --test loom --release
//! ```
//!
//! Each model is complete: no bound on preemptions. Add `-- --nocapture` to see how many
//! interleavings each has. The clock is a [`ManualClock`], which stands still while threads run,
//! so time is no source of interleavings.
//!
//! Three threads that ask for a trial have hundreds of thousands of interleavings with two preemptions, and
//! no end in sight without that bound. Such crowds are for `tests/shuttle/`.
#![cfg(loom)]
#![allow(missing_docs)]

mod configure;
mod hints;
mod joined;
mod lapsed;
mod late;
mod refusal;
mod retirement;
mod success_buffer;
mod threshold;
mod trials;
mod windows;

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Event, Outcome, Permit, Refusal, Totals};
use loom::thread::{self, JoinHandle};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const RECOVERY: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(40);

/// Who of two goes first in the first interleaving; loom goes on from there.
///
/// Every model is explored from both ends: loom remembers only the latest access to an atomic, so
/// that a thread which loads and then stores hides the load of another one before it.
#[derive(Clone, Copy)]
enum Race {
    LeftFirst,
    RightFirst,
}

impl Race {
    fn run<L: 'static, R: 'static>(
        self,
        left: impl FnOnce() -> L + 'static,
        right: impl FnOnce() -> R + 'static,
    ) -> (L, R) {
        match self {
            Self::LeftFirst => {
                let right = thread::spawn(right);
                let left = left();
                (left, join(right))
            }
            Self::RightFirst => {
                let left = thread::spawn(left);
                let right = right();
                (join(left), right)
            }
        }
    }
}

/// Explores `run` and says how many interleavings there were.
fn explore(model: &str, run: impl Fn(Race) + Clone + Send + Sync + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    for race in [Race::LeftFirst, Race::RightFirst] {
        let (run, runs) = (run.clone(), runs.clone());
        loom::model(move || {
            runs.fetch_add(1, Ordering::Relaxed);
            run(race);
        });
    }
    let runs = runs.load(Ordering::Relaxed);
    println!("{model}: {runs} interleavings");
    assert!(runs > 2, "threads that never meet show nothing");
}

/// A breaker that keeps no texts, so that failures below the threshold take no lock.
fn quick(threshold: u32) -> BreakerBuilder {
    CircuitBreaker::builder()
        .failure_threshold(threshold)
        .recovery_timeout(RECOVERY)
        .trial_timeout(LEASE)
        .capture_last_failure(false)
        .clock(ManualClock::new())
}

fn build(settings: BreakerBuilder) -> CircuitBreaker {
    settings.build().expect("settings that work")
}

fn permits<const N: usize>(breaker: &CircuitBreaker) -> [Permit; N] {
    std::array::from_fn(|_| breaker.try_acquire().expect("a closed circuit"))
}

fn fail(breaker: &CircuitBreaker) {
    breaker.try_acquire().expect("a closed circuit").failure();
}

/// Open, with its time come: the next call is a trial.
fn recovering(settings: BreakerBuilder) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let breaker = build(settings.clock(clock.clone()));
    breaker.trip();
    clock.advance(RECOVERY);
    (breaker, clock)
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("a thread that ends")
}

fn totals(breaker: &CircuitBreaker) -> Totals {
    breaker.snapshot().totals
}

/// Every call that was admitted and recorded, in whatever way it ended.
fn recorded(breaker: &CircuitBreaker) -> u64 {
    let totals = totals(breaker);
    let success = totals.success.expect("successes are counted");
    success + totals.failure + totals.ignored + totals.cancelled + totals.late
}

/// The state changes of a breaker, in the order in which they were told.
#[derive(Clone, Default)]
struct Changes(Arc<Mutex<Vec<(State, State)>>>);

impl Changes {
    fn heard_by(&self, settings: BreakerBuilder) -> BreakerBuilder {
        let changes = self.0.clone();
        settings.on_event(move |event| {
            if let Event::StateChanged { from, to, .. } = event {
                changes.lock().expect("no poison").push((*from, *to));
            }
        })
    }

    fn all(&self, breaker: &CircuitBreaker) -> Vec<(State, State)> {
        // Delivers what the threads have left in the queue.
        breaker.configure(|same| same).expect("the same settings");
        self.0.lock().expect("no poison").clone()
    }
}
