//! Models for loom, which explores every interleaving of two threads through the public interface.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --test loom --release
//! ```
//!
//! Each model is complete, without a bound on preemptions, except those that begin a second ramp-up
//! while a call is admitted. `-- --nocapture` prints the number of interleavings of each model. The clock is a [`ManualClock`], which advances only on request, so
//! time adds no interleavings.
//!
//! Three threads that acquire a trial have hundreds of thousands of interleavings with only two
//! preemptions. `tests/shuttle/` tests more threads by random schedules.
#![cfg(loom)]
#![allow(missing_docs)]

mod configure;
mod count_windows;
mod expired_leases;
mod first_ready;
mod hints;
mod late_calls;
mod nested_calls;
mod ramp_up;
mod refusals;
mod removal;
mod success_buffer;
mod threshold;
mod trials;

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

/// The thread that runs first in the first interleaving that loom explores.
///
/// Each model runs with both values. Loom remembers only the latest access to an atomic, so a
/// thread that loads and then stores hides an earlier load of the other thread.
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

/// Explores the model `run`, and prints the number of its interleavings.
fn explore(model: &str, run: impl Fn(Race) + Clone + Send + Sync + 'static) {
    explore_up_to(None, model, run);
}

/// Explores the interleavings of a model with at most this number of preemptions.
fn explore_up_to(
    preemptions: Option<usize>,
    model: &str,
    run: impl Fn(Race) + Clone + Send + Sync + 'static,
) {
    let runs = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions.or(builder.preemption_bound);
    for race in [Race::LeftFirst, Race::RightFirst] {
        let (run, runs) = (run.clone(), runs.clone());
        builder.check(move || {
            runs.fetch_add(1, Ordering::Relaxed);
            run(race);
        });
    }
    let runs = runs.load(Ordering::Relaxed);
    println!("{model}: {runs} interleavings");
    assert!(runs > 2, "the threads never interleaved");
}

/// Settings without the text of the last failure, so failures below the threshold take no lock.
fn settings_with_threshold(threshold: u32) -> BreakerBuilder {
    CircuitBreaker::builder()
        .failure_threshold(threshold)
        .recovery_timeout(RECOVERY)
        .trial_timeout(LEASE)
        .capture_last_failure(false)
        .clock(ManualClock::new())
}

fn build(settings: BreakerBuilder) -> CircuitBreaker {
    settings.build().expect("valid settings")
}

fn permits<const N: usize>(breaker: &CircuitBreaker) -> [Permit; N] {
    std::array::from_fn(|_| breaker.try_acquire().expect("the circuit admits calls"))
}

fn fail(breaker: &CircuitBreaker) {
    breaker
        .try_acquire()
        .expect("the circuit is closed")
        .failure();
}

/// Returns an open circuit past its deadline. The next call is a trial.
fn recovering(settings: BreakerBuilder) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let breaker = build(settings.clock(clock.clone()));
    breaker.trip();
    clock.advance(RECOVERY);
    (breaker, clock)
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("the thread should not panic")
}

fn totals(breaker: &CircuitBreaker) -> Totals {
    breaker.snapshot().totals
}

/// Returns the number of admitted calls whose outcome was recorded.
fn recorded(breaker: &CircuitBreaker) -> u64 {
    let totals = totals(breaker);
    let success = totals.success.expect("successes are counted");
    success + totals.failure + totals.ignored + totals.cancelled + totals.late
}

/// The state changes of a breaker, in the order of their events.
#[derive(Clone, Default)]
struct TransitionLog(Arc<Mutex<Vec<(State, State)>>>);

impl TransitionLog {
    fn observe(&self, settings: BreakerBuilder) -> BreakerBuilder {
        let changes = self.0.clone();
        settings.on_event(move |event| {
            if let Event::StateChanged { from, to, .. } = event {
                changes.lock().expect("not poisoned").push((*from, *to));
            }
        })
    }

    fn all(&self, breaker: &CircuitBreaker) -> Vec<(State, State)> {
        // `configure` delivers the events that are still queued.
        breaker.configure(|same| same).expect("valid settings");
        self.0.lock().expect("not poisoned").clone()
    }
}
