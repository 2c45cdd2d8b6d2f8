//! Takes samples in rounds.

use crate::peers::CallLoop;
use crate::table::Row;
use crate::work::RUNTIME;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Nanoseconds per call of each round, by case, threads and column.
pub type Figures = BTreeMap<(&'static str, usize, &'static str), Vec<f64>>;

/// Measures all rows, with samples of about so many nanoseconds.
pub fn run(rows: &[Row], rounds: usize, nanoseconds: f64) -> Figures {
    check(rows);
    let all = rows.iter().flat_map(|row| {
        row.loops
            .iter()
            .map(move |(column, calls)| (row, *column, calls))
    });
    let mut samples: Vec<_> = all
        .map(|(row, column, calls)| {
            (
                row,
                column,
                calls,
                calibrate(row.threads, nanoseconds, calls),
            )
        })
        .collect();
    let mut figures = Figures::new();
    for round in 1..=rounds {
        for of_row in samples.chunk_by_mut(|a, b| std::ptr::eq(a.0, b.0)) {
            fastrand::shuffle(of_row);
            for &mut (row, column, calls, count) in of_row {
                let mut attempts = (0..500).filter_map(|_| sample(row.threads, count, calls));
                let figure = attempts.next().expect("two threads run side by side");
                let key = (row.case, row.threads, column);
                figures.entry(key).or_default().push(figure);
            }
        }
        eprint!("\rround {round} of {rounds}");
    }
    eprintln!();
    check(rows);
    figures
}

/// Checks that the breakers admit or refuse calls as their rows claim.
fn check(rows: &[Row]) {
    for row in rows {
        for (column, calls) in &row.loops {
            let admits = !row.refused || *column == "reference";
            assert_eq!(calls()(7..8), admits, "{}: {column}", row.case);
        }
    }
}

/// Returns the number of calls that take so many nanoseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]
fn calibrate(threads: usize, nanoseconds: f64, calls: &CallLoop) -> u64 {
    // tower-resilience sleeps for a millisecond when its lock is taken. With fewer calls the other
    // thread would often be alone.
    const MIN_CALLS: u64 = 400;
    let mut count = 200;
    loop {
        let each = sample(threads, count, calls).unwrap_or(0.0);
        if each * count as f64 >= nanoseconds / 4.0 {
            return ((nanoseconds / each) as u64).max(MIN_CALLS);
        }
        count *= 2;
    }
}

/// Returns nanoseconds per call, or nothing if the threads did not run side by side.
#[expect(clippy::cast_precision_loss)]
fn sample(threads: usize, count: u64, calls: &CallLoop) -> Option<f64> {
    const CHUNKS: u64 = 40;
    let chunk = (count / CHUNKS).max(1);
    let (ready, done) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
    let spans = &Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let _inside = RUNTIME.enter();
                if threads > 1 {
                    stay_on_processor(thread);
                }
                let mut call = calls();
                call(0..4 * chunk);
                ready.fetch_add(1, Ordering::AcqRel);
                while ready.load(Ordering::Acquire) < threads {
                    std::thread::yield_now();
                }
                let (begin, mut made) = (Instant::now(), 0);
                // The first thread to finish goes on, so that the breaker stays contended.
                while made < CHUNKS * chunk || done.load(Ordering::Relaxed) < threads {
                    call(made..made + chunk);
                    made += chunk;
                    if made == CHUNKS * chunk {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
                let span = (begin, Instant::now(), made);
                spans.lock().expect("no thread panics").push(span);
            });
        }
    });
    let spans = spans.lock().expect("no thread panics");
    let begins = || spans.iter().map(|span| span.0);
    let ends = || spans.iter().map(|span| span.1);
    let overlap = ends().min()?.saturating_duration_since(begins().max()?);
    let whole = ends().max()?.duration_since(begins().min()?);
    let time: Duration = spans.iter().map(|span| span.1 - span.0).sum();
    let made: u64 = spans.iter().map(|span| span.2).sum();
    (overlap > whole.mul_f64(0.9)).then(|| time.as_secs_f64() * 1e9 / made as f64)
}

/// Pins this thread, because two threads on one processor would never contend.
fn stay_on_processor(number: usize) {
    let allowed = sched_getaffinity(None).expect("the processors of this process");
    let mut processors = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
    let mut own = CpuSet::new();
    own.set(processors.nth(number).expect("a processor per thread"));
    sched_setaffinity(None, &own).expect("a processor of this process");
}
