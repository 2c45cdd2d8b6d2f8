//! Random schedules of whole calls: guarded futures that are raced, aborted, timed out, that panic or fall
//! back, with commands, new settings and removals meanwhile.
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test --test shuttle --release
//! ```
//!
//! Shuttle runs all tasks on one thread and chooses at every atomic, lock and `.await` who goes on. It
//! knows no weak orderings: those are loom's to explore, in models that are small enough to be complete.
//! What is explored here is the order of steps, in crowds that loom cannot manage.
//!
//! A schedule that fails is printed. It is played again with
//! `SCHEDULE='…' … cargo test --test shuttle --release the_test`; `SCHEDULES=100` runs a hundred times as many.
#![cfg(shuttle)]
#![allow(missing_docs)]

mod books;
mod calls;
mod commands;
mod lapsed;
mod names;
mod nested;
mod registry;
mod trials;
mod waiting;

use books::{Books, Chain, Happened};
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{
    PctScheduler, RandomScheduler, UncontrolledNondeterminismCheckScheduler as Twice,
};
use shuttle::{Config, Runner};
use std::fmt::Error as Failed;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{self, Runtime};

/// Schedules of each scheduler for one test.
const SCHEDULES: usize = 5_000;
/// How often the scheduler with priorities changes its mind in one schedule.
const DEPTH: usize = 3;

const SECOND: Duration = Duration::from_secs(1);
const RECOVERY: Duration = Duration::from_secs(10);
const LEASE: Duration = Duration::from_secs(40);

/// Runs a test by schedules that choose at random, and by such as let one task wait for long.
///
/// What it noted to have [`Happened`] must have done so in some of them.
fn explore<F>(test: &str, run: impl Fn(Time, Happened) -> F + Send + Sync + 'static)
where
    F: Future<Output = ()>,
{
    let timers = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    // Never dropped: at its end it would wake the tasks of a schedule that failed.
    let timers: &Runtime = Box::leak(Box::new(timers.expect("a runtime of timers")));
    // Every task of a schedule is on this thread, and finds the timers here.
    let _entered = timers.enter();
    let happened = Happened::default();
    let noted = happened.clone();
    let run = Arc::new(move || {
        // The jitter of those who wait is the same each time.
        fastrand::seed(7);
        block_on(run(Time::new(timers), noted.clone()));
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
    // What comes out otherwise the second time could not be played again when it fails.
    Runner::new(
        Twice::new(RandomScheduler::new(SCHEDULES / 50)),
        config.clone(),
    )
    .run(move || twice());
    Runner::new(RandomScheduler::new(schedules), config.clone()).run(move || chosen());
    Runner::new(PctScheduler::new(DEPTH, schedules), config).run(move || run());
    happened.finish(test);
}

/// The breakers' clock and tokio's, which move together and only when told to.
#[derive(Clone)]
struct Time {
    clock: ManualClock,
    timers: &'static Runtime,
}

impl Time {
    fn new(timers: &'static Runtime) -> Self {
        Self {
            clock: ManualClock::new(),
            timers,
        }
    }

    /// No other task runs meanwhile, but those whose time has come may run next.
    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.timers.block_on(tokio::time::advance(time));
    }

    fn settings(&self) -> BreakerBuilder {
        CircuitBreaker::builder()
            .recovery_timeout(RECOVERY)
            .trial_timeout(LEASE)
            .clock(self.clock.clone())
    }

    /// Open, with its time come: the next call is a trial.
    fn recovering(&self, settings: BreakerBuilder) -> CircuitBreaker {
        let breaker = build(settings);
        breaker.trip();
        self.pass(RECOVERY);
        breaker
    }

    /// Whatever happened to it, it closes when its dependency is back.
    fn assert_revives(&self, breaker: &CircuitBreaker) {
        self.pass(3_600 * SECOND);
        for _ in 0..8 {
            breaker.try_acquire().expect("a free slot").success();
        }
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(breaker.failure_count(), 0);
    }
}

fn build(settings: BreakerBuilder) -> CircuitBreaker {
    settings.build().expect("settings that work")
}

/// How the guarded code ends, if nobody drops it before.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Ok,
    Err,
    Panic,
}

/// How its future is driven.
#[derive(Clone, Copy, Debug)]
enum Way {
    Awaited,
    Raced,
    Limited,
    Backed,
    Aborted,
}

fn any<T: Copy>(choice: &[T]) -> T {
    choice[thread_rng().gen_range(0..choice.len())]
}

async fn yields(most: usize) {
    for _ in 0..thread_rng().gen_range(0..=most) {
        yield_now().await;
    }
}

/// The guarded code: takes a few turns and tells the books.
async fn work(end: End, books: Books) -> Result<(), Failed> {
    let _inside = books.enter();
    yields(2).await;
    match end {
        End::Ok => Ok(()),
        End::Err => Err(Failed),
        // Without the panic hook, which would print every one.
        End::Panic => resume_unwind(Box::new("the guarded code panics")),
    }
}

/// One call from its beginning to its end, whatever that is.
async fn call(end: End, way: Way, breaker: &CircuitBreaker, books: &Books) {
    let guarded = work(end, books.clone()).guarded_by(breaker.clone());
    match way {
        Way::Awaited => books.ended(AssertUnwindSafe(guarded).catch_unwind().await),
        Way::Raced => {
            let guarded = AssertUnwindSafe(guarded).catch_unwind();
            match select(pin!(guarded), pin!(yields(2))).await {
                Either::Left((ended, _)) => books.ended(ended),
                Either::Right(_) => books.dropped(),
            }
        }
        Way::Limited => {
            let guarded = guarded.timeout(5 * SECOND);
            books.ended(AssertUnwindSafe(guarded).catch_unwind().await);
        }
        Way::Backed => {
            let (asked, books) = (books.clone(), books.clone());
            let guarded = guarded.fallback(move |open| async move {
                asked.refused(&open);
                Err(Failed)
            });
            let ended = AssertUnwindSafe(guarded).catch_unwind().await;
            books.ended(ended.map(|result| result.map_err(BreakerError::Inner)));
        }
        Way::Aborted => {
            let ends = books.clone();
            let task = spawn(async move {
                let ended = AssertUnwindSafe(guarded).catch_unwind().await;
                ends.ended(ended);
            });
            yields(3).await;
            task.abort();
            if task.await.is_err() {
                books.dropped();
            }
        }
    }
}

const WAYS: [Way; 5] = [
    Way::Awaited,
    Way::Raced,
    Way::Limited,
    Way::Backed,
    Way::Aborted,
];
