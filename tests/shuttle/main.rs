//! Random schedules of whole calls: guarded futures that are raced, aborted, time out, panic or fall back,
//! concurrent with commands, new settings and removals.
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test --test shuttle --release --features fleet
//! ```
//!
//! Shuttle runs all tasks on one thread, and chooses the next task at each atomic, lock and `.await`. All
//! atomics are sequentially consistent. The models of `tests/loom/` explore weak orderings, with only two
//! threads. These tests explore the order of steps, with more tasks than loom can handle.
//!
//! A failed test prints its schedule. `SCHEDULE='…' … cargo test --test shuttle --release the_test` runs
//! that schedule again, and `SCHEDULES=100` runs a hundred times as many schedules.
#![cfg(shuttle)]
#![allow(missing_docs)]

mod calls;
mod commands;
mod expired_leases;
mod names;
mod nested_calls;
mod observations;
#[cfg(feature = "fleet")]
mod orders;
mod registry;
mod trials;
mod waiting;

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use observations::{CallCounts, CaseCounts, TransitionLog};
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{
    PctScheduler, RandomScheduler, UncontrolledNondeterminismCheckScheduler as RunTwice,
};
use shuttle::{Config, Runner};
use std::fmt::Error as Failure;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{self, Runtime};

/// The number of schedules of each scheduler for one test.
const SCHEDULES: usize = 5_000;
/// The number of priority changes in a schedule of the [`PctScheduler`].
const DEPTH: usize = 3;

const SECOND: Duration = Duration::from_secs(1);
const RECOVERY: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(40);

/// Runs a test with random schedules, and with schedules that delay single tasks for long.
///
/// Each case that the test counts in [`CaseCounts`] must occur in at least one schedule.
fn explore<F>(test: &str, run: impl Fn(TestTime, CaseCounts) -> F + Send + Sync + 'static)
where
    F: Future<Output = ()>,
{
    let timers = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    // Leaked, because its drop would wake the tasks of a failed schedule.
    let timers: &Runtime = Box::leak(Box::new(timers.expect("a runtime with timers")));
    // All tasks run on this thread, so they find the timers of this runtime.
    let _entered = timers.enter();
    let cases = CaseCounts::default();
    let recorded_cases = cases.clone();
    let run = Arc::new(move || {
        // The seed makes the jitter of waiters the same in each run of a schedule.
        fastrand::seed(7);
        block_on(run(TestTime::new(timers), recorded_cases.clone()));
    });
    if let Ok(schedule) = std::env::var("SCHEDULE") {
        return shuttle::replay(move || run(), &schedule);
    }
    let times = std::env::var("SCHEDULES").map_or(1, |times| times.parse().expect("a number"));
    let schedules = SCHEDULES * times;
    let mut config = Config::new();
    config.stack_size = 1 << 17;
    config.silence_warnings = true;
    let (twice, chosen) = (run.clone(), run.clone());
    // Runs each schedule twice. A schedule whose runs differ could not be repeated after a failure.
    Runner::new(
        RunTwice::new(RandomScheduler::new(SCHEDULES / 50)),
        config.clone(),
    )
    .run(move || twice());
    Runner::new(RandomScheduler::new(schedules), config.clone()).run(move || chosen());
    Runner::new(PctScheduler::new(DEPTH, schedules), config).run(move || run());
    cases.assert_all_occurred(test);
}

/// The clock of the breakers and tokio's clock, which advance together, and only on request.
#[derive(Clone)]
struct TestTime {
    clock: ManualClock,
    timers: &'static Runtime,
}

impl TestTime {
    fn new(timers: &'static Runtime) -> Self {
        Self {
            clock: ManualClock::new(),
            timers,
        }
    }

    /// Advances both clocks. No task runs during this call, but timers may wake tasks that run next.
    fn advance(&self, time: Duration) {
        self.clock.advance(time);
        self.timers.block_on(tokio::time::advance(time));
    }

    fn settings(&self) -> BreakerBuilder {
        CircuitBreaker::builder()
            .recovery_timeout(RECOVERY)
            .trial_timeout(LEASE)
            .clock(self.clock.clone())
    }

    /// Returns an open circuit past its deadline. The next call is a trial.
    fn recovering(&self, settings: BreakerBuilder) -> CircuitBreaker {
        let breaker = build(settings);
        breaker.trip();
        self.advance(RECOVERY);
        breaker
    }

    /// Asserts that the circuit closes when its calls succeed, whatever its state.
    fn assert_recovers(&self, breaker: &CircuitBreaker) {
        self.advance(3_600 * SECOND);
        for _ in 0..8 {
            breaker.try_acquire().expect("a free slot").success();
        }
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(breaker.failure_count(), 0);
    }
}

fn build(settings: BreakerBuilder) -> CircuitBreaker {
    settings.build().expect("valid settings")
}

/// How the guarded code ends, unless it is dropped first.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Ok,
    Err,
    Panic,
}

/// How a guarded future is run.
#[derive(Clone, Copy, Debug)]
enum CallStyle {
    Awaited,
    Raced,
    WithTimeout,
    WithFallback,
    Aborted,
}

fn choose<T: Copy>(choice: &[T]) -> T {
    choice[thread_rng().gen_range(0..choice.len())]
}

async fn yield_up_to(limit: usize) {
    for _ in 0..thread_rng().gen_range(0..=limit) {
        yield_now().await;
    }
}

/// The guarded code. Yields a few times, and counts the call in `counts`.
async fn work(end: End, counts: CallCounts) -> Result<(), Failure> {
    let _running = counts.enter();
    yield_up_to(2).await;
    match end {
        End::Ok => Ok(()),
        End::Err => Err(Failure),
        // `resume_unwind` skips the panic hook, which would print each panic.
        End::Panic => resume_unwind(Box::new("the guarded code panics")),
    }
}

/// Makes one call and counts its end.
async fn call(end: End, style: CallStyle, breaker: &CircuitBreaker, counts: &CallCounts) {
    let guarded = work(end, counts.clone()).guarded_by(breaker.clone());
    match style {
        CallStyle::Awaited => counts.record_result(AssertUnwindSafe(guarded).catch_unwind().await),
        CallStyle::Raced => {
            let guarded = AssertUnwindSafe(guarded).catch_unwind();
            match select(pin!(guarded), pin!(yield_up_to(2))).await {
                Either::Left((result, _)) => counts.record_result(result),
                Either::Right(_) => counts.record_dropped(),
            }
        }
        CallStyle::WithTimeout => {
            let guarded = guarded.timeout(5 * SECOND);
            counts.record_result(AssertUnwindSafe(guarded).catch_unwind().await);
        }
        CallStyle::WithFallback => {
            let (fallback_counts, counts) = (counts.clone(), counts.clone());
            let guarded = guarded.fallback(move |open| async move {
                fallback_counts.record_refused(&open);
                Err(Failure)
            });
            let result = AssertUnwindSafe(guarded).catch_unwind().await;
            counts.record_result(result.map(|result| result.map_err(BreakerError::Inner)));
        }
        CallStyle::Aborted => {
            let task_counts = counts.clone();
            let task = spawn(async move {
                let result = AssertUnwindSafe(guarded).catch_unwind().await;
                task_counts.record_result(result);
            });
            yield_up_to(3).await;
            task.abort();
            if task.await.is_err() {
                counts.record_dropped();
            }
        }
    }
}

const CALL_STYLES: [CallStyle; 5] = [
    CallStyle::Awaited,
    CallStyle::Raced,
    CallStyle::WithTimeout,
    CallStyle::WithFallback,
    CallStyle::Aborted,
];
