//! One sample: some threads make calls, all of them all the time.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::{EnterGuard, Runtime};

/// Only for tower-resilience, which sleeps when it finds its lock taken; all run inside it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_time().build();
    runtime.expect("a thread can be started")
});

/// Enters it.
pub fn inside() -> EnterGuard<'static> {
    RUNTIME.enter()
}

/// What a thread of a sample runs its calls through.
pub struct Lane<'a> {
    threads: usize,
    calls: u64,
    ready: &'a AtomicUsize,
    done: &'a AtomicUsize,
    timings: &'a Mutex<Vec<Timing>>,
}

struct Timing {
    begin: Instant,
    end: Instant,
    cpu: Duration,
    calls: u64,
}

/// How a sample went.
pub struct Sample {
    /// Nanoseconds of a call, as long as its caller waited for it.
    pub wall: f64,
    /// Nanoseconds of a call that its thread was running.
    pub cpu: f64,
    /// How much of the whole time all threads were at it.
    pub overlap: f64,
}

impl Lane<'_> {
    /// Makes the calls, in chunks, until every thread has made its own: who is done early goes on, so
    /// that none ever has the breaker to itself.
    pub fn run(&self, make: &mut dyn FnMut(Range<u64>)) {
        const CHUNKS: u64 = 40;
        let chunk = (self.calls / CHUNKS).max(1);
        make(0..chunk * 4);
        self.meet();
        let (begin, cpu, mut calls) = (Instant::now(), cpu_time(), 0);
        loop {
            make(calls..calls + chunk);
            calls += chunk;
            if calls == chunk * CHUNKS {
                self.done.fetch_add(1, Ordering::Relaxed);
            }
            if calls >= chunk * CHUNKS && self.done.load(Ordering::Relaxed) == self.threads {
                break;
            }
        }
        let timing = Timing {
            begin,
            cpu: cpu_time().saturating_sub(cpu),
            end: Instant::now(),
            calls,
        };
        self.timings.lock().expect("no thread panics").push(timing);
    }

    fn meet(&self) {
        self.ready.fetch_add(1, Ordering::AcqRel);
        while self.ready.load(Ordering::Acquire) < self.threads {
            std::thread::yield_now();
        }
    }
}

/// Runs `body` on `threads` threads of their own, each on a processor of its own while there are
/// enough of them.
pub fn sample(threads: usize, calls: u64, body: &(dyn Fn(&Lane<'_>) + Sync)) -> Sample {
    let (ready, done, timings) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::default());
    let processors = processors();
    let lane = Lane {
        threads,
        calls,
        ready: &ready,
        done: &done,
        timings: &timings,
    };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (lane, processors) = (&lane, &processors);
            scope.spawn(move || {
                let _inside = inside();
                if (2..=processors.len()).contains(&threads) {
                    stay_on(processors[thread]);
                }
                body(lane);
            });
        }
    });
    Sample::of(&timings.into_inner().expect("no thread panics"))
}

impl Sample {
    #[allow(clippy::cast_precision_loss)]
    fn of(timings: &[Timing]) -> Self {
        let begins = || timings.iter().map(|timing| timing.begin);
        let ends = || timings.iter().map(|timing| timing.end);
        let span = |from: Option<Instant>, to: Option<Instant>| {
            let (from, to) = (from.expect("a thread"), to.expect("a thread"));
            to.saturating_duration_since(from).as_secs_f64()
        };
        let shared = span(begins().max(), ends().min());
        let whole = span(begins().min(), ends().max());
        let calls = timings.iter().map(|timing| timing.calls).sum::<u64>() as f64;
        let sum = |time: fn(&Timing) -> Duration| timings.iter().map(time).sum::<Duration>();
        Self {
            wall: sum(|timing| timing.end - timing.begin).as_secs_f64() * 1e9 / calls,
            cpu: sum(|timing| timing.cpu).as_secs_f64() * 1e9 / calls,
            overlap: shared / whole,
        }
    }
}

/// The processors that this process may use.
pub fn processors() -> Vec<usize> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|&cpu| set.is_set(cpu))
            .collect(),
        Err(_) => Vec::new(),
    }
}

/// Without this two threads may take turns on one processor, and look as if they ran side by side.
fn stay_on(processor: usize) {
    let mut set = CpuSet::new();
    set.set(processor);
    sched_setaffinity(None, &set).expect("one of the processors that this process may use");
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
    seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}
